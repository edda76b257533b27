// What the swarm may send and receive at the moment: apart for this machine's own network and for what is outside of it, where
// it yields to others as well, or does not send at all. What the owner wants is decided elsewhere, and may change at any time.
import { createRateLimiter, type RateLimiter } from './rate-limiter.ts'
import type { SwarmTerms } from './swarm.ts'
import { createYielding, type Yielding } from './yielding.ts'

export interface Bandwidth extends Disposable {
  readonly up: Directed
  readonly down: Directed
  /** Peers outside are sent something at all. */
  readonly isOpenOutside: boolean
  readonly isYielding: boolean
  change(terms: SwarmTerms): void
  /** Delays of what was sent to a peer outside, and of what came from it: see yielding.ts. */
  delayed(peer: object, upMs: number, downMs: number): void
  /** Several times a second while there are peers, by as many as want: makes up its mind about the rates. */
  tick(): void
}

/** One direction. */
export interface Directed {
  of(source: { readonly isNear?: boolean }): RateLimiter
  readonly lan: RateLimiter
  readonly outside: RateLimiter
}

/** Often enough to make room within a second, and seldom enough that a delay is measured several times in between. */
const YIELD_EVERY_MS = 190

export const createBandwidth = (initial: SwarmTerms, now: () => number): Bandwidth => {
  const directed = (): Directed => {
    const [lan, outside] = [0, 1].map(() => createRateLimiter({ bytesPerSecond: undefined, now })) as [
      RateLimiter,
      RateLimiter,
    ]
    return { lan, outside, of: ({ isNear }) => (isNear === true ? lan : outside) }
  }
  const [up, down] = [directed(), directed()]
  let terms = initial
  let yielding: { readonly up: Yielding; readonly down: Yielding } | undefined
  let tickedAt = now()

  const apply = (): void => {
    up.lan.limitTo(terms.lanUploadLimit)
    down.lan.limitTo(terms.lanDownloadLimit)
    up.outside.limitTo(lower(terms.uploadLimit, yielding?.up.bytesPerSecond))
    down.outside.limitTo(lower(terms.downloadLimit, yielding?.down.bytesPerSecond))
  }

  const change = (next: SwarmTerms): void => {
    terms = next
    if (terms.yields === true) {
      yielding ??= { up: createYielding({ now }), down: createYielding({ now }) }
    } else {
      yielding = undefined
    }
    apply()
  }

  change(initial)
  return {
    up,
    down,
    get isOpenOutside() {
      return terms.sharesOutside !== false
    },
    get isYielding() {
      return yielding !== undefined
    },
    change,
    delayed: (peer, upMs, downMs) => {
      yielding?.up.sample(peer, upMs)
      yielding?.down.sample(peer, downMs)
    },
    tick: () => {
      if (yielding === undefined || now() - tickedAt < YIELD_EVERY_MS) return
      tickedAt = now()
      yielding.up.tick(up.outside.spentBytes)
      yielding.down.tick(down.outside.spentBytes)
      apply()
    },
    [Symbol.dispose]: () => {
      for (const { lan, outside } of [up, down]) {
        lan[Symbol.dispose]()
        outside[Symbol.dispose]()
      }
    },
  }
}

const lower = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined ? b : b === undefined ? a : Math.min(a, b)
