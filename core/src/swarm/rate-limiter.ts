// Keeps what the whole swarm sends or receives below a rate, by asking for less instead of slowing streams down. Costs
// nothing while there is no limit. webtorrent's own limiter copies every byte through a stream, limit or not.

export interface RateLimiter extends Disposable {
  /** True while something may be sent. One sender may go over by what it sends at once; the others then wait longer. */
  isReady(): boolean
  spend(bytes: number): void
  /** Calls back once, when `isReady` is true again. */
  whenReady(callback: () => void): void
}

export interface RateLimiterOptions {
  /** Undefined is without limit. */
  readonly bytesPerSecond: number | undefined
  readonly now?: () => number
}

/** What may be sent at once after a pause. Longer lets a limited link stutter, shorter costs timers. */
const BURST_SECONDS = 0.25

/** Shorter pauses cost timers; in longer ones, what is urgent cannot be told from what is not. */
const PAUSE_MS = 20

export const createRateLimiter = ({ bytesPerSecond, now = Date.now }: RateLimiterOptions): RateLimiter => {
  if (bytesPerSecond === undefined) {
    return { isReady: () => true, spend: () => {}, whenReady: (callback) => callback(), [Symbol.dispose]: () => {} }
  }
  const burst = bytesPerSecond * BURST_SECONDS
  let tokens = burst
  let filledAt = now()
  let timer: NodeJS.Timeout | undefined
  const waiting = new Set<() => void>()

  const fill = (): void => {
    const time = now()
    tokens = Math.min(burst, tokens + ((time - filledAt) / 1000) * bytesPerSecond)
    filledAt = time
  }

  const isReady = (): boolean => {
    fill()
    return tokens > 0
  }

  const arm = (): void => {
    const waitMs = Math.max(PAUSE_MS, (-tokens / bytesPerSecond) * 1000)
    timer ??= setTimeout(() => {
      timer = undefined
      // A timer may fire a moment early, and whole milliseconds may leave the bucket at exactly nothing.
      if (!isReady()) {
        arm()
        return
      }
      const callbacks = [...waiting]
      waiting.clear()
      for (const callback of callbacks) callback()
    }, waitMs)
  }

  return {
    isReady,
    spend: (bytes) => {
      fill()
      tokens -= bytes
    },
    whenReady: (callback) => {
      waiting.add(callback)
      fill()
      arm()
    },
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      waiting.clear()
    },
  }
}
