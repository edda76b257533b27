// Keeps what the whole swarm sends or receives below a rate, by asking for less instead of slowing streams down. Costs
// nothing while there is no limit. webtorrent's own limiter copies every byte through a stream, limit or not.

export interface RateLimiter extends Disposable {
  /** True while something may be sent. One sender may go over by what it sends at once; the others then wait longer. */
  isReady(): boolean
  spend(bytes: number): void
  /** Calls back once, when `isReady` is true again. */
  whenReady(callback: () => void): void
  /** Another rate from now on, in bytes per second; undefined is without limit. */
  limitTo(bytesPerSecond: number | undefined): void
  /** Everything that was spent. */
  readonly spentBytes: number
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
  let rate = bytesPerSecond
  let tokens = (rate ?? 0) * BURST_SECONDS
  let filledAt = now()
  let spentBytes = 0
  let timer: NodeJS.Timeout | undefined
  const waiting = new Set<() => void>()

  const fill = (): void => {
    const time = now()
    if (rate !== undefined) tokens = Math.min(rate * BURST_SECONDS, tokens + ((time - filledAt) / 1000) * rate)
    filledAt = time
  }

  const isReady = (): boolean => {
    if (rate === undefined) return true
    fill()
    return tokens > 0
  }

  const wake = (): void => {
    timer = undefined
    // A timer may fire a moment early, and whole milliseconds may leave the bucket at exactly nothing.
    if (!isReady()) {
      arm()
      return
    }
    const callbacks = [...waiting]
    waiting.clear()
    for (const callback of callbacks) callback()
  }

  const arm = (): void => {
    const waitMs = rate === undefined ? 0 : Math.max(PAUSE_MS, (-tokens / rate) * 1000)
    timer ??= setTimeout(wake, waitMs)
  }

  return {
    isReady,
    spend: (bytes) => {
      spentBytes += bytes
      if (rate === undefined) return
      fill()
      tokens -= bytes
    },
    whenReady: (callback) => {
      if (rate === undefined) {
        callback()
        return
      }
      waiting.add(callback)
      fill()
      arm()
    },
    limitTo: (next) => {
      if (next === rate) return
      fill()
      // What was spent too much under another rate is paid back in the same time.
      tokens = rate === undefined || next === undefined ? 0 : (tokens / rate) * next
      rate = next
      if (waiting.size === 0) return
      clearTimeout(timer)
      timer = undefined
      arm()
    },
    get spentBytes() {
      return spentBytes
    },
    [Symbol.dispose]: () => {
      clearTimeout(timer)
      waiting.clear()
    },
  }
}
