// Where in the source the like of each stretch of a target should lie, told by the two indexes alone: before a byte of either is
// read. Only whoever makes a patch asks; a wrong answer costs a few bytes of the patch. Pure.
import type { BundleIndex } from '../bundle-index.ts'
import { digestTableOf } from '../digest-table.ts'
import { makeFinder } from '../find-chunk.ts'
import type { Sequence } from './sequence.ts'

/**
 * For each row of `target` a position in `source`: that of what stood at the same part of the same file; in a file that is new,
 * behind what stands in front of it.
 */
export const likePositions = (
  older: BundleIndex,
  source: Sequence,
  newer: BundleIndex,
  target: Sequence,
): Float64Array => {
  const positionOfOld = positionsOfChunks(older, source)
  const rowOfNew = rowsOfChunks(newer, target)
  const olds = digestTableOf(older.chunks.digests)
  const lengthsBefore = new Map(older.files.map((file) => [file.path, file.kind === 'file' ? file.lengthBytes : 0]))
  const findAt = makeFinder(older)
  const like = new Float64Array(target.lengths.length).fill(-1)
  let position = 0
  for (const file of newer.files) {
    if (file.kind !== 'file') continue
    // A file that has grown has mostly grown everywhere.
    const scale = file.lengthBytes === 0 ? 0 : (lengthsBefore.get(file.path) ?? 0) / file.lengthBytes
    let offset = 0
    for (const chunk of newer.references.subarray(file.firstReference, file.firstReference + file.referenceCount)) {
      const same = scale === 0 ? -1 : findAt(file.path, Math.floor(offset * scale))
      const old = same === -1 ? olds.find(newer.chunks.digests, chunk) : same
      if (old !== -1) position = positionOfOld[old] ?? 0
      const row = rowOfNew[chunk] ?? -1
      if (row !== -1 && like[row] === -1) like[row] = position
      const lengthBytes = newer.chunks.lengths[chunk] ?? 0
      position = Math.min(position + lengthBytes, source.lengthBytes)
      offset += lengthBytes
    }
  }
  // Gaps were chunks once; where is not known.
  return like.fill(position, target.chunks.length)
}

const positionsOfChunks = (index: BundleIndex, sequence: Sequence): Float64Array => {
  const positions = new Float64Array(index.chunks.count)
  for (const [row, chunk] of sequence.chunks.entries()) positions[chunk] = sequence.positions[row] ?? 0
  return positions
}

/** For each chunk its row in the sequence, or -1. */
const rowsOfChunks = (index: BundleIndex, { chunks }: Sequence): Int32Array => {
  const rows = new Int32Array(index.chunks.count).fill(-1)
  for (const [row, chunk] of chunks.entries()) rows[chunk] = row
  return rows
}
