// Writes a pack: fresh frames first, then those that were only packed anew, then what is carried over from the previous
// pack, byte for byte. So a machine that has the previous release lacks nothing but the beginning.
import { hash } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { fromFileSystem, UpdateError } from '../errors.ts'
import { writeFully } from '../files/whole.ts'
import type { FrameRow } from './bundle-index.ts'
import { release } from './memory.ts'

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
      const packed = await readCarried(packPath, frame)
      await pack.append(packed)
      release(packed)
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
    read: async (position, lengthBytes) => await attempt(() => readFully(file, position, lengthBytes)),
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

/** The bytes there are, at most `lengthBytes`. */
const readFully = async (file: FileHandle, position: number, lengthBytes: number): Promise<Buffer> => {
  const bytes = Buffer.allocUnsafeSlow(lengthBytes)
  let done = 0
  while (done < lengthBytes) {
    const { bytesRead } = await file.read(bytes, done, lengthBytes - done, position + done)
    if (bytesRead === 0) break
    done += bytesRead
  }
  return bytes.subarray(0, done)
}

const readCarried = async (packPath: string, { number, offset, packedLength, sha256 }: FrameRow): Promise<Buffer> => {
  const packed = await readSlice(packPath, offset, packedLength)
  if (packed.length === packedLength && hash('sha256', packed, 'buffer').equals(sha256)) return packed
  throw new UpdateError(
    'BUNDLE_INVALID',
    `frame ${number} of the previous pack ${packPath} is not what its index says`,
    {
      hint: 'restore the pack from any machine that has the release',
    },
  )
}

const readSlice = async (path: string, position: number, lengthBytes: number): Promise<Buffer> => {
  try {
    await using file = await open(path)
    return await readFully(file, position, lengthBytes)
  } catch (error) {
    throw fromFileSystem(error, `cannot read the previous pack ${path}`)
  }
}
