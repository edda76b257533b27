// The web seeds of one torrent: when they join in, beside peers or in the place of them.
//
// Peers come first: web seeds wait a moment for them, and rest while peers deliver enough. They never wait for peers that
// nobody knows of.
import { LIMITS } from '../../limits.ts'
import type { Metainfo } from '../metainfo.ts'
import type { BanList } from '../peers/bans.ts'
import type { Download } from '../peers/download.ts'
import type { RateLimiter } from '../rate-limiter.ts'
import type { GuardedHttp } from './guarded-http.ts'
import { createWebSeed, type WebSeed } from './web-seed.ts'

export interface WebSeeds {
  /** Those in use. */
  readonly count: number
  readonly receivedBytes: number
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
  /** True while peers are being looked for or called. */
  readonly isWaitingForPeers: () => boolean
  readonly onWarning: (message: string) => void
}

/** Time enough for an announce, a connection and a first piece, and not noticed by anyone who waits for an update. */
const HEAD_START_MS = 1_000
const HEAD_START_STEP_MS = 100

/** Peers that deliver this much are enough: a hundred MiB take less than two minutes, and the origin sends nothing. */
const PEERS_SUFFICE_BYTES_PER_SECOND = 1024 * 1024

export const createWebSeeds = (options: WebSeedsOptions): WebSeeds => {
  const { urls, metainfo, download, http, bans, limiter, now, isWaitingForPeers, onWarning } = options
  const startedAt = now()
  let ended = 0

  const isWanted = (): boolean => {
    if (now() - startedAt < HEAD_START_MS && isWaitingForPeers()) return false
    return download.peerBytesPerSecond < PEERS_SUFFICE_BYTES_PER_SECOND
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
    if (now() - startedAt >= HEAD_START_MS) clearInterval(headStart)
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
