// What a machine with older releases lacks of a new one, by the indexes alone: before anything is looked at or fetched.
import { type BundleIndex, gapsOf } from './bundle-index.ts'
import { DIGEST_BYTES, digestTableOf } from './digest-table.ts'

/**
 * Bytes of the pack that the older releases do not give, if they are all there and whole: of frames that no older pack has and
 * that have a gap, or a chunk which no older tree has.
 */
export const lackingBytesOf = (newer: BundleIndex, older: readonly BundleIndex[]): number => {
  const hasFrame = rowsFoundIn(
    newer.frames.digests,
    older.map(({ frames }) => frames.digests),
  )
  const hasChunk = rowsFoundIn(
    newer.chunks.digests,
    older.map(({ chunks }) => chunks.digests),
  )
  const hasGap = new Set(gapsOf(newer).map(({ frame }) => frame))
  const { packedLengths, firstChunks } = newer.frames
  let lacking = 0
  for (const [frame, packedLength] of packedLengths.entries()) {
    if (hasFrame[frame] === 1) continue
    const isMade = !hasGap.has(frame) && !hasChunk.subarray(firstChunks[frame], firstChunks[frame + 1]).includes(0)
    if (!isMade) lacking += packedLength
  }
  return lacking
}

/** For each row of a column of digests, 1 if it is in one of the others. */
const rowsFoundIn = (digests: Uint8Array, others: readonly Uint8Array[]): Uint8Array => {
  const table = digestTableOf(digests)
  const isFound = new Uint8Array(digests.length / DIGEST_BYTES)
  for (const other of others) {
    for (let row = 0; row < other.length / DIGEST_BYTES; row += 1) {
      const found = table.find(other, row)
      if (found !== -1) isFound[found] = 1
    }
  }
  return isFound
}
