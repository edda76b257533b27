// The metadata cache of one source: complete copies, of which a link names the one in force. A copy is finished before
// the link moves, and nothing in a copy is believed: each file is verified again from the pinned root on every refresh.
import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, mkdtemp, open, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fromFileSystem, systemCodeOf } from '@updraft/core/errors'
import { makeDirectory, readFileBounded, removeAll, replaceLink, syncDirectory } from '@updraft/core/files/atomic'
import { fileNameOf, maxBytesOf, roleOfFile } from './file-names.ts'

/** Metadata files by name: `2.root.json` for each root after the pinned one, `timestamp.json`, `acme.json`, … */
export type MetadataFiles = ReadonlyMap<string, Buffer>

/** Every change that a commit makes to the disk, in one place, so that tests can end a process between any two. */
export interface CacheDisk {
  makeDirectory(path: string): Promise<void>
  /** Writes and flushes a file that does not exist yet. */
  writeFile(path: string, bytes: Buffer): Promise<void>
  syncDirectory(path: string): Promise<void>
  replaceLink(path: string, target: string): Promise<void>
  remove(path: string): Promise<void>
}

export interface MetadataCache {
  /** The files of the copy in force. What cannot be read, or is too long, counts as missing. */
  read(): Promise<MetadataFiles>
  /** Puts `files` in force, all or none. Errors: DISK_FULL, PERMISSION, IO. */
  commit(files: MetadataFiles): Promise<void>
  /** An empty folder to work in, for the TUF library; gone after use, also after a kill. */
  openScratch(): Promise<Scratch>
}

export interface Scratch extends AsyncDisposable {
  readonly path: string
}

const LINK = 'current'
const COPY = /^copy-[0-9a-f]{16}$/
const LEFTOVER = /^(?:copy-[0-9a-f]{16}|scratch-[^/]+|\.current\..*\.tmp)$/

/**
 * Opens the cache in `directory`, and removes what an interrupted process left. The caller holds the lock on it.
 *
 * Errors: PERMISSION, IO.
 */
export const openCache = async (directory: string, disk: CacheDisk = nodeDisk): Promise<MetadataCache> => {
  const link = join(directory, LINK)
  await sweep(directory, LEFTOVER, disk)
  return {
    read: async () => {
      const copy = await currentCopy(directory)
      return copy === undefined ? new Map() : readCopy(join(directory, copy))
    },
    commit: async (files) => {
      const copy = `copy-${randomBytes(8).toString('hex')}`
      const path = join(directory, copy)
      try {
        await disk.makeDirectory(path)
        for (const [name, bytes] of files) await disk.writeFile(join(path, name), bytes)
        await disk.syncDirectory(path)
        await disk.syncDirectory(directory)
        await disk.replaceLink(link, copy)
      } catch (error) {
        await disk.remove(path)
        throw fromFileSystem(error, `cannot write metadata to ${path}`)
      }
      await sweep(directory, COPY, disk)
    },
    openScratch: async () => {
      const path = await mkdtemp(join(directory, 'scratch-')).catch((error: unknown) => {
        throw fromFileSystem(error, `cannot create a folder in ${directory}`)
      })
      return { path, [Symbol.asyncDispose]: () => removeAll(path) }
    },
  }
}

/** The folder that the link names; only one of ours counts, wherever else a link may lead. */
const currentCopy = async (directory: string): Promise<string | undefined> => {
  try {
    const target = await readlink(join(directory, LINK))
    return COPY.test(target) ? target : undefined
  } catch (error) {
    // Not there, or not a link: then there is no cache, which costs a download and nothing else.
    if (['ENOENT', 'EINVAL'].includes(systemCodeOf(error) ?? '')) return undefined
    throw error
  }
}

/** Removes what matches `pattern` and is not in force, and whatever stands in the place of the link. */
const sweep = async (directory: string, pattern: RegExp, disk: CacheDisk): Promise<void> => {
  try {
    const current = await currentCopy(directory)
    for (const name of await readdir(directory)) {
      const path = join(directory, name)
      const misplaced = name === LINK && !(await lstat(path)).isSymbolicLink()
      if (misplaced || (pattern.test(name) && name !== current)) await disk.remove(path)
    }
  } catch (error) {
    throw fromFileSystem(error, `cannot tidy ${directory}`)
  }
}

const readCopy = async (path: string): Promise<MetadataFiles> => {
  const files = new Map<string, Buffer>()
  const entries = await readdir(path, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) {
    const role = roleOfFile(entry.name)
    if (!entry.isFile() || role === undefined || entry.name !== fileNameOf(role)) continue
    try {
      files.set(entry.name, await readFileBounded(join(path, entry.name), maxBytesOf(role.role)))
    } catch {
      // Unreadable is the same as missing: it is fetched again, and the version floors still hold.
    }
  }
  return files
}

const nodeDisk: CacheDisk = {
  makeDirectory: (path) => makeDirectory(path, 0o700),
  writeFile: async (path, bytes) => {
    const file = await open(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
  },
  syncDirectory,
  replaceLink,
  remove: (path) => removeAll(path),
}

/** The real disk, to be wrapped. */
export const realDisk = nodeDisk
