// Gives back what was verified: moves the bundle out of `staging/` into `bundles/` and shares it. Seeds nothing that did
// not come out of verification, now or before a restart.
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeDirectory, readFileBounded, renameDurably, writeFileAtomic } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { bundleNameOf } from '@updraft/core/names'
import { resolveHints } from '@updraft/core/release'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import type { Swarm, SwarmTorrent } from '@updraft/core/swarm/swarm'
import type { VerifiedBundle } from './verify.ts'

/** A verified bundle that rests under `bundles/`. */
export interface KeptBundle {
  /** `<product>_<version>_<platform>`, also the name of its folder. */
  readonly name: string
  readonly infoHash: string
  /** Absolute announce URLs. */
  readonly trackers: readonly string[]
}

export interface SeedOptions {
  /** The agent's `bundles/`. */
  readonly bundlesDirectory: string
  readonly swarm: Pick<Swarm, 'add'>
  readonly onWarning: (message: string) => void
}

export const bundleDirectoryOf = (bundlesDirectory: string, name: string): string => join(bundlesDirectory, name)
export const metainfoFileOf = (bundlesDirectory: string, name: string): string =>
  join(bundlesDirectory, `${name}.torrent`)

/**
 * Moves a verified bundle to its lasting place. After this `staging/` holds nothing of the release.
 *
 * Errors: DISK_FULL, PERMISSION, IO.
 */
export const keepBundle = async (verified: VerifiedBundle, bundlesDirectory: string): Promise<KeptBundle> => {
  const { release, metainfo, bundleDirectory, directory } = verified
  const name = bundleNameOf(release.release)
  const place = bundleDirectoryOf(bundlesDirectory, name)
  await makeDirectory(bundlesDirectory, 0o755)
  await writeFileAtomic(metainfoFileOf(bundlesDirectory, name), metainfo.bytes)
  await rm(place, { recursive: true, force: true })
  await renameDurably(bundleDirectory, place)
  await rm(directory, { recursive: true, force: true })
  const trackers = resolveHints(release.release.torrent.trackers, release.repositoryUrl)
  return { name, infoHash: metainfo.infoHash, trackers }
}

/**
 * Shares a kept bundle. Its pieces are hashed first: a file that was damaged since only costs the pieces concerned, and
 * the swarm mends them.
 *
 * Errors: METAINFO_INVALID, LIMIT_EXCEEDED, IO if the bundle is no longer readable.
 */
export const seedBundle = async (bundle: KeptBundle, options: SeedOptions): Promise<SwarmTorrent> => {
  const file = metainfoFileOf(options.bundlesDirectory, bundle.name)
  const metainfo = parseMetainfo(await readFileBounded(file, LIMITS.metainfoLengthBytes))
  return options.swarm.add({
    metainfo,
    directory: options.bundlesDirectory,
    have: 'check',
    trackers: bundle.trackers,
    webSeeds: [],
    onWarning: options.onWarning,
  })
}

/** Stops keeping a bundle: its files and its metainfo go. The caller has taken it out of the swarm. */
export const dropBundle = async (name: string, bundlesDirectory: string): Promise<void> => {
  await rm(bundleDirectoryOf(bundlesDirectory, name), { recursive: true, force: true })
  await rm(metainfoFileOf(bundlesDirectory, name), { force: true })
}
