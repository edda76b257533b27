// What others say that this machine does not have yet is a reason to look, and no more: soon, at a moment of its own, and seldom,
// however many say it and however often. Who said what turned out to be nothing is not listened to for a while.
import type { Edition } from '@updraft/core/swarm/news/news'

export interface RumourOptions {
  /** The source is to be looked at. */
  readonly onNews: () => void
  /** From 0 to 1. */
  readonly random: () => number
  /** What these said was not so. */
  readonly onFalse: (subjects: readonly string[]) => void
}

export interface Rumours {
  heard(teller: { readonly subjects: readonly string[]; readonly edition: Edition }): void
  /** A look has ended, with this as the newest that is trusted. */
  settled(mine: Edition, changed: boolean): void
  close(): void
}

/** Machines that heard it at the same time do not ask at the same time. */
const SPREAD_MS = 10_000
/** Between two looks because of rumours; doubled each time that there was nothing in them. */
const REST_MS = 60_000
const REST_MAX_MS = 60 * 60_000
const RUMOURS_MAX = 64

export const openRumours = ({ onNews, random, onFalse }: RumourOptions): Rumours => {
  const open = new Map<string, { readonly subjects: readonly string[]; readonly timestamp: number }>()
  let timer: NodeJS.Timeout | undefined
  let restMs = REST_MS
  let notBefore = Number.NEGATIVE_INFINITY

  const arm = (): void => {
    if (timer !== undefined) return
    const waitMs = Math.max(0, notBefore - performance.now()) + SPREAD_MS * random()
    timer = setTimeout(() => {
      timer = undefined
      if (open.size === 0) return
      notBefore = performance.now() + restMs
      onNews()
    }, waitMs).unref()
  }

  return {
    heard: ({ subjects, edition: { timestamp } }) => {
      const key = subjects.join()
      open.delete(key)
      open.set(key, { subjects, timestamp })
      for (const oldest of open.keys()) {
        if (open.size <= RUMOURS_MAX) break
        open.delete(oldest)
      }
      arm()
    },
    settled: (mine, changed) => {
      if (open.size === 0) return
      const isTrue = [...open.values()].some(({ timestamp }) => timestamp <= mine.timestamp)
      for (const { subjects, timestamp } of open.values()) if (timestamp > mine.timestamp) onFalse(subjects)
      open.clear()
      restMs = changed && isTrue ? REST_MS : Math.min(REST_MAX_MS, restMs * 2)
    },
    close: () => clearTimeout(timer),
  }
}
