// What a patch speaks of: the chunks of the older release as one long string of bytes, the source, and the chunks that only the
// newer release has as another one, the target. Both sides derive them from the two indexes, so neither is in the patch. Pure.
import { LIMITS } from '../../limits.ts'
import type { BundleIndex } from '../bundle-index.ts'
import { digestTableOf } from '../digest-table.ts'

/** Different chunks, in the order in which they occur in the files for the first time. */
export interface ChunkSequence {
  /** Their numbers in the index. */
  readonly chunks: Uint32Array
  /** Where each begins, and, as one more row, the length of the whole. */
  readonly starts: Float64Array
  readonly lengthBytes: number
}

/** Whole chunks of the target that are patched together. */
export interface Segment {
  /** Rows of the sequence. */
  readonly first: number
  readonly end: number
  /** Where it begins in the target. */
  readonly start: number
  readonly lengthBytes: number
}

export const sourceOf = (older: BundleIndex): ChunkSequence => sequenceOf(older, () => true)

export const targetOf = (newer: BundleIndex, older: BundleIndex): ChunkSequence => {
  const table = digestTableOf(older.chunks.digests)
  return sequenceOf(newer, (chunk) => table.find(newer.chunks.digests, chunk) === -1)
}

/** Each segment is as long as it can be. */
export const segmentsOf = ({ chunks, starts }: ChunkSequence): readonly Segment[] => {
  const segments: Segment[] = []
  for (let first = 0; first < chunks.length; ) {
    const start = starts[first] ?? 0
    let end = first + 1
    while (end < chunks.length && (starts[end + 1] ?? 0) - start <= LIMITS.frameLengthBytes) end += 1
    segments.push({ first, end, start, lengthBytes: (starts[end] ?? 0) - start })
    first = end
  }
  return segments
}

const sequenceOf = ({ chunks, references }: BundleIndex, isWanted: (chunk: number) => boolean): ChunkSequence => {
  const isSeen = new Uint8Array(chunks.count)
  const numbers: number[] = []
  for (const chunk of references) {
    if (isSeen[chunk] === 1) continue
    isSeen[chunk] = 1
    if (isWanted(chunk)) numbers.push(chunk)
  }
  const starts = new Float64Array(numbers.length + 1)
  for (const [row, chunk] of numbers.entries()) starts[row + 1] = (starts[row] ?? 0) + (chunks.lengths[chunk] ?? 0)
  return { chunks: Uint32Array.from(numbers), starts, lengthBytes: starts[numbers.length] ?? 0 }
}
