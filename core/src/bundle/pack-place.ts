// Where the packed bytes of a frame are on this disk. A pack is one file, as it is published; or a folder with a file for each
// frame, named by its SHA-256, so that packs that have a frame in common share it by a hard link and store it once.
import { join } from 'node:path'
import { type BundleIndex, type FrameRow, frameOf } from './bundle-index.ts'

/** A pack at a path that ends like this is a folder of frames. */
const FOLDER_SUFFIX = '.frames'

export const isFramesFolder = (packPath: string): boolean => packPath.endsWith(FOLDER_SUFFIX)

export interface FramePlace {
  readonly path: string
  /** Where the frame begins in the file. */
  readonly offset: number
}

export const placeOf = (packPath: string, { offset, sha256 }: Pick<FrameRow, 'offset' | 'sha256'>): FramePlace =>
  isFramesFolder(packPath) ? { path: join(packPath, frameFileName(sha256)), offset: 0 } : { path: packPath, offset }

/** The files of a folder of frames, in the order of the pack. */
export const frameFiles = (index: BundleIndex): readonly { readonly name: string; readonly lengthBytes: number }[] =>
  Array.from({ length: index.frames.count }, (_, number) => {
    const { sha256, packedLength } = frameOf(index, number)
    return { name: frameFileName(sha256), lengthBytes: packedLength }
  })

const frameFileName = (sha256: Uint8Array): string => Buffer.from(sha256).toString('hex')
