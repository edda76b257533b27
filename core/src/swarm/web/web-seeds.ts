// The web seeds of one torrent: they join in when fallback.ts says so, and rest again when it says so no more.
//
// Peers come first: web seeds wait a moment for them, and rest while peers deliver enough. They never wait for peers that
// nobody knows of.
import { LIMITS } from '../../limits.ts'
import type { Metainfo } from '../metainfo.ts'
import type { BanList } from '../peers/bans.ts'
import type { Download } from '../peers/download.ts'
import type { RateLimiter } from '../rate-limiter.ts'
import { type FallbackFacts, type FallbackReason, fallbackReasonOf, fallbackText } from './fallback.ts'
import type { GuardedHttp } from './guarded-http.ts'
import { createWebSeed, type WebSeed } from './web-seed.ts'

export interface WebSeeds {
  /** Those in use. */
  readonly count: number
  readonly receivedBytes: number
  /** Why they are asked at this moment; undefined while peers suffice. */
  readonly reason: FallbackReason | undefined
  /** Asks each whether there is something to do. */
  wake(): void
  /** Ends those that are banned by now. */
  removeBanned(): void
  close(): void
}

export interface WebSeedsOptions {
  readonly urls: readonly string[]
  readonly metainfo: Metainfo
  readonly download: Download
  readonly http: GuardedHttp
  readonly bans: BanList
  readonly limiter: RateLimiter
  readonly now: () => number
  readonly facts: () => Omit<FallbackFacts, 'elapsedMs'>
  /** Once for each reason. */
  readonly onFallback: (reason: FallbackReason, text: string) => void
  readonly onWarning: (message: string) => void
}

/** How long peers come first: time for an announce, a connection and a first piece, not noticed by anyone who waits. */
export const WEB_SEED_DELAY_MS = 1_000
const HEAD_START_STEP_MS = 100

export const createWebSeeds = (options: WebSeedsOptions): WebSeeds => {
  const { urls, metainfo, download, http, bans, limiter, now, facts, onFallback, onWarning } = options
  const startedAt = now()
  const told = new Set<FallbackReason>()
  let reason: FallbackReason | undefined
  let ended = 0

  const isWanted = (): boolean => {
    const current = { ...facts(), elapsedMs: now() - startedAt }
    reason = fallbackReasonOf(current)
    if (reason !== undefined && !told.has(reason)) {
      told.add(reason)
      onFallback(reason, fallbackText(reason, current))
    }
    return reason !== undefined
  }

  const isBanned = (subjects: readonly string[]): boolean => subjects.some((subject) => bans.isBanned(subject))

  const create = (url: string): WebSeed | undefined => {
    const { protocol } = URL.parse(url) ?? {}
    if (protocol !== 'http:' && protocol !== 'https:') {
      onWarning(`web seed ${url} is none that can be used`)
      return undefined
    }
    const seed = createWebSeed({
      url,
      metainfo,
      picker: download.picker,
      takeOver: (taker) => download.relieveBy(taker, 0),
      http,
      limiter,
      now,
      isWanted,
      isFree: (index) => !download.neighbours.covers(index),
      onBegun: download.neighbours.begun,
      receive: (piece, block, data) => download.receive({ piece, block }, seed, data),
      onWarning,
    })
    return seed
  }

  const created = [...new Set(urls)].slice(0, LIMITS.webSeedsMax).flatMap((url) => create(url) ?? [])
  const seeds = new Set(created.filter(({ banSubjects }) => !isBanned(banSubjects)))

  const wake = (): void => {
    for (const seed of seeds) seed.wake()
  }

  const headStart = setInterval(() => {
    wake()
    if (now() - startedAt >= Math.max(WEB_SEED_DELAY_MS, facts().delayMs)) clearInterval(headStart)
  }, HEAD_START_STEP_MS)

  const end = (seed: WebSeed): void => {
    seed.close()
    seeds.delete(seed)
    ended += seed.receivedBytes
  }

  return {
    get count() {
      return seeds.size
    },
    get reason() {
      return seeds.size === 0 ? undefined : reason
    },
    get receivedBytes() {
      let sum = ended
      for (const seed of seeds) sum += seed.receivedBytes
      return sum
    },
    wake,
    removeBanned: () => {
      for (const seed of [...seeds]) if (isBanned(seed.banSubjects)) end(seed)
    },
    close: () => {
      clearInterval(headStart)
      for (const seed of [...seeds]) end(seed)
    },
  }
}
