// What a local network brings in once: pieces that a neighbour has, or is fetching from outside, are left to it by every source
// outside. Agents tell their neighbours what they are fetching from there (BEP 10, `ud_lan`). No disk; the clock comes in.
//
// What a neighbour says is a hint and costs little: one that does not deliver counts no more, after three seconds, until it does,
// and what it claims and does not bring, it holds up for a minute at most.
import type { BencodeDictionary } from '../bencode.ts'
import { type Extension, extend } from './extension-message.ts'
import type { Link } from './link.ts'

export interface Neighbours {
  /** There is somebody to share with. */
  readonly any: boolean
  /** Sources outside leave the piece alone: a neighbour has it, or is fetching it. */
  covers(index: number): boolean
  /** Each piece is one neighbour's to begin: all hear of it at the same moment, and only one is to ask for it. */
  isOurs(index: number): boolean
  /** Whoever was to begin it has had the time for that. */
  isAnybodys(index: number): boolean
  add(link: Link): void
  remove(link: Link): void
  onShown(link: Link, indexes: readonly number[]): void
  onHidden(link: Link, index: number): void
  /** A source outside was asked for a block of the piece. */
  begun(index: number): void
  /** Once a second, for each link. */
  judge(link: Link, isDelivering: boolean): void
  /** Once a second, at the end: what is still being fetched is said again. */
  tick(): void
}

export interface NeighboursOptions {
  readonly pieces: number
  readonly ownId: string
  readonly now: () => number
  /** A source outside was asked for it and has not sent all of it. */
  readonly isUnderWay: (index: number) => boolean
  /** A neighbour that goes before us is fetching it as well. */
  readonly onYielded: (index: number) => void
  /** Something may be free that was not before. */
  readonly onFreed: () => void
}

/** Longer than it takes to hear what a neighbour has begun, shorter than anyone notices. */
export const OTHERS_TURN_MS = 150
/** Said again every second; who says nothing is fetching it no more. */
const CLAIM_MS = 3_500
/** A piece over a slow way takes its time; then it is anybody's. */
const CLAIM_IN_ALL_MS = 60_000
/** Far more than is under way at once; what is beyond is not noted. */
const CLAIMS_PER_NEIGHBOUR_MAX = 2_048
/** Looks at it, a second apart, until a neighbour that does not deliver counts no more. */
const BAD_LOOKS = 3

interface Neighbour {
  readonly link: Link
  /** What it has is counted in `holders`. */
  isCounted: boolean
  badLooks: number
  /** When it first said that it is fetching a piece, kept until it has it, and how long that holds. */
  readonly claims: Map<number, { readonly since: number; until: number }>
}

export const createNeighbours = (options: NeighboursOptions): Neighbours => {
  const { pieces, ownId, now, isUnderWay, onYielded, onFreed } = options
  /** Of every peer: who is near may turn out later. */
  const extensions = new Map<Link, Extension>()
  const neighbours = new Map<Link, Neighbour>()
  const holders = new Uint16Array(pieces)
  /** When a source outside first had it; 0 is not yet. */
  const shownAt = new Float64Array(pieces)
  const own = new Set<number>()
  const unsaid = new Set<number>()
  /** 1 for each piece that is ours to begin; undefined until it is asked for, after who is here has changed. */
  let shares: Uint8Array | undefined

  const count = (neighbour: Neighbour, isCounted: boolean): void => {
    if (neighbour.isCounted === isCounted) return
    neighbour.isCounted = isCounted
    shares = undefined
    for (let index = 0; index < pieces; index += 1) {
      if (neighbour.link.has(index)) holders[index] = (holders[index] ?? 0) + (isCounted ? 1 : -1)
    }
  }

  const isClaimed = (index: number): boolean => {
    const time = now()
    for (const { isCounted, claims } of neighbours.values()) {
      const claim = isCounted ? claims.get(index) : undefined
      if (claim !== undefined && claim.until > time) return true
    }
    return false
  }

  const onMessage = (link: Link, { entries }: BencodeDictionary): void => {
    const neighbour = neighbours.get(link)
    const packed = entries.get('p')
    if (neighbour === undefined || !(packed instanceof Uint8Array)) return
    const view = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength)
    const time = now()
    for (let at = 0; at + 4 <= view.length; at += 4) {
      const index = view.readUInt32BE(at)
      const known = neighbour.claims.get(index)
      if (index >= pieces || (known === undefined && neighbour.claims.size >= CLAIMS_PER_NEIGHBOUR_MAX)) continue
      const since = known?.since ?? time
      neighbour.claims.set(index, { since, until: Math.min(time + CLAIM_MS, since + CLAIM_IN_ALL_MS) })
      if (known === undefined && link.peerId < ownId && isUnderWay(index)) onYielded(index)
    }
  }

  const say = (indexes: ReadonlySet<number>): void => {
    if (indexes.size === 0) return
    const packed = packedOf(indexes)
    for (const { link } of neighbours.values()) if (!link.isSeed) extensions.get(link)?.send({ p: packed })
  }

  const tellNews = (): void => {
    say(unsaid)
    unsaid.clear()
  }

  /** Highest random weight: each piece goes to whoever has the highest number for it, and all reckon the same. */
  const divide = (): Uint8Array => {
    const rivals = [...neighbours.values()].filter(
      ({ link, isCounted }) => isCounted && !link.isSeed && extensions.get(link)?.isUnderstood === true,
    )
    const seeds = rivals.map(({ link }) => seedOf(link.peerId))
    const ownSeed = seedOf(ownId)
    return Uint8Array.from({ length: pieces }, (_, index) => {
      const weight = weightOf(ownSeed, index)
      return seeds.every((seed) => weightOf(seed, index) < weight) ? 1 : 0
    })
  }

  return {
    get any() {
      for (const { isCounted } of neighbours.values()) if (isCounted) return true
      return false
    },
    covers: (index) => (holders[index] ?? 0) > 0 || isClaimed(index),
    isOurs: (index) => {
      shares ??= divide()
      return shares[index] === 1
    },
    isAnybodys: (index) => now() - (shownAt[index] ?? 0) >= OTHERS_TURN_MS,
    add: (link) => {
      if (!extensions.has(link))
        extensions.set(
          link,
          extend(link.wire, 'ud_lan', (message) => onMessage(link, message)),
        )
      if (!link.isNear || neighbours.has(link)) return
      const neighbour: Neighbour = { link, isCounted: false, badLooks: 0, claims: new Map() }
      neighbours.set(link, neighbour)
      count(neighbour, true)
      link.wire.on('extended', (kind: string) => {
        if (kind === 'handshake') shares = undefined // It may be one that shares.
      })
    },
    remove: (link) => {
      const neighbour = neighbours.get(link)
      if (neighbour !== undefined) count(neighbour, false)
      neighbours.delete(link)
      extensions.delete(link)
      onFreed()
    },
    onShown: (link, indexes) => {
      const neighbour = neighbours.get(link)
      if (neighbour === undefined) {
        const time = now()
        for (const index of indexes) shownAt[index] ||= time
        return
      }
      for (const index of indexes) {
        neighbour.claims.delete(index)
        if (neighbour.isCounted) holders[index] = (holders[index] ?? 0) + 1
      }
    },
    onHidden: (link, index) => {
      if (neighbours.get(link)?.isCounted === true) holders[index] = Math.max(0, (holders[index] ?? 0) - 1)
    },
    begun: (index) => {
      if (own.has(index) || neighbours.size === 0) return
      own.add(index)
      if (unsaid.size === 0) setImmediate(tellNews)
      unsaid.add(index)
    },
    judge: (link, isDelivering) => {
      const neighbour = neighbours.get(link)
      if (neighbour === undefined) return
      neighbour.badLooks = isDelivering ? 0 : neighbour.badLooks + 1
      count(neighbour, neighbour.badLooks < BAD_LOOKS)
    },
    tick: () => {
      if (neighbours.size === 0) return
      for (const index of own) if (!isUnderWay(index)) own.delete(index)
      say(own)
      onFreed()
    },
  }
}

/** Four bytes each, the most significant first. */
const packedOf = (indexes: ReadonlySet<number>): Buffer => {
  const packed = Buffer.alloc(indexes.size * 4)
  let at = 0
  for (const index of indexes) at = packed.writeUInt32BE(index, at)
  return packed
}

/** Peer ids of ours end in random digits. */
const seedOf = (peerId: string): number => Number.parseInt(peerId.slice(-8), 16) >>> 0

/** A mixture of both that looks like chance. Source: the finalizer of MurmurHash3. */
const weightOf = (seed: number, index: number): number => {
  let mixed = seed ^ Math.imul(index + 1, 0x9e3779b1)
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
