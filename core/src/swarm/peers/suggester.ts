// A seed tells each peer which pieces to take from it (BEP 6, suggest), a different selection for each, so that it sends
// every piece once before it sends any twice, and peers have something to exchange from the first second on.
//
// What super-seeding (BEP 16) achieves by hiding pieces, and without its risk: a peer that does not listen, or is in need
// of another piece, takes what it wants.
import type { Link } from './link.ts'

export interface Suggester {
  add(link: Link): void
  remove(link: Link): void
  onShown(link: Link, indexes: readonly number[]): void
  onHidden(index: number): void
  /** The peer has begun to take the piece. */
  onRequested(link: Link, index: number): void
  /** Nobody has the piece, and nobody else was told to take it. */
  isFirstCopy(link: Link, index: number): boolean
}

export interface SuggesterOptions {
  readonly pieces: number
  readonly pieceLength: number
  /** From 0 up to 1, as Math.random. */
  readonly random: () => number
}

/** What is suggested ahead of what a peer has begun to take: it never has to choose by itself, and little to give back. */
const AHEAD_BYTES = 512 * 1024
const AHEAD_MAX = 32
const AHEAD_MIN = 2

export const createSuggester = ({ pieces, pieceLength, random }: SuggesterOptions): Suggester => {
  const ahead = Math.max(AHEAD_MIN, Math.min(AHEAD_MAX, Math.ceil(AHEAD_BYTES / pieceLength)))
  /** For each piece, how many peers have it. */
  const holders = new Uint16Array(pieces)
  /** Pieces that nobody has yet, and the one peer that was told to take each. */
  const takers = new Map<number, Link>()
  /** Those that a peer was told and has not begun to take. */
  const waiting = new Map<Link, Set<number>>()

  /** The pieces that nobody has and nobody was told to take, each once, in random order. */
  const unclaimed = new Set(shuffled(pieces, random))

  const choose = (): number | undefined => {
    for (const index of unclaimed) {
      unclaimed.delete(index)
      if (holders[index] === 0 && !takers.has(index)) return index
    }
    return undefined
  }

  /** From the peer that is furthest behind: everything is out, or told to somebody. */
  const takeBack = (): number | undefined => {
    let longest: Set<number> = new Set()
    for (const told of waiting.values()) if (told.size > longest.size) longest = told
    // The one that it would come to last. A single one is about to be asked for.
    const index = longest.size > 1 ? [...longest].at(-1) : undefined
    if (index !== undefined) longest.delete(index)
    return index
  }

  const refill = (link: Link): void => {
    const told = waiting.get(link)
    // One peer alone needs no advice: it takes everything anyway.
    if (told === undefined || waiting.size < 2 || !link.wire.hasFast) return
    while (told.size < ahead) {
      const index = choose() ?? (told.size === 0 ? takeBack() : undefined)
      if (index === undefined) return
      told.add(index)
      takers.set(index, link)
      link.wire.suggest(index)
    }
  }

  /** Nobody is to take it any more, or somebody has it. */
  const release = (index: number): Link | undefined => {
    const taker = takers.get(index)
    takers.delete(index)
    if (taker !== undefined) waiting.get(taker)?.delete(index)
    return taker
  }

  return {
    add: (link) => {
      waiting.set(link, new Set())
      for (const other of waiting.keys()) refill(other)
    },
    remove: (link) => {
      if (!waiting.delete(link)) return
      for (const [index, taker] of takers) {
        if (taker !== link) continue
        takers.delete(index)
        unclaimed.add(index)
      }
      for (let index = 0; index < pieces; index += 1) if (link.has(index)) lose(index)
      for (const other of waiting.keys()) refill(other)
    },
    onShown: (link, indexes) => {
      if (!waiting.has(link)) return
      for (const index of indexes) {
        holders[index] = (holders[index] ?? 0) + 1
        const taker = release(index)
        if (taker !== undefined) refill(taker)
      }
      refill(link)
    },
    onHidden: (index) => lose(index),
    onRequested: (link, index) => {
      if (waiting.get(link)?.delete(index) === true) refill(link)
    },
    isFirstCopy: (link, index) => holders[index] === 0 && (takers.get(index) ?? link) === link,
  }

  function lose(index: number): void {
    holders[index] = Math.max(0, (holders[index] ?? 0) - 1)
    if (holders[index] === 0) unclaimed.add(index)
  }
}

const shuffled = (count: number, random: () => number): number[] => {
  const order: number[] = []
  for (let index = 0; index < count; index += 1) {
    const place = Math.floor(random() * (index + 1))
    order.push(order[place] ?? index)
    order[place] = index
  }
  return order
}
