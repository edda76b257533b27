// Random numbers that can be had again: the same seed gives the same row.
import { createHash } from 'node:crypto'

/** A whole number from 0 on, below the one that is given. */
export type Random = (below: number) => number

export const randomOf = (seed: number): Random => {
  let state = createHash('sha256').update(String(seed)).digest().readUInt32LE(0) | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}
