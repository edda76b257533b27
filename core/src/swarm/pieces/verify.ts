// The check that every byte of the swarm passes: SHA-1 of whole pieces against the metainfo, off the main thread.

import type { Metainfo } from '../metainfo.ts'
import { PIECE_HASH_BYTES } from '../piece-hashes.ts'
import { bitsFor, setBit } from './bits.ts'
import { geometryOf } from './geometry.ts'
import type { PieceFiles } from './piece-files.ts'

/** True if `bytes` are the piece with this index. Node hashes on its thread pool, so that connections are not held up. */
export const isPiece = async (metainfo: Metainfo, index: number, bytes: Uint8Array<ArrayBuffer>): Promise<boolean> => {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', bytes))
  const start = index * PIECE_HASH_BYTES
  return Buffer.compare(digest, metainfo.pieceHashes.subarray(start, start + PIECE_HASH_BYTES)) === 0
}

/** As many as keep two cores busy while the disk reads on; each holds one piece in memory. */
const CHECKS_AT_ONCE = 4

/** Hashes every piece on disk. Gives the bits of those that are right; a piece that cannot be read is simply missing. */
export const checkPieces = async (metainfo: Metainfo, files: PieceFiles): Promise<Uint8Array> => {
  const { pieces, pieceLengthOf } = geometryOf(metainfo)
  const bits = bitsFor(pieces)
  let next = 0
  const check = async (): Promise<void> => {
    while (next < pieces) {
      const index = next
      next += 1
      const bytes = await files.read(index, 0, pieceLengthOf(index)).catch(() => undefined)
      if (bytes !== undefined && (await isPiece(metainfo, index, bytes))) setBit(bits, index)
    }
  }
  await Promise.all(Array.from({ length: CHECKS_AT_ONCE }, check))
  return bits
}
