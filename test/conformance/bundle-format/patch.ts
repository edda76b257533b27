// "Patches" of docs/bundle-format.md: the target of a patch made of the older release's files, segment by segment.
import { columnReader, unzigzag } from './columns.ts'
import { assert, at, type BundleIndex, FRAME_BYTES } from './model.ts'
import type { TreeNode } from './unpack.ts'
import { decompress, packedLimit } from './zstd.ts'

const HEADER = Buffer.from('updelta\x01', 'latin1')
const SEGMENT_HEADER_BYTES = 20

/** Every chunk of the older release, in the order in which they occur in its files for the first time. */
export const sourceOf = (older: BundleIndex, tree: ReadonlyMap<string, TreeNode>): Buffer => {
  const seen = new Set<string>()
  const pieces: Buffer[] = []
  for (const entry of older.entries) {
    const node = tree.get(entry.path)
    if (entry.kind !== 'file' || node?.kind !== 'file') continue
    let offset = 0
    for (const number of entry.chunks) {
      const { digest, lengthBytes } = at(older.chunks, number)
      if (!seen.has(digest)) pieces.push(node.content.subarray(offset, offset + lengthBytes))
      seen.add(digest)
      offset += lengthBytes
    }
  }
  return Buffer.concat(pieces)
}

/** What the target is made of, in its order: chunks and gaps, and where the newer release has them. */
export interface Piece {
  readonly kind: 'chunk' | 'gap'
  readonly frame: number
  readonly offset: number
  readonly lengthBytes: number
}

export const targetPieces = (older: BundleIndex, newer: BundleIndex): Piece[] => {
  const seen = new Set(older.chunks.map(({ digest }) => digest))
  const pieces: Piece[] = []
  for (const entry of newer.entries) {
    for (const number of entry.kind === 'file' ? entry.chunks : []) {
      const { digest, frame, offset, lengthBytes } = at(newer.chunks, number)
      if (!seen.has(digest)) pieces.push({ kind: 'chunk', frame, offset, lengthBytes })
      seen.add(digest)
    }
  }
  const oldFrames = new Set(older.frames.map(({ digest }) => digest))
  const gaps = newer.frames.map(({ digest }, frame) => (oldFrames.has(digest) ? [] : gapsOf(newer, frame)))
  return [...pieces, ...gaps.flat()]
}

/** Bytes that are skipped before, between or after the chunks of a frame. */
const gapsOf = ({ chunks, frames }: BundleIndex, number: number): Piece[] => {
  const frame = at(frames, number)
  const own = chunks.slice(frame.firstChunk, frame.firstChunk + frame.chunkCount)
  const starts = [0, ...own.map(({ offset, lengthBytes }) => offset + lengthBytes)]
  const ends = [...own.map(({ offset }) => offset), frame.lengthBytes]
  return starts
    .map((offset, gap): Piece => ({ kind: 'gap', frame: number, offset, lengthBytes: at(ends, gap) - offset }))
    .filter(({ lengthBytes }) => lengthBytes > 0)
}

/** Whole pieces, each segment as long as can be within 8 MiB. */
const segmentBytes = (pieces: readonly Piece[]): number[] => {
  const segments: number[] = []
  for (const { lengthBytes } of pieces) {
    const last = segments.at(-1)
    if (last === undefined || last + lengthBytes > FRAME_BYTES) segments.push(lengthBytes)
    else segments[segments.length - 1] = last + lengthBytes
  }
  return segments
}

/** Gives the target; the caller compares each chunk with its SHA-256. */
export const applyPatch = (patch: Buffer, source: Buffer, pieces: readonly Piece[]): Buffer => {
  assert(patch.subarray(0, 8).equals(HEADER), 'not a patch of a version that we know')
  let offset = HEADER.length
  const segments = segmentBytes(pieces).map((lengthBytes) => {
    const end = offset + SEGMENT_HEADER_BYTES + patch.readUInt32LE(offset)
    assert(end <= patch.length, 'patch ends too early')
    const segment = applySegment(patch.subarray(offset, end), source, lengthBytes)
    offset = end
    return segment
  })
  assert(offset === patch.length, 'bytes after the last segment')
  return Buffer.concat(segments)
}

const applySegment = (segment: Buffer, source: Buffer, lengthBytes: number): Buffer => {
  const columnsBytes = segment.readUInt32LE(4)
  const dictionaryBytes = segment.readUInt32LE(8)
  const dictionaryAt = Number(segment.readBigUInt64LE(12))
  assert(columnsBytes <= 2 * lengthBytes + 64, 'columns are too long')
  assert(dictionaryBytes <= FRAME_BYTES && dictionaryAt + dictionaryBytes <= source.length, 'dictionary')
  const packed = segment.subarray(SEGMENT_HEADER_BYTES)
  assert(packed.length <= packedLimit(columnsBytes), 'frame is too long')
  const columns = decompress(packed, {
    length: columnsBytes,
    windowLogMax: 24,
    dictionary: dictionaryBytes === 0 ? undefined : source.subarray(dictionaryAt, dictionaryAt + dictionaryBytes),
  })
  return followColumns(columns, source, lengthBytes)
}

const followColumns = (columns: Buffer, source: Buffer, lengthBytes: number): Buffer => {
  const reader = columnReader(columns)
  const count = reader.number()
  const moves = reader.column(count)
  const copies = reader.column(count)
  const literals = reader.column(count)
  const pieces: Buffer[] = []
  const copied: number[] = []
  let from = 0
  let written = 0
  for (let operation = 0; operation < count; operation += 1) {
    const copyBytes = at(copies, operation)
    from += unzigzag(at(moves, operation))
    assert(copyBytes === 0 || (from >= 0 && from + copyBytes <= source.length), 'a copy reads beyond the source')
    assert(written + copyBytes + at(literals, operation) <= lengthBytes, 'an operation writes beyond the segment')
    for (let index = 0; index < copyBytes; index += 1) copied.push(written + index)
    pieces.push(Buffer.from(source.subarray(from, from + copyBytes)), reader.bytes(at(literals, operation)))
    from += copyBytes
    written += copyBytes + at(literals, operation)
  }
  assert(written === lengthBytes, 'a part of the segment is left out')
  const target = Buffer.concat(pieces)
  addChanges(reader, target, copied)
  reader.end()
  return target
}

/** `copied` are the places in the target that copies made, in order. */
const addChanges = (reader: ReturnType<typeof columnReader>, target: Buffer, copied: readonly number[]): void => {
  const count = reader.number()
  const skips = reader.column(count)
  const runs = reader.column(count)
  let end = 0
  for (let run = 0; run < count; run += 1) {
    const start = end + at(skips, run)
    end = start + at(runs, run)
    assert(end <= copied.length, 'a change beyond what was copied')
    reader.bytes(at(runs, run)).forEach((change, index) => {
      const place = at(copied, start + index)
      target[place] = ((target[place] ?? 0) + change) & 255
    })
  }
}
