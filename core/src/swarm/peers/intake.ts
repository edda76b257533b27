// What one peer is asked for: which blocks, how many at once, and how fast they come.
import { BLOCK_LENGTH } from '../pieces/geometry.ts'
import type { BlockClaim } from '../pieces/picker.ts'
import type { Link } from './link.ts'

export interface Intake {
  readonly link: Link
  readonly claims: Set<BlockClaim>
  /** The claim for a block, if this peer was asked for it. */
  claimOf(index: number, offset: number): BlockClaim | undefined
  /** How many blocks may be asked for at once. */
  readonly window: number
  /** Pieces that it has and we lack. */
  readonly wanted: number
  /** It had a part in a verified piece, and in no bad one since. */
  isTrusted: boolean
  readonly bytesPerSecond: number
  /** When the last of what it was asked for may be expected, from now. */
  readonly delayMs: number
  readonly delayPerBlockMs: number
  /** How long it has sent nothing of what it was asked for, since it was asked or sent something. */
  readonly silentMs: number
  /** The same, but asking again does not start it anew. */
  readonly debtMs: number
  /** The picker's `openings` when it had nothing for this peer. */
  starvedAt: number | undefined
  want(change: 1 | -1): void
  asked(claim: BlockClaim): void
  received(bytes: number): void
  /** Once a second. */
  measure(): void
  /** Begins again with one block, after it was silent. */
  restart(): void
  /** It owes nothing any more: it chokes us. */
  forgive(): void
}

/** Two of the pieces that spread best, so that the next is under way while one is being verified. */
const WINDOW_FIRST = 16
const WINDOW_MIN = 4
/** What webtorrent, libtorrent and transmission accept at least, if a peer does not say how much it does (`reqq`). */
const WINDOW_MAX_UNKNOWN = 250
/** 8 MiB: more only fills buffers on the way. */
const WINDOW_MAX = 512

/** Blocks for this long at the measured speed are kept under way: more than a round trip anywhere on earth. */
const QUEUE_SECONDS = 0.5

export const createIntake = (link: Link, now: () => number): Intake => {
  const claims = new Set<BlockClaim>()
  let window = WINDOW_FIRST
  let isGrowing = true
  let wanted = 0
  let bytesPerSecond = 0
  let bytesNow = 0
  let measuredAt = now()
  let activeAt = now()
  let debtSince: number | undefined

  const windowMax = (): number => {
    const { reqq } = link.wire.peerExtendedHandshake
    const accepted = typeof reqq === 'number' && reqq > 0 ? reqq : WINDOW_MAX_UNKNOWN
    return Math.max(1, Math.min(WINDOW_MAX, accepted))
  }
  const silentMs = (): number => (claims.size === 0 ? 0 : now() - activeAt)
  const delayPerBlockMs = (): number => (bytesPerSecond === 0 ? silentMs() : (BLOCK_LENGTH / bytesPerSecond) * 1000)

  return {
    link,
    claims,
    claimOf: (index, offset) => {
      // Peers answer in the order of the questions, so it is nearly always the first.
      for (const claim of claims) {
        if (claim.piece.index === index && claim.block * BLOCK_LENGTH === offset) return claim
      }
      return undefined
    },
    isTrusted: false,
    starvedAt: undefined,
    get window() {
      return window
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

    want: (change) => {
      wanted += change
      if (wanted > 0) link.wire.interested()
      else link.wire.uninterested()
    },

    asked: (claim) => {
      if (claims.size === 0) activeAt = now()
      debtSince ??= now()
      claims.add(claim)
    },

    received: (bytes) => {
      activeAt = now()
      debtSince = claims.size === 0 ? undefined : now()
      bytesNow += bytes
      // As TCP starts: each block that comes lets one more be asked for, until that makes nothing faster.
      if (isGrowing) window = Math.min(windowMax(), window + 1)
    },

    measure: () => {
      const seconds = Math.max(0.001, (now() - measuredAt) / 1000)
      const latest = bytesNow / seconds
      if (isGrowing && bytesPerSecond > 0 && latest < bytesPerSecond * 1.1) isGrowing = false
      bytesPerSecond = bytesPerSecond === 0 ? latest : (bytesPerSecond + latest) / 2
      if (bytesPerSecond < 1) bytesPerSecond = 0
      measuredAt = now()
      bytesNow = 0
      if (isGrowing) return
      const wantedWindow = Math.ceil((QUEUE_SECONDS * bytesPerSecond) / BLOCK_LENGTH)
      window = Math.min(windowMax(), Math.max(WINDOW_MIN, wantedWindow))
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
