// The check that every byte of the swarm passes: SHA-1 of whole pieces against the metainfo.
//
// On the main thread, on purpose: `crypto.subtle` hashes elsewhere, but copies every piece into fresh memory first. One
// GiB over one connection took 4.4 CPU seconds with it and 2.3 without, and half the time.
import { hash } from 'node:crypto'
import type { Metainfo } from '../metainfo.ts'
import { PIECE_HASH_BYTES } from '../piece-hashes.ts'
import { bitsFor, setBit } from './bits.ts'
import { geometryOf } from './geometry.ts'
import type { PieceFiles } from './piece-files.ts'

/** True if `bytes` are the piece with this index. */
export const isPiece = ({ pieceHashes }: Metainfo, index: number, bytes: Uint8Array): boolean => {
  const start = index * PIECE_HASH_BYTES
  return Buffer.compare(hash('sha1', bytes, 'buffer'), pieceHashes.subarray(start, start + PIECE_HASH_BYTES)) === 0
}

/** One piece is hashed while the next ones are read. */
const READS_AT_ONCE = 4

/**
 * Hashes every piece on disk. Gives the bits of those that are right; a piece that cannot be read is simply missing, and so is one
 * in a file that was just made: hashing 64 MiB of nothing kept a machine from its peers for a tenth of a second, and a swarm
 * of eight on two cores for half of one.
 */
export const checkPieces = async (metainfo: Metainfo, files: PieceFiles): Promise<Uint8Array> => {
  const { pieces, pieceLengthOf } = geometryOf(metainfo)
  const bits = bitsFor(pieces)
  let next = 0
  const check = async (): Promise<void> => {
    while (next < pieces) {
      const index = next
      next += 1
      if (files.isBlank(index)) continue
      const bytes = await files.read(index, 0, pieceLengthOf(index)).catch(() => undefined)
      if (bytes !== undefined && isPiece(metainfo, index, bytes)) setBit(bits, index)
    }
  }
  await Promise.all(Array.from({ length: READS_AT_ONCE }, check))
  return bits
}
