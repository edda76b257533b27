// Files written whole, and given a second name: what the file system does in parts or not everywhere, done completely or told.
import { type FileHandle, link } from 'node:fs/promises'
import { systemCodeOf } from '../errors.ts'

/** Writes all of `bytes` at `position`; one call of the system may write less. Errors: those of the file system. */
export const writeFully = async (file: FileHandle, bytes: Uint8Array, position: number): Promise<void> => {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  }
}

/**
 * Gives the file at `from` another name. False where that is not possible: some file systems (FAT, some network shares) have no
 * links, none has endless ones, and none leads to another file system.
 *
 * Errors: those of the file system.
 */
export const tryLink = async (from: string, to: string): Promise<boolean> => {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if (IMPOSSIBLE.has(systemCodeOf(error) ?? '')) return false
    throw error
  }
}

const IMPOSSIBLE = new Set(['EPERM', 'ENOTSUP', 'ENOSYS', 'EMLINK', 'EXDEV'])
