// Writes a pack: fresh frames first, then those that were only packed anew, then what is carried over from the previous
// pack, byte for byte. So a machine that has the previous release lacks nothing but the beginning.
import { createHash } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { fromFileSystem, UpdateError } from '../errors.ts'
import { writeFully } from '../files/whole.ts'
import type { FrameRow } from './bundle-index.ts'

export interface PackFile extends AsyncDisposable {
  addFresh(packed: Uint8Array): Promise<void>
  addReframed(packed: Uint8Array): Promise<void>
  /** Ends the other two kinds. Errors: BUNDLE_INVALID if the frame is not what the previous index says. */
  addCarried(packPath: string, frame: FrameRow): Promise<void>
  /** Gives the pack its name, once all of it is on the disk. */
  finish(): Promise<void>
}

const COPY_BYTES = 1024 * 1024

/**
 * A pack that comes to be at `path`; until it is finished, only files with other names are beside it, and disposing of it
 * removes those.
 *
 * Errors: DISK_FULL, PERMISSION, IO, from this and from every method.
 */
export const createPackFile = async (path: string): Promise<PackFile> => {
  const pack = await createPart(`${path}.partial`)
  const reframed = await createPart(`${path}.reframed`).catch(async (error) => {
    await pack.remove()
    throw error
  })
  const blocks = [Buffer.allocUnsafeSlow(COPY_BYTES), Buffer.allocUnsafeSlow(COPY_BYTES)]
  let isCarrying = false
  const endNew = async (): Promise<void> => {
    if (isCarrying) return
    isCarrying = true
    for (let at = 0; at < reframed.lengthBytes(); at += COPY_BYTES) {
      await pack.append(await reframed.read(at, Math.min(COPY_BYTES, reframed.lengthBytes() - at)))
    }
  }
  return {
    addFresh: pack.append,
    addReframed: reframed.append,
    addCarried: async (packPath, frame) => {
      await endNew()
      await copyCarried(packPath, frame, { blocks, append: pack.append })
    },
    finish: async () => {
      await endNew()
      await pack.moveTo(path)
    },
    [Symbol.asyncDispose]: async () => {
      await pack.remove()
      await reframed.remove()
    },
  }
}

interface Part {
  append(bytes: Uint8Array): Promise<void>
  read(position: number, lengthBytes: number): Promise<Buffer>
  lengthBytes(): number
  moveTo(path: string): Promise<void>
  remove(): Promise<void>
}

const createPart = async (path: string): Promise<Part> => {
  const attempt = async <T>(what: () => Promise<T>): Promise<T> => {
    try {
      return await what()
    } catch (error) {
      throw fromFileSystem(error, `cannot write ${path}`)
    }
  }
  await attempt(() => rm(path, { force: true }))
  const file = await attempt(() => open(path, 'wx+', 0o644))
  let length = 0
  return {
    append: async (bytes) => {
      await attempt(() => writeFully(file, bytes, length))
      length += bytes.length
    },
    read: async (position, lengthBytes) => {
      const bytes = Buffer.allocUnsafeSlow(lengthBytes)
      return bytes.subarray(0, await attempt(() => readFully(file, position, bytes)))
    },
    lengthBytes: () => length,
    moveTo: async (to) =>
      await attempt(async () => {
        await file.sync()
        await file.close()
        await rename(path, to)
      }),
    remove: async () => {
      await file.close()
      await rm(path, { force: true })
    },
  }
}

/** Fills `into` as far as the file reaches; returns how many bytes that were. */
const readFully = async (file: FileHandle, position: number, into: Uint8Array): Promise<number> => {
  let done = 0
  while (done < into.length) {
    const { bytesRead } = await file.read(into, done, into.length - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return done
}

interface CarryInto {
  readonly blocks: readonly Buffer[]
  readonly append: (bytes: Uint8Array) => Promise<void>
}

/** One of two blocks is read while the other is hashed and written: nothing waits for the disk and for the hash in turn. */
const copyCarried = async (packPath: string, frame: FrameRow, { blocks, append }: CarryInto): Promise<void> => {
  const { offset, packedLength, sha256 } = frame
  const digest = createHash('sha256')
  await using file = await openPrevious(packPath)
  const readAt = async (at: number, number: number): Promise<Uint8Array> => {
    const block = blocks[number % 2]?.subarray(0, Math.min(COPY_BYTES, packedLength - at)) ?? new Uint8Array()
    try {
      return block.subarray(0, await readFully(file, offset + at, block))
    } catch (error) {
      throw fromFileSystem(error, `cannot read the previous pack ${packPath}`)
    }
  }
  let next = readAt(0, 0)
  for (let at = 0, number = 1; at < packedLength; number += 1) {
    const bytes = await next
    if (bytes.length < Math.min(COPY_BYTES, packedLength - at)) throw damaged(packPath, frame)
    at += bytes.length
    if (at < packedLength) next = readAt(at, number)
    next.catch(() => {}) // It is thrown in its turn, if that comes.
    const written = append(bytes)
    digest.update(bytes)
    await written
  }
  if (!digest.digest().equals(sha256)) throw damaged(packPath, frame)
}

const openPrevious = async (path: string): Promise<FileHandle> => {
  try {
    return await open(path)
  } catch (error) {
    throw fromFileSystem(error, `cannot read the previous pack ${path}`)
  }
}

const damaged = (packPath: string, { number }: FrameRow): UpdateError =>
  new UpdateError('BUNDLE_INVALID', `frame ${number} of the previous pack ${packPath} is not what its index says`, {
    hint: 'restore the pack from any machine that has the release',
  })
