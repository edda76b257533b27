// Synchronous reading and writing of files, as worker threads do it: whole lengths or an error, and never through a link
// in the last place of a path.
import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs'

/** Windows has no such flag; nor can an ordinary process there make links. */
const NO_FOLLOW = constants.O_NOFOLLOW ?? 0

export const READ = constants.O_RDONLY | NO_FOLLOW
export const WRITE = constants.O_RDWR | NO_FOLLOW
export const CREATE = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | NO_FOLLOW

/** Runs `use` with an open file. `mode` counts only for CREATE. */
export const withFile = <T>(path: string, flags: number, use: (file: number) => T, mode = 0o600): T => {
  const file = openSync(path, flags, mode)
  try {
    return use(file)
  } finally {
    closeSync(file)
  }
}

/** Fills `into` from `position` on, as far as the file reaches; returns how many bytes that were. */
export const readFully = (file: number, into: Uint8Array, position: number): number => {
  let done = 0
  while (done < into.length) {
    const read = readSync(file, into, done, into.length - done, position + done)
    if (read === 0) break
    done += read
  }
  return done
}

export const writeFully = (file: number, bytes: Uint8Array, position: number): void => {
  let done = 0
  while (done < bytes.length) done += writeSync(file, bytes, done, bytes.length - done, position + done)
}

export interface FileState {
  readonly lengthBytes: number
  readonly modifiedMs: number
  readonly inode: number
}

export const isUnchanged = (file: number, state: FileState): boolean => {
  const stats = fstatSync(file)
  return (
    stats.isFile() &&
    stats.size === state.lengthBytes &&
    stats.mtimeMs === state.modifiedMs &&
    stats.ino === state.inode
  )
}
