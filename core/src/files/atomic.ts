// Writing so that a reader, a crash or a full disk never meets half a file: temporary name, flush, rename, flush the
// folder. Never follows a link at the destination.
import { randomBytes } from 'node:crypto'
import {
  closeSync,
  constants,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { lstat, mkdir, open, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fromFileSystem, systemCodeOf, UpdateError } from '../errors.ts'

export interface WriteOptions {
  /** Permission bits of the file; `0o600` for anything secret. */
  readonly mode?: number
}

/** Replaces the file at `path` by `bytes`, or leaves it as it was. Errors: DISK_FULL, PERMISSION, IO. */
export const writeFileAtomic = async (path: string, bytes: Uint8Array | string, options: WriteOptions = {}) => {
  const temporary = temporaryNameFor(path)
  try {
    const file = await open(temporary, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, options.mode ?? 0o644)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}) // The first error says more; what stays is removed by a later look.
    throw fromFileSystem(error, `cannot write ${path}`)
  }
}

/** The same, for where nothing may come in between. */
export const writeFileAtomicSync = (
  path: string,
  bytes: Uint8Array | string,
  { mode = 0o644 }: WriteOptions = {},
): void => {
  const temporary = temporaryNameFor(path)
  try {
    writeFileSync(temporary, bytes, { flag: 'wx', mode, flush: true })
    renameSync(temporary, path)
    if (process.platform === 'win32') return
    const directory = openSync(dirname(path), constants.O_RDONLY)
    try {
      fsyncSync(directory)
    } finally {
      closeSync(directory)
    }
  } catch (error) {
    rmSync(temporary, { force: true })
    throw fromFileSystem(error, `cannot write ${path}`)
  }
}

/** Points the symbolic link at `path` to `target` in one step: a reader sees the old or the new one, never none. */
export const replaceLink = async (path: string, target: string): Promise<void> => {
  const temporary = temporaryNameFor(path)
  try {
    await symlink(target, temporary)
    await rename(temporary, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}) // The first error says more; what stays is removed by a later look.
    throw fromFileSystem(error, `cannot point ${path} to ${target}`)
  }
}

/** Moves `from` to `to` within one file system, and makes that durable. */
export const renameDurably = async (from: string, to: string): Promise<void> => {
  try {
    await rename(from, to)
    await syncDirectory(dirname(to))
    if (dirname(from) !== dirname(to)) await syncDirectory(dirname(from))
  } catch (error) {
    throw fromFileSystem(error, `cannot move ${from} to ${to}`)
  }
}

/** A rename is durable only once its folder is flushed. Windows cannot open folders and needs no such flush. */
export const syncDirectory = async (path: string): Promise<void> => {
  if (process.platform === 'win32') return
  const directory = await open(path, constants.O_RDONLY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

/** Reads a whole file, but refuses more than `maxBytes` before reading any. Errors: LIMIT_EXCEEDED, IO, PERMISSION. */
export const readFileBounded = async (path: string, maxBytes: number): Promise<Buffer> => {
  try {
    assertAtMost(path, (await lstat(path)).size, maxBytes)
    return await readFile(path)
  } catch (error) {
    throw fromFileSystem(error, `cannot read ${path}`)
  }
}

/** The same, for many small files in a row. */
export const readFileBoundedSync = (path: string, maxBytes: number): Buffer => {
  try {
    assertAtMost(path, lstatSync(path).size, maxBytes)
    return readFileSync(path)
  } catch (error) {
    throw fromFileSystem(error, `cannot read ${path}`)
  }
}

const assertAtMost = (path: string, size: number, maxBytes: number): void => {
  if (size > maxBytes) {
    throw new UpdateError('LIMIT_EXCEEDED', `${path} has ${size} bytes; at most ${maxBytes} are read`)
  }
}

/** Undefined if there is no such file. */
export const readFileIfThere = async (path: string, maxBytes: number): Promise<Buffer | undefined> => {
  try {
    return await readFileBounded(path, maxBytes)
  } catch (error) {
    if (systemCodeOf((error as Error).cause) === 'ENOENT') return undefined
    throw error
  }
}

/** Removes a file, or a folder with all that is in it; that it is not there is as good. Errors: PERMISSION, IO. */
export const removeAll = async (path: string): Promise<void> => {
  try {
    await rm(path, { recursive: true, force: true })
  } catch (error) {
    throw fromFileSystem(error, `cannot remove ${path}`)
  }
}

export const makeDirectory = async (path: string, mode = 0o755): Promise<void> => {
  try {
    await mkdir(path, { recursive: true, mode })
  } catch (error) {
    throw fromFileSystem(error, `cannot create ${path}`)
  }
}

/**
 * Removes what `writeFileAtomic` and `replaceLink` left in `directory` when their process was killed. Only for whoever knows that
 * nobody else writes there at this moment.
 *
 * Errors: PERMISSION, IO.
 */
export const removeTemporaries = async (directory: string): Promise<void> => {
  for (const name of await namesIn(directory)) if (isTemporary(name)) await removeAll(join(directory, name))
}

/** Names of what is in a folder; none if it is not there. Errors: PERMISSION, IO. */
export const namesIn = async (directory: string): Promise<readonly string[]> => {
  try {
    return await readdir(directory)
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return []
    throw fromFileSystem(error, `cannot list ${directory}`)
  }
}

export const isTemporary = (name: string): boolean => /^\..+\.[0-9a-f]{12}\.tmp$/.test(name)

const temporaryNameFor = (path: string): string =>
  join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
