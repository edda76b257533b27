// Job: the last look at files that were written: checks the ones that were put together from several frames, and flushes all
// to the disk.
import { createHash } from 'node:crypto'
import { fsyncSync } from 'node:fs'
import { join } from 'node:path'
import { fromFileSystem } from '../../errors.ts'
import { digestAt } from '../digest-table.ts'
import { scratch } from '../memory.ts'
import { READ, readFully, WRITE, withFile } from './files.ts'
import { verifyFile } from './unpack-frames.ts'

export interface SealFilesJob {
  readonly root: string
  readonly paths: readonly string[]
  /** 1 for a file whose content is still to be checked. */
  readonly isUnchecked: Uint8Array
  /** SHA-256 of each file, 32 bytes a row; only for the unchecked ones. */
  readonly digests: Uint8Array
  readonly directories: readonly string[]
}

const BLOCK_BYTES = 1024 * 1024

/** Errors: BUNDLE_INVALID, DISK_FULL, PERMISSION, IO. */
export const sealFiles = ({ root, paths, isUnchecked, digests, directories }: SealFilesJob): void => {
  for (const [row, path] of paths.entries()) {
    seal(join(root, path), WRITE, (file) => {
      if (isUnchecked[row] === 1) verifyFile(path, hashFile(file), digestAt(digests, row))
    })
  }
  // A name is durable once its folder is flushed. Windows cannot open folders and needs no such flush.
  if (process.platform === 'win32') return
  for (const path of directories) seal(join(root, path), READ, () => {})
}

const seal = (path: string, flags: number, check: (file: number) => void): void => {
  try {
    withFile(path, flags, (file) => {
      check(file)
      fsyncSync(file)
    })
  } catch (error) {
    throw fromFileSystem(error, `cannot write ${path}`)
  }
}

const hashFile = (file: number): Buffer => {
  const block = scratch('block', BLOCK_BYTES)
  const digest = createHash('sha256')
  for (let position = 0; ; ) {
    const read = readFully(file, block, position)
    if (read === 0) return digest.digest()
    digest.update(block.subarray(0, read))
    position += read
  }
}
