// The files of one torrent on disk, read and written by piece. Files are created at their full length but sparse; every
// write goes to its place at once, and nothing is cached: the operating system does that better.
// Replaces webtorrent's chunk stores: its cache holds 20 pieces for every torrent, and copies each block that it sends.
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fromFileSystem, UpdateError } from '../../errors.ts'
import { syncDirectory } from '../../files/atomic.ts'
import { writeFully } from '../../files/whole.ts'
import type { Metainfo } from '../metainfo.ts'
import type { StoredFile } from '../swarm.ts'
import { geometryOf } from './geometry.ts'

export interface PieceFiles {
  /** Reads part of a piece. Errors: IO if the file ends too early, PERMISSION. */
  read(index: number, offset: number, length: number): Promise<Buffer<ArrayBuffer>>
  /** A part of the piece lies in a file that was made, or was empty, when it was opened, and nothing was written to it since. */
  isBlank(index: number): boolean
  /** Writes a whole piece. Errors: DISK_FULL, IO, PERMISSION. */
  write(index: number, piece: Uint8Array): Promise<void>
  /** Returns once everything written is on the disk itself. */
  sync(): Promise<void>
  /** Closes what has not been used since the last call. A thousand seeded torrents hold no file open for nothing. */
  closeIdle(): Promise<void>
  /** Closes what is not in use at this moment. */
  closeAll(): Promise<void>
  close(): Promise<void>
}

export interface PieceFilesOptions {
  readonly metainfo: Metainfo
  /** The files are at `<directory>/<name>/<path>`. */
  readonly directory: string
  /** The files that the content is in instead. */
  readonly stored?: readonly StoredFile[] | undefined
  /** Read-only files must be complete; writable ones are created, and brought to their length. */
  readonly writable: boolean
  /** The files are known to be there: none is opened before it is used. */
  readonly isPrepared?: boolean
}

interface OpenFile {
  readonly handle: Promise<FileHandle>
  /** Reads and writes under way. */
  users: number
  used: boolean
}

/** Errors: IO if a file is missing or has another length (read-only), DISK_FULL, PERMISSION. */
export const openPieceFiles = async (options: PieceFilesOptions): Promise<PieceFiles> => {
  const { metainfo, directory, writable, isPrepared = false } = options
  const kept: readonly StoredFile[] = options.stored ?? metainfo.files.map((file) => ({ ...file, isFixed: false }))
  const { pieceLengthOf, partsOf } = geometryOf({ ...metainfo, files: kept })
  const paths = kept.map(({ path }) => join(directory, metainfo.name, ...path.split('/')))
  const isWritable = (file: number): boolean => writable && kept[file]?.isFixed === false
  const written = new Set<number>()
  const blank = new Set<number>()
  const opened = new Map<number, OpenFile>()
  let closed = false

  const use = async <T>(file: number, act: (handle: FileHandle) => Promise<T>): Promise<T> => {
    if (closed) throw new UpdateError('ABORTED', `${paths[file]} is closed`)
    const path = paths[file] ?? ''
    let entry = opened.get(file)
    if (entry === undefined) {
      entry = { handle: open(path, isWritable(file) ? WRITE_FLAGS : READ_FLAGS, 0o644), users: 0, used: true }
      opened.set(file, entry)
      entry.handle.catch(() => opened.delete(file))
      void closeSurplus(file)
    }
    entry.users += 1
    entry.used = true
    try {
      return await act(await entry.handle)
    } catch (error) {
      throw fromFileSystem(error, `cannot ${isWritable(file) ? 'write' : 'read'} ${path}`)
    } finally {
      entry.users -= 1
    }
  }

  const closeFile = async (file: number, entry: OpenFile): Promise<void> => {
    opened.delete(file)
    // A file that could not be opened needs no closing; who opened it has the error.
    const handle = await entry.handle.catch(() => undefined)
    await handle?.close()
  }

  /** The one that was opened first goes first. */
  const closeSurplus = async (besides: number): Promise<void> => {
    for (const [file, entry] of opened) {
      if (opened.size <= OPEN_FILES_MAX) return
      if (entry.users === 0 && file !== besides) await closeFile(file, entry)
    }
  }

  const prepare = async (file: number): Promise<void> => {
    const path = paths[file] ?? ''
    const expected = kept[file]?.lengthBytes ?? 0
    if (isWritable(file)) await mkdir(dirname(path), { recursive: true })
    await use(file, async (handle) => {
      const { size } = await handle.stat()
      if (size === expected) return
      if (size === 0) blank.add(file)
      if (isWritable(file)) await handle.truncate(expected)
      else throw new UpdateError('IO', `${path} has ${size} bytes in the place of ${expected}`)
    })
  }

  const closeAll = async (): Promise<void> => {
    await Promise.all([...opened].map(([file, entry]) => entry.users === 0 && closeFile(file, entry)))
  }

  const bytesAt = (index: number, offset: number): number => index * metainfo.pieceLength + offset

  try {
    if (!isPrepared) for (const file of paths.keys()) await prepare(file)
  } catch (error) {
    closed = true
    await Promise.all([...opened].map(([file, entry]) => closeFile(file, entry)))
    throw fromFileSystem(error, `cannot prepare ${join(directory, metainfo.name)}`)
  }

  return {
    read: async (index, offset, length) => {
      if (offset < 0 || length < 1 || offset + length > pieceLengthOf(index)) {
        throw new UpdateError('IO', `no ${length} bytes at ${offset} in piece ${index}`)
      }
      const buffer = Buffer.allocUnsafeSlow(length)
      let at = 0
      for (const part of partsOf(bytesAt(index, offset), length)) {
        await use(part.file, async (handle) => {
          const { bytesRead } = await handle.read(buffer, at, part.length, part.offset)
          if (bytesRead !== part.length) throw new UpdateError('IO', `${paths[part.file]} ends too early`)
        })
        at += part.length
      }
      return buffer
    },

    isBlank: (index) =>
      blank.size > 0 && partsOf(bytesAt(index, 0), pieceLengthOf(index)).some(({ file }) => blank.has(file)),

    write: async (index, piece) => {
      let at = 0
      for (const part of partsOf(bytesAt(index, 0), piece.length)) {
        if (isWritable(part.file)) {
          written.add(part.file)
          blank.delete(part.file)
          await use(part.file, (handle) => writeFully(handle, piece.subarray(at, at + part.length), part.offset))
        }
        at += part.length
      }
    },

    sync: async () => {
      for (const file of written) await use(file, (handle) => handle.sync())
      written.clear()
      await syncDirectory(join(directory, metainfo.name))
    },

    closeIdle: async () => {
      const idle = [...opened].filter(([, entry]) => entry.users === 0 && !entry.used)
      for (const entry of opened.values()) entry.used = false
      await Promise.all(idle.map(([file, entry]) => closeFile(file, entry)))
    },

    closeAll,

    close: async () => {
      closed = true
      await Promise.all([...opened].map(([file, entry]) => closeFile(file, entry)))
    },
  }
}

/** For one torrent: a pack may be kept in thousands of files, and a process has so many handles. */
const OPEN_FILES_MAX = 64
const READ_FLAGS = constants.O_RDONLY
/** Creates, but never follows a link at the file itself: unverified bytes stay in their own folder. */
const WRITE_FLAGS = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0)
