// A seed tells each peer which pieces to take from it (BEP 6, suggest), a different selection for each, so that it sends
// every piece once before it sends any twice, and peers have something to exchange from the first second on.
//
// What super-seeding (BEP 16) achieves by hiding pieces, and without its risk: a peer that does not listen, or is in need
// of another piece, takes what it wants.
import type { Link } from './link.ts'

export interface Suggester {
  add(link: Link): void
  remove(link: Link): void
  onShown(link: Link, indexes: Iterable<number>): void
  onHidden(index: number): void
  /** Nobody has the piece, and nobody else has been told to take it. */
  isFirstCopy(link: Link, index: number): boolean
}

export interface SuggesterOptions {
  readonly pieces: number
  readonly pieceLength: number
  /** From 0 up to 1, as Math.random. */
  readonly random: () => number
}

/** What is suggested ahead: more than a peer has under way, so that it never has to choose by itself. */
const AHEAD_BYTES = 1024 * 1024
const AHEAD_MAX = 32
const AHEAD_MIN = 2

export const createSuggester = ({ pieces, pieceLength, random }: SuggesterOptions): Suggester => {
  const ahead = Math.max(AHEAD_MIN, Math.min(AHEAD_MAX, Math.ceil(AHEAD_BYTES / pieceLength)))
  /** For each piece, the peers that have it, and those that have been told to take it. */
  const holders = new Uint16Array(pieces)
  const takers = new Uint16Array(pieces)
  const suggested = new Map<Link, Set<number>>()

  const change = (counts: Uint16Array, index: number, by: 1 | -1): void => {
    counts[index] = Math.max(0, (counts[index] ?? 0) + by)
  }

  /** One of the least spread pieces that the peer lacks. */
  const choose = (link: Link, told: ReadonlySet<number>): number | undefined => {
    let best: number | undefined
    let bestSpread = Number.POSITIVE_INFINITY
    const start = Math.floor(random() * pieces)
    for (let step = 0; step < pieces && bestSpread > 0; step += 1) {
      const index = (start + step) % pieces
      const spread = (holders[index] ?? 0) + (takers[index] ?? 0)
      if (spread >= bestSpread || link.has(index) || told.has(index)) continue
      best = index
      bestSpread = spread
    }
    return best
  }

  const refill = (link: Link): void => {
    const told = suggested.get(link)
    // One peer alone needs no advice: it takes everything anyway.
    if (told === undefined || suggested.size < 2 || !link.wire.hasFast) return
    while (told.size < ahead) {
      const index = choose(link, told)
      if (index === undefined) return
      told.add(index)
      change(takers, index, 1)
      link.wire.suggest(index)
    }
  }

  return {
    add: (link) => {
      suggested.set(link, new Set())
      for (const other of suggested.keys()) refill(other)
    },
    remove: (link) => {
      for (const index of suggested.get(link) ?? []) change(takers, index, -1)
      if (!suggested.delete(link)) return
      for (let index = 0; index < pieces; index += 1) if (link.has(index)) change(holders, index, -1)
    },
    onShown: (link, indexes) => {
      const told = suggested.get(link)
      if (told === undefined) return
      for (const index of indexes) {
        change(holders, index, 1)
        if (told.delete(index)) change(takers, index, -1)
      }
      refill(link)
    },
    onHidden: (index) => change(holders, index, -1),
    isFirstCopy: (link, index) => {
      const own = suggested.get(link)?.has(index) === true ? 1 : 0
      return holders[index] === 0 && takers[index] === own
    },
  }
}
