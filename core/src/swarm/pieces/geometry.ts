// Where pieces and blocks lie: lengths and offsets of a torrent, computed from its metainfo (BEP 3).
import type { Metainfo, MetainfoFile } from '../metainfo.ts'

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

export const geometryOf = ({
  files,
  lengthBytes,
  pieceLength,
}: Pick<Metainfo, 'lengthBytes' | 'pieceLength'> & {
  readonly files: readonly Pick<MetainfoFile, 'lengthBytes'>[]
}): Geometry => {
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
      for (let file = lastStartingAt(starts, offset); (starts[file] ?? Infinity) < offset + length; file += 1) {
        const start = starts[file] ?? 0
        const from = Math.max(offset, start)
        const to = Math.min(offset + length, start + (files[file]?.lengthBytes ?? 0))
        if (from < to) parts.push({ file, offset: from - start, length: to - from })
      }
      return parts
    },
  }
}

/** The last file that begins at or before `offset`: there may be thousands. */
const lastStartingAt = (starts: readonly number[], offset: number): number => {
  let low = 0
  let high = starts.length
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if ((starts[middle] ?? 0) <= offset) low = middle
    else high = middle
  }
  return low
}
