// A pack that is being filled, frame by frame, in either of its shapes. What is not filled is a hole in the end.
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { systemCodeOf } from '../errors.ts'
import { syncDirectory } from '../files/atomic.ts'
import { tryLink, writeFully } from '../files/whole.ts'
import { type BundleIndex, type FrameRow, frameOf, packLengthOf } from './bundle-index.ts'
import { isFramesFolder, placeOf } from './pack-place.ts'

export interface FilledPack extends AsyncDisposable {
  /** `source` is a file with nothing but the frame: it is linked to where that is possible. */
  put(frame: FrameRow, packed: Uint8Array, source?: string): Promise<void>
  /** Brings everything to its length and to the disk. */
  finish(): Promise<void>
}

/** What is at `packPath` is replaced. Errors: those of the file system. */
export const createFilledPack = async (index: BundleIndex, packPath: string): Promise<FilledPack> => {
  await rm(packPath, { recursive: true, force: true })
  return isFramesFolder(packPath) ? await createFolder(index, packPath) : await createFile(index, packPath)
}

const createFile = async (index: BundleIndex, packPath: string): Promise<FilledPack> => {
  const file = await open(packPath, 'wx+', 0o600)
  await file.truncate(packLengthOf(index))
  return {
    put: ({ offset }, packed) => writeFully(file, packed, offset),
    finish: () => file.sync(),
    [Symbol.asyncDispose]: () => file.close(),
  }
}

const createFolder = async (index: BundleIndex, packPath: string): Promise<FilledPack> => {
  await mkdir(packPath, { mode: 0o700 })
  const put = async (path: string, fill: (file: FileHandle) => Promise<void>): Promise<void> => {
    await using file = await open(path, 'wx', 0o600)
    await fill(file)
    await file.sync()
  }
  return {
    put: async (frame, packed, source) => {
      const { path } = placeOf(packPath, frame)
      if (source !== undefined && (await tryLink(source, path))) return
      await put(path, (file) => writeFully(file, packed, 0))
    },
    finish: async () => {
      for (let number = 0; number < index.frames.count; number += 1) {
        const frame = frameOf(index, number)
        await put(placeOf(packPath, frame).path, (file) => file.truncate(frame.packedLength)).catch(
          (error: unknown) => {
            if (systemCodeOf(error) !== 'EEXIST') throw error // It was put there, or the pack has it twice.
          },
        )
      }
      await syncDirectory(packPath)
    },
    [Symbol.asyncDispose]: async () => {},
  }
}
