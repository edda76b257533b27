// What a machine with older releases lacks of a new one, by the indexes alone: before anything is looked at or fetched.
import { type BundleIndex, gapsOf, packLengthOf } from './bundle-index.ts'
import { DIGEST_BYTES, digestTableOf } from './digest-table.ts'

/** How the bytes of a bundle are divided in its torrent, which is the index and then the pack. */
export interface PieceLayout {
  readonly indexBytes: number
  readonly pieceLength: number
}

/**
 * Bytes that the older releases do not give, if they are all there and whole, in whole pieces: of frames that no older pack has
 * and that have a gap, or a chunk which no older tree has.
 */
export const lackingBytesOf = (
  newer: BundleIndex,
  older: readonly BundleIndex[],
  { indexBytes, pieceLength }: PieceLayout,
): number => {
  const hasFrame = rowsFoundIn(
    newer.frames.digests,
    older.map(({ frames }) => frames.digests),
  )
  const hasChunk = rowsFoundIn(
    newer.chunks.digests,
    older.map(({ chunks }) => chunks.digests),
  )
  const hasGap = new Set(gapsOf(newer).map(({ frame }) => frame))
  const { offsets, packedLengths, firstChunks } = newer.frames
  const pieces = new Set<number>()
  for (const [frame, packedLength] of packedLengths.entries()) {
    if (hasFrame[frame] === 1) continue
    const isMade = !hasGap.has(frame) && !hasChunk.subarray(firstChunks[frame], firstChunks[frame + 1]).includes(0)
    if (isMade) continue
    const start = indexBytes + (offsets[frame] ?? 0)
    const end = Math.ceil((start + packedLength) / pieceLength)
    for (let piece = Math.floor(start / pieceLength); piece < end; piece += 1) pieces.add(piece)
  }
  const lengthBytes = indexBytes + packLengthOf(newer)
  return [...pieces].reduce((sum, piece) => sum + Math.min(pieceLength, lengthBytes - piece * pieceLength), 0)
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
