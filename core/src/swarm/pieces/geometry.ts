// Where pieces and blocks lie: lengths and offsets of a torrent, computed from its metainfo (BEP 3).
import type { Metainfo } from '../metainfo.ts'

/** What is asked for in one request. Larger requests are refused by most peers. */
export const BLOCK_LENGTH = 16 * 1024

export interface FilePart {
  /** Index into the metainfo's files. */
  readonly file: number
  /** Byte in the file. */
  readonly offset: number
  readonly length: number
}

export interface Geometry {
  readonly pieces: number
  pieceLengthOf(index: number): number
  /** The parts of files that `length` bytes from `offset` of the whole torrent lie in, in order. */
  partsOf(offset: number, length: number): readonly FilePart[]
}

export const geometryOf = ({ files, lengthBytes, pieceLength }: Metainfo): Geometry => {
  const pieces = Math.ceil(lengthBytes / pieceLength)
  let end = 0
  const starts = files.map((file) => {
    end += file.lengthBytes
    return end - file.lengthBytes
  })
  return {
    pieces,
    pieceLengthOf: (index) => Math.min(pieceLength, lengthBytes - index * pieceLength),
    partsOf: (offset, length) => {
      const parts: FilePart[] = []
      for (const [file, { lengthBytes: fileLength }] of files.entries()) {
        const start = starts[file] ?? 0
        const from = Math.max(offset, start)
        const to = Math.min(offset + length, start + fileLength)
        if (from < to) parts.push({ file, offset: from - start, length: to - from })
      }
      return parts
    },
  }
}
