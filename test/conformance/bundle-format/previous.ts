// The previous release, as the making of the next one asks for it: its frames with their contents, and which of its chunks
// was where.
import { at, type Bundle, type BundleIndex, type Chunk, type Frame } from './model.ts'
import { readIndex } from './read-index.ts'
import { decompress } from './zstd.ts'

export interface Previous {
  readonly index: BundleIndex
  /** By digest. */
  readonly chunks: ReadonlyMap<string, Chunk>
  readonly packedOf: (frame: Frame) => Buffer
  readonly contentOf: (frame: Frame) => Buffer
  /** The chunk that held an offset of a file. */
  readonly chunkAt: (path: string, offset: number) => Chunk | undefined
}

export const openPrevious = ({ index: bytes, pack }: Bundle): Previous => {
  const index = readIndex(bytes)
  const packedOf = ({ packOffset, packedBytes }: Frame) => pack.subarray(packOffset, packOffset + packedBytes)
  const contentOf = (frame: Frame): Buffer => {
    const dictionary = frame.base === undefined ? undefined : contentOf(at(index.frames, frame.base))
    return decompress(packedOf(frame), { length: frame.lengthBytes, windowLogMax: 24, dictionary })
  }
  const files = new Map(index.entries.map((entry) => [entry.path, entry.kind === 'file' ? entry.chunks : []]))
  const chunkAt = (path: string, offset: number): Chunk | undefined => {
    let end = 0
    for (const number of files.get(path) ?? []) {
      const chunk = at(index.chunks, number)
      end += chunk.lengthBytes
      if (offset < end) return chunk
    }
    return undefined
  }
  return { index, chunks: new Map(index.chunks.map((chunk) => [chunk.digest, chunk])), packedOf, contentOf, chunkAt }
}
