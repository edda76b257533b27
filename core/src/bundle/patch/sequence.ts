// What a patch speaks of: content of the older release as one long string of bytes, the source, and what the newer release has
// besides as another one, the target. Both sides derive them from the two indexes, so neither is in the patch. Pure.
import { LIMITS } from '../../limits.ts'
import { type BundleIndex, framesOfChunks, type Gap, gapsOf } from '../bundle-index.ts'
import { digestTableOf } from '../digest-table.ts'

/** Stretches of the content of frames, one row each, end to end: first chunks, then gaps. */
export interface Sequence {
  /** The frame that each is in. */
  readonly frames: Uint32Array
  /** Where it begins in the frame's content. */
  readonly starts: Uint32Array
  readonly lengths: Uint32Array
  /** Where it begins in the sequence, and, as one more row, the length of the whole. */
  readonly positions: Float64Array
  readonly lengthBytes: number
  /** Numbers of the chunks, which are as many of the first rows. */
  readonly chunks: Uint32Array
}

/** Rows of a sequence that follow one another. */
export interface Span {
  readonly first: number
  readonly end: number
}

/** Whole stretches of the target that are patched together. */
export interface Segment extends Span {
  /** Where it begins in the target. */
  readonly start: number
  readonly lengthBytes: number
}

/** Every chunk once, in the order in which they occur in the files for the first time. */
export const sourceOf = (older: BundleIndex): Sequence =>
  sequenceOf(
    older,
    chunksOf(older, () => true),
    [],
  )

/** Likewise the chunks that only the newer release has; then the gaps of the frames that only its pack has, in their order. */
export const targetOf = (newer: BundleIndex, older: BundleIndex): Sequence => {
  const chunks = digestTableOf(older.chunks.digests)
  const frames = digestTableOf(older.frames.digests)
  return sequenceOf(
    newer,
    chunksOf(newer, (chunk) => chunks.find(newer.chunks.digests, chunk) === -1),
    gapsOf(newer, (frame) => frames.find(newer.frames.digests, frame) === -1),
  )
}

/** Each segment is as long as it can be. */
export const segmentsOf = ({ positions }: Sequence): readonly Segment[] => {
  const segments: Segment[] = []
  const rows = positions.length - 1
  for (let first = 0; first < rows; ) {
    const start = positions[first] ?? 0
    let end = first + 1
    while (end < rows && (positions[end + 1] ?? 0) - start <= LIMITS.frameLengthBytes) end += 1
    segments.push({ first, end, start, lengthBytes: (positions[end] ?? 0) - start })
    first = end
  }
  return segments
}

const chunksOf = ({ chunks, references }: BundleIndex, isWanted: (chunk: number) => boolean): readonly number[] => {
  const isSeen = new Uint8Array(chunks.count)
  const numbers: number[] = []
  for (const chunk of references) {
    if (isSeen[chunk] === 1) continue
    isSeen[chunk] = 1
    if (isWanted(chunk)) numbers.push(chunk)
  }
  return numbers
}

const sequenceOf = (index: BundleIndex, chunks: readonly number[], gaps: readonly Gap[]): Sequence => {
  const rows = chunks.length + gaps.length
  const frames = new Uint32Array(rows)
  const starts = new Uint32Array(rows)
  const lengths = new Uint32Array(rows)
  const positions = new Float64Array(rows + 1)
  const frameOfChunk = framesOfChunks(index)
  for (const [row, chunk] of chunks.entries()) {
    frames[row] = frameOfChunk[chunk] ?? 0
    starts[row] = index.chunks.starts[chunk] ?? 0
    lengths[row] = index.chunks.lengths[chunk] ?? 0
  }
  for (const [at, gap] of gaps.entries()) {
    frames[chunks.length + at] = gap.frame
    starts[chunks.length + at] = gap.start
    lengths[chunks.length + at] = gap.lengthBytes
  }
  for (const [row, length] of lengths.entries()) positions[row + 1] = (positions[row] ?? 0) + length
  return {
    frames,
    starts,
    lengths,
    positions,
    lengthBytes: positions[rows] ?? 0,
    chunks: Uint32Array.from(chunks),
  }
}
