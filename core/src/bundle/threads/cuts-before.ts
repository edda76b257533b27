// Cuts of a file where they were in the previous release: the same bytes are cut in the same places, so what has the digest of
// the chunk that stood there needs no search for its end. Only a saving: without it the chunks are the same.
import { hash } from 'node:crypto'
import type { ChunkSizes } from '../chunker.ts'
import { type DigestTable, digestAt, digestTableOf } from '../digest-table.ts'

/** A file of the previous release, which was cut by the same sizes. */
export interface CutsBefore {
  /** Of its chunks, in their order. */
  readonly lengths: Uint32Array
  /** SHA-256 of each, 32 bytes a row. */
  readonly digests: Uint8Array
  /** Of the whole. */
  readonly sha256: Uint8Array
}

export interface CutsFollower {
  /** The chunk that begins at `start`, if it is the expected one. `isLast` says that the file ends at `filled`. */
  take(block: Buffer, start: number, filled: number, isLast: boolean): Cut | undefined
  /** Tells of a chunk that had to be cut: behind one that is known, the next of that time is expected. */
  pass(digest: Uint8Array): void
  /** Whether all so far was as it was. */
  isSame(): boolean
  /** SHA-256 of the file, if all of it was as it was. */
  sha256(): Uint8Array | undefined
}

export interface Cut {
  readonly end: number
  readonly digest: Buffer
}

export const followCuts = ({ lengths, digests, sha256 }: CutsBefore, sizes: ChunkSizes): CutsFollower => {
  let next = 0
  let isSame = true
  let table: DigestTable | undefined
  return {
    take: (block, start, filled, isLast) => {
      const length = lengths[next] ?? 0
      const end = start + length
      if (length === 0 || length > sizes.maxBytes || end > filled) return undefined
      // The last one ended where the file did, whatever its bytes were.
      if (next === lengths.length - 1 && !(isLast && end === filled)) return undefined
      const digest = hash('sha256', block.subarray(start, end), 'buffer')
      if (!digest.equals(digestAt(digests, next))) return undefined
      next += 1
      return { end, digest }
    },
    pass: (digest) => {
      isSame = false
      table ??= digestTableOf(digests)
      const known = table.find(digest, 0)
      next = known === -1 ? lengths.length : known + 1
    },
    isSame: () => isSame,
    sha256: () => (isSame && next === lengths.length ? sha256 : undefined),
  }
}
