// Finds a rate at which transfers in the background leave the link to others: what they send stands in no queue that others
// have filled. Measures by delay, as LEDBAT does, and speaks of one direction of this machine's link. No network; the clock comes in.
//
// uTP does this in each connection, but moves a third of what TCP does here. TCP fills queues whoever is behind it; so the rate of
// all of them together is chosen, and the smallest of their delays tells of the link that they have in common: this machine's own.
//
// Source: RFC 6817 (LEDBAT): base delay, target, gain; its history of the base in minutes.

export interface Yielding {
  /** Undefined: nothing has shown yet that anybody is in the way. */
  readonly bytesPerSecond: number | undefined
  /** A delay that was measured with `peer`, in milliseconds; by clocks that need not agree, so only differences mean something. */
  sample(peer: object, delayMs: number): void
  /** At regular intervals; `movedBytes` is all that was moved so far. */
  tick(movedBytes: number): void
}

/** RFC 6817 allows 100 ms, but many routers have no longer a queue than that, and a full one is what has to be seen. */
const TARGET_MS = 50
/** At least this goes on, so that it is noticed when the link is free again. */
const FLOOR_BYTES_PER_SECOND = 16 * 1024
/** Without a queue nobody else is there: a tenth of the rate more with each interval. */
const FREE_MS = 8
const FREE_GAIN = 0.1
/** With one, slower than TCP comes back after a loss: what it has not taken yet must not be gone when it does. */
const GAIN_BYTES_PER_SECOND = 3 * 1024
/** The most that is given up in one interval. */
const LOSS = 0.4
/**
 * The delay without a queue shows only while nothing is queued, and TCP by itself never lets a queue run empty: so everything pauses
 * for a moment, soon after it has begun and then now and again. Source: LEDBAT++ (draft-irtf-iccrg-ledbat-plus-plus), slowdowns.
 */
const PAUSE_MS = 600
const FIRST_PAUSE_AFTER_MS = 1_500
const PAUSE_EVERY_MS = 20_000
/** Beyond what is really moved, a higher rate means nothing. */
const AHEAD = 1.5
/** Without an answer for so long, the queue is longer than that. */
const SILENT_MS = 1_000

const FORGET_SECONDS = 10

/** A machine that is busy answers late now and then: the least of so many intervals counts. Source: RFC 6817, current-delay filter. */
const INTERVALS = 3

const BASE_BUCKETS = 10
const BASE_BUCKET_MS = 60_000

interface Measured {
  /** The least delay of each of the last minutes, the latest first. */
  readonly buckets: number[]
  bucketSince: number
  /** The least of each of the last intervals, this one first; undefined is none. */
  latest: (number | undefined)[]
  sampledAt: number
}

export const createYielding = ({ now }: { readonly now: () => number }): Yielding => {
  const peers = new Map<object, Measured>()
  let rate: number | undefined
  let movedBefore = 0
  let tickedAt = now()
  /** What was moved, smoothed over about a second. */
  let speed = 0
  let pauseAt: number | undefined
  let isPausing = false

  const queueMs = (): number | undefined => {
    let least: number | undefined
    for (const [peer, { latest, buckets, sampledAt }] of peers) {
      if (now() - sampledAt > BASE_BUCKET_MS) peers.delete(peer)
      const some = latest.filter((delay) => delay !== undefined)
      if (some.length === 0) continue
      const queue = Math.min(...some) - Math.min(...buckets)
      least = Math.min(least ?? queue, queue)
    }
    return least
  }

  const isSilent = (): boolean => {
    let lastAt: number | undefined
    for (const { sampledAt } of peers.values()) lastAt = Math.max(lastAt ?? sampledAt, sampledAt)
    return lastAt !== undefined && now() - lastAt > SILENT_MS && now() - lastAt < 10 * SILENT_MS
  }

  /** Keeps the appointments with itself while anything is moved. What is measured in a pause only tells the base. */
  const pauses = (): boolean => {
    const time = now()
    if (peers.size === 0 || (speed < FLOOR_BYTES_PER_SECOND && !isPausing)) {
      pauseAt = undefined
      return false
    }
    pauseAt ??= time + FIRST_PAUSE_AFTER_MS
    if (!isPausing && time >= pauseAt) isPausing = true
    if (isPausing && time >= pauseAt + PAUSE_MS) {
      isPausing = false
      pauseAt = time + PAUSE_EVERY_MS
    }
    if (isPausing) for (const measured of peers.values()) measured.latest = []
    return isPausing
  }

  return {
    get bytesPerSecond() {
      return isPausing ? FLOOR_BYTES_PER_SECOND : rate
    },

    sample: (peer, delayMs) => {
      const time = now()
      const known = peers.get(peer)
      if (known === undefined) {
        peers.set(peer, { buckets: [delayMs], bucketSince: time, latest: [delayMs], sampledAt: time })
        return
      }
      known.latest[0] = Math.min(known.latest[0] ?? delayMs, delayMs)
      known.sampledAt = time
      if (time - known.bucketSince > BASE_BUCKET_MS) {
        known.bucketSince = time
        known.buckets.unshift(delayMs)
        known.buckets.length = Math.min(known.buckets.length, BASE_BUCKETS)
      }
      known.buckets[0] = Math.min(known.buckets[0] ?? delayMs, delayMs)
    },

    tick: (movedBytes) => {
      const seconds = Math.max(0.001, (now() - tickedAt) / 1000)
      if (seconds > FORGET_SECONDS) rate = undefined // Nothing was moved since; who knows who is there now.
      const latest = (movedBytes - movedBefore) / seconds
      speed += (latest - speed) * Math.min(1, seconds)
      tickedAt = now()
      movedBefore = movedBytes
      if (pauses()) return
      const queue = queueMs() ?? (isSilent() && speed > 0 ? 2 * TARGET_MS : undefined)
      for (const measured of peers.values()) {
        measured.latest.unshift(undefined)
        measured.latest.length = Math.min(measured.latest.length, INTERVALS)
      }
      if (queue === undefined) {
        if (peers.size === 0) rate = undefined // Nobody is left to measure with.
        return
      }
      const off = Math.max(-1, Math.min(1, (TARGET_MS - queue) / TARGET_MS))
      if (off < 0) {
        const from = Math.min(rate ?? Number.POSITIVE_INFINITY, Math.max(speed, latest))
        rate = Math.max(FLOOR_BYTES_PER_SECOND, from * (1 + LOSS * off))
      } else if (rate !== undefined && rate < AHEAD * Math.max(speed, latest) + FLOOR_BYTES_PER_SECOND) {
        rate += (queue < FREE_MS ? rate * FREE_GAIN : 0) + GAIN_BYTES_PER_SECOND * off
      }
    },
  }
}
