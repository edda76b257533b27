// Numbers that benchmarks draw from several runs, and the bytes that they run on.
import { randomFillSync } from 'node:crypto'
import { mkdtemp, open, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const median = (numbers: readonly number[]): number => quantile(numbers, 0.5)

/** The smallest of `numbers` that at least the part `share` of them does not exceed. */
export const quantile = (numbers: readonly number[], share: number): number => {
  const sorted = [...numbers].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN
}

/** A folder in memory if there is room, so that the disk is not what is measured. */
export const workFolder = async (name: string, neededBytes: number): Promise<string> => {
  for (const parent of ['/dev/shm', tmpdir()]) {
    const space = await statfs(parent).catch(() => undefined)
    if (space !== undefined && space.bavail * space.bsize > neededBytes)
      return mkdtemp(join(parent, `updraft-${name}-`))
  }
  throw new Error(`no room for ${neededBytes} bytes in /dev/shm or ${tmpdir()}`)
}

const MIB = 1024 * 1024

export const writeRandomFile = async (file: string, sizeBytes: number): Promise<void> => {
  await using handle = await open(file, 'w')
  const buffer = Buffer.allocUnsafeSlow(8 * MIB)
  for (let left = sizeBytes; left > 0; left -= buffer.length) {
    await handle.write(randomFillSync(buffer), 0, Math.min(left, buffer.length))
  }
}
