// Whether a release fits on the disk: its bundle and what is unpacked from it are there at once. Pure; the sizes are signed.
import { bundleNameOf } from '@updraft/core/names'
import { formatBytes } from '@updraft/core/terminal/progress'
import type { Question, Rule } from './facts.ts'

/** For a patch, the database, and everyone else who writes meanwhile. */
const MARGIN_BYTES = 64 * 1024 * 1024

export const fitsOnDisk: Rule<Question> = ({ release, machine: { freeBytes, stagedBytes } }) => {
  if (freeBytes === undefined) return undefined
  const { indexBytes, packBytes, installedBytes } = release.sizes
  const bundleBytes = Math.max(0, indexBytes + packBytes - (stagedBytes.get(bundleNameOf(release)) ?? 0))
  const neededBytes = bundleBytes + installedBytes + MARGIN_BYTES
  return {
    passed: freeBytes >= neededBytes,
    detail: `${release.version} needs ${formatBytes(neededBytes)}, and ${formatBytes(freeBytes)} are free`,
  }
}
