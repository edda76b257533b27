// Tells the trackers of one torrent that we are here and learns who else is: at once, again soon while we are alone, and
// otherwise as seldom as the tracker wishes.
//
// Replaces torrent-discovery, which announces once and then waits for the tracker's interval, often half an hour: an agent
// whose first announce fails, or comes before anyone else's, would stay alone for that long (no upstream issue found).
import type { Endpoint } from '../peers/addresses.ts'
import type { Announcement, Tracker } from './tracker.ts'

export interface Announcer {
  /** The download is complete. */
  complete(): void
  /** The last peer has gone: do not wait for the interval. */
  hurry(): void
  /** True once every tracker has answered or failed. */
  readonly isSettled: boolean
  /** How many have all of it, as the tracker said last that said most; undefined if none said anything. */
  readonly seeders: number | undefined
  /** Says good-bye where that is quick. */
  close(): Promise<void>
}

export interface AnnouncerOptions {
  readonly trackers: ReadonlyMap<string, Tracker>
  readonly counts: () => Omit<Announcement, 'event'>
  /** We need peers and have none. */
  readonly isAlone: () => boolean
  readonly onPeer: (peer: Endpoint) => void
  readonly onWarning: (message: string) => void
}

/** While we are alone: soon, so that an agent which starts a second later is found, then ever more seldom. */
const ALONE_FIRST_MS = 2_000
const ALONE_MAX_MS = 60_000
/** After a failure. */
const FAILED_FIRST_MS = 2_000
const FAILED_MAX_MS = 5 * 60_000
/** Whatever a tracker wishes is kept within these; timers beyond 24 days would fire at once. */
const INTERVAL_MIN_MS = 30_000
const INTERVAL_MAX_MS = 60 * 60_000
const INTERVAL_DEFAULT_MS = 15 * 60_000
const GOODBYE_TIMEOUT_MS = 1_000

export const createAnnouncer = (options: AnnouncerOptions): Announcer => {
  const controller = new AbortController()
  const loops = [...options.trackers].map(([url, tracker]) => announceForEver(url, tracker, options, controller.signal))
  return {
    complete: () => {
      for (const loop of loops) loop.complete()
    },
    hurry: () => {
      for (const loop of loops) loop.hurry()
    },
    get isSettled() {
      return loops.every((loop) => loop.isSettled)
    },
    get seeders() {
      const told = loops.flatMap(({ seeders }) => seeders ?? [])
      return told.length === 0 ? undefined : Math.max(...told)
    },
    close: async () => {
      controller.abort()
      const signal = AbortSignal.timeout(GOODBYE_TIMEOUT_MS)
      await Promise.all(loops.map((loop) => loop.sayGoodbye(signal)))
    },
  }
}

interface Loop {
  readonly isSettled: boolean
  readonly seeders: number | undefined
  complete(): void
  hurry(): void
  sayGoodbye(signal: AbortSignal): Promise<void>
}

const announceForEver = (url: string, tracker: Tracker, options: AnnouncerOptions, signal: AbortSignal): Loop => {
  const { counts, isAlone, onPeer, onWarning } = options
  let timer: NodeJS.Timeout | undefined
  let isSettled = false
  let isKnown = false
  let seeders: number | undefined
  let busy = false
  let again = false
  let failures = 0
  let aloneMs = ALONE_FIRST_MS
  let due: Announcement['event'] = 'started'

  const announce = async (): Promise<void> => {
    clearTimeout(timer)
    if (busy || signal.aborted) return
    busy = true
    const event = due
    due = undefined
    let waitMs: number
    try {
      const answer = await tracker.announce({ ...counts(), event }, signal)
      isKnown = true
      seeders = answer.seeders ?? seeders
      failures = 0
      // Two seeds have nothing to say to each other: a fleet at rest makes no connections at all. And who has just become one is
      // connected to those who lack something: in a fleet that ends together, it would call everybody once more for nothing.
      const isOfUse = event !== 'completed' && (counts().leftBytes > 0 || answer.leechers !== 0)
      if (isOfUse) for (const peer of answer.peers) onPeer(peer)
      waitMs = nextWaitMs(answer.intervalMs ?? INTERVAL_DEFAULT_MS, answer.minIntervalMs ?? 0)
    } catch (error) {
      due ??= event // The tracker has not heard it.
      waitMs = Math.min(FAILED_MAX_MS, FAILED_FIRST_MS * 2 ** failures)
      failures += 1
      if (!signal.aborted) onWarning(`tracker ${url}: ${(error as Error).message}; trying again in ${waitMs / 1000} s`)
    }
    busy = false
    isSettled = true
    if (signal.aborted) return
    schedule(again ? 0 : waitMs)
    again = false
  }

  const schedule = (waitMs: number): void => {
    clearTimeout(timer)
    timer = setTimeout(() => void announce(), waitMs)
    timer.unref()
  }

  const nextWaitMs = (intervalMs: number, minIntervalMs: number): number => {
    const bounded = Math.min(INTERVAL_MAX_MS, Math.max(INTERVAL_MIN_MS, intervalMs))
    if (!isAlone()) {
      aloneMs = ALONE_FIRST_MS
      return bounded
    }
    const waitMs = Math.max(aloneMs, Math.min(minIntervalMs, INTERVAL_MAX_MS))
    aloneMs = Math.min(ALONE_MAX_MS, aloneMs * 2)
    return Math.min(waitMs, bounded)
  }

  tracker.whenForgotten?.(() => {
    due ??= 'started'
    if (!busy && !signal.aborted) schedule(FAILED_FIRST_MS)
  })
  void announce()
  return {
    get isSettled() {
      return isSettled
    },
    get seeders() {
      return seeders
    },
    complete: () => {
      due = 'completed'
      again = busy
      void announce()
    },
    hurry: () => {
      if (!busy && !signal.aborted && failures === 0) schedule(aloneMs)
    },
    sayGoodbye: async (goodbye) => {
      clearTimeout(timer)
      if (!isKnown) return
      // Who does not hear it drops us after the next interval anyway.
      await tracker.announce({ ...counts(), event: 'stopped' }, goodbye).catch(() => undefined)
    },
  }
}
