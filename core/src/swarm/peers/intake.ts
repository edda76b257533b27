// What one peer is asked for: which blocks, how many at once, and how fast they come.
import { BLOCK_LENGTH } from '../pieces/geometry.ts'
import type { BlockClaim } from '../pieces/picker.ts'
import type { Link } from './link.ts'

export interface Intake {
  readonly link: Link
  /** What it was asked for and has not sent, the oldest first. */
  readonly claims: Iterable<BlockClaim>
  readonly claimCount: number
  /** How many blocks may be asked for at once. */
  readonly window: number
  /** There is room for so many more that it is worth a packet. */
  readonly hasRoom: boolean
  /** Pieces that it has and we lack. */
  readonly wanted: number
  /** It had a part in a verified piece, and in no bad one since. */
  isTrusted: boolean
  /** Pieces that the peer would like us to take from it (BEP 6). */
  readonly suggested: Set<number>
  /** When it suggested something last. */
  advisedAt: number | undefined
  /** The picker's `openings` when it had nothing for this peer. */
  starvedAt: number | undefined
  readonly bytesPerSecond: number
  /** When the last of what it was asked for may be expected, from now. */
  readonly delayMs: number
  readonly delayPerBlockMs: number
  /** How long it has sent nothing of what it was asked for, since it was asked or sent something. */
  readonly silentMs: number
  /** The same, but asking again does not start it anew. */
  readonly debtMs: number
  /** The claim for a block, if this peer was asked for it. */
  claimOf(index: number, offset: number): BlockClaim | undefined
  want(change: 1 | -1): void
  asked(claim: BlockClaim): void
  received(claim: BlockClaim, bytes: number): void
  failed(claim: BlockClaim): void
  /** Once a second. */
  measure(): void
  /** Begins again with one block, after it was silent. */
  restart(): void
  /** It owes nothing any more: it chokes us. */
  forgive(): void
}

/**
 * Few, and doubled with each round trip while they come promptly: everything that a whole swarm asks a slow origin for at
 * once stands in one queue, and the first pieces, which the others wait for, come that much later.
 */
const WINDOW_FIRST = 4
const WINDOW_MIN = 4
const WINDOW_SHARED_MIN = 1
/** What webtorrent, libtorrent and transmission accept at least, if a peer does not say how much it does (`reqq`). */
const WINDOW_MAX_UNKNOWN = 250
/** 8 MiB: more only fills buffers on the way. */
const WINDOW_MAX = 512

/** Requests that leave by themselves are a packet each: so many go together, where that leaves most of the window under way. */
const TOGETHER = 4

/**
 * Blocks for this long at the measured speed are kept under way, beyond the way there and back. Longer, and a piece that
 * others wait for stands in a queue; shorter, and the link runs dry between two looks at it.
 */
const QUEUE_MS = 400

/** `isShared`: others on this side of the same uplink ask over it as well, so that a few blocks for each are seconds together. */
export const createIntake = (link: Link, now: () => number, isShared: () => boolean = () => false): Intake => {
  const claims = new Map<BlockClaim, number>()
  let window = isShared() ? WINDOW_SHARED_MIN : WINDOW_FIRST
  let isGrowing = true
  let wanted = 0
  let bytesPerSecond = 0
  let bytesNow = 0
  let measuredAt = now()
  let activeAt = now()
  let debtSince: number | undefined
  /** The shortest time that a block took: the way there and back, without any queue. */
  let roundTripMs = Number.POSITIVE_INFINITY

  const windowMax = (): number => {
    const { reqq } = link.wire.peerExtendedHandshake
    const accepted = typeof reqq === 'number' && reqq > 0 ? reqq : WINDOW_MAX_UNKNOWN
    return Math.max(1, Math.min(WINDOW_MAX, accepted))
  }
  const silentMs = (): number => (claims.size === 0 ? 0 : now() - activeAt)
  const delayPerBlockMs = (): number => (bytesPerSecond === 0 ? silentMs() : (BLOCK_LENGTH / bytesPerSecond) * 1000)

  return {
    link,
    get claims() {
      return claims.keys()
    },
    get claimCount() {
      return claims.size
    },
    suggested: new Set(),
    advisedAt: undefined,
    isTrusted: false,
    starvedAt: undefined,
    get window() {
      return window
    },
    get hasRoom() {
      return window - claims.size >= Math.max(1, Math.min(TOGETHER, Math.floor(window / 4)))
    },
    get wanted() {
      return wanted
    },
    get bytesPerSecond() {
      return bytesPerSecond
    },
    get delayPerBlockMs() {
      return delayPerBlockMs()
    },
    get delayMs() {
      return Math.max(silentMs(), claims.size * delayPerBlockMs())
    },
    get silentMs() {
      return silentMs()
    },
    get debtMs() {
      return debtSince === undefined ? 0 : now() - debtSince
    },

    claimOf: (index, offset) => {
      // Peers answer in the order of the questions, so it is nearly always the first.
      for (const claim of claims.keys()) {
        if (claim.piece.index === index && claim.block * BLOCK_LENGTH === offset) return claim
      }
      return undefined
    },

    want: (change) => {
      wanted += change
      if (wanted > 0) link.wire.interested()
      else link.wire.uninterested()
    },

    asked: (claim) => {
      const time = now()
      if (claims.size === 0) activeAt = time
      debtSince ??= time
      claims.set(claim, time)
    },

    received: (claim, bytes) => {
      const time = now()
      const tookMs = time - (claims.get(claim) ?? time)
      claims.delete(claim)
      activeAt = time
      debtSince = claims.size === 0 ? undefined : time
      bytesNow += bytes
      roundTripMs = Math.min(roundTripMs, tookMs)
      // As TCP starts: each block that comes lets one more be asked for, until they begin to stand in a queue.
      if (!isGrowing) return
      if (tookMs > roundTripMs + QUEUE_MS) isGrowing = false
      else window = Math.min(windowMax(), window + 1)
    },

    failed: (claim) => void claims.delete(claim),

    measure: () => {
      const seconds = Math.max(0.001, (now() - measuredAt) / 1000)
      const latest = bytesNow / seconds
      bytesPerSecond = bytesPerSecond === 0 ? latest : (bytesPerSecond + latest) / 2
      if (bytesPerSecond < 1) bytesPerSecond = 0
      measuredAt = now()
      bytesNow = 0
      if (isGrowing) return
      const wantedWindow = Math.ceil(((roundTripMs + QUEUE_MS) / 1000) * (bytesPerSecond / BLOCK_LENGTH))
      window = Math.min(windowMax(), Math.max(isShared() ? WINDOW_SHARED_MIN : WINDOW_MIN, wantedWindow))
    },

    restart: () => {
      window = 1
      isGrowing = true
      bytesPerSecond = 0
    },

    forgive: () => {
      debtSince = undefined
    },
  }
}
