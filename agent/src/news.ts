// What the agents of a fleet tell each other: whoever reached a mirror brings the news to all, and who reaches none asks them.
// Everything that comes this way is judged as if a mirror had sent it; this file only carries.
import { join } from 'node:path'
import type { Home } from '@updraft/core/control/home'
import { messageOf } from '@updraft/core/errors'
import type { Meeting } from '@updraft/core/swarm/news/news'
import type { Swarm } from '@updraft/core/swarm/swarm'
import type { Log } from './log.ts'
import { openAcquaintances } from './news/acquaintances.ts'
import { type KnownHere, libraryOf } from './news/library.ts'
import { type OpenPeersOfSource, openPeersOfSource, topicsOf } from './news/peers-of-source.ts'
import { pointerSearch } from './news/pointer-search.ts'
import type { MetadataOrigin, PeerSource } from './peer-source.ts'
import type { TrustedSource } from './trust-store.ts'

export interface NewsOptions {
  readonly home: Home
  readonly store: KnownHere
  readonly swarm: Pick<Swarm, 'meet' | 'table'>
  /** `host:port` of machines that the owner has named, as the settings say now. */
  readonly named: () => readonly string[]
  /** Machines are told and asked at all, as the settings say now. */
  readonly isOn: () => boolean
  /** Other machines have something newer of this source. */
  readonly onNews: (source: string) => void
  readonly log: Log
  readonly now: () => Date
  /** From 0 to 1. */
  readonly random: () => number
}

export interface News extends AsyncDisposable {
  /** The machines that follow the same source; from now on this one is among them. */
  peersOf(source: TrustedSource): PeerSource
  /** Where the newest metadata of the source came from, and when; undefined before the first look that went well. */
  newestOf(source: string): NewestMetadata | undefined
  /** A machine that runs Updraft was met somewhere. */
  met(address: string): void
  /** The swarm was closed and opened again: machines meet there now. */
  reopened(): void
}

export interface NewestMetadata extends MetadataOrigin {
  readonly at: Date
}

/** Errors: PERMISSION, IO. */
export const openNews = async (options: NewsOptions): Promise<News> => {
  const { home, store, swarm, named, isOn, onNews, log, now, random } = options
  const acquaintances = await openAcquaintances(join(home.stateDirectory, 'peers.json'), random)
  const newest = new Map<string, NewestMetadata>()
  const stopping = new AbortController()
  const sources = new Map<string, { readonly peers: OpenPeersOfSource; readonly join: () => Promise<Meeting> }>()

  const open = (source: TrustedSource) => {
    const library = libraryOf({
      source,
      stateDirectory: home.stateDirectory,
      bundlesDirectory: join(home.dataDirectory, 'bundles'),
      store,
      now,
    })
    let meeting: Promise<Meeting> | undefined
    const enter = (): Promise<Meeting> => {
      meeting ??= topicsOf(library).then((topics) =>
        swarm.meet({ topics, library, onTold: (conversation) => peers.told(conversation), onPeer: peers.greet }),
      )
      meeting.catch(() => {
        meeting = undefined // Whoever comes next tries again.
      })
      return meeting
    }
    const peers = openPeersOfSource({
      name: source.name,
      library,
      meeting: enter,
      acquaintances,
      named,
      pointer: pointerSearch({
        table: () => swarm.table,
        keys: library.timestampKeys,
        topics: () => topicsOf(library),
        log,
      }),
      onNews: () => onNews(source.name),
      onSettled: (from) => newest.set(source.name, { ...from, at: now() }),
      log,
      now,
      random,
      stopped: stopping.signal,
    })
    const rejoin = (): Promise<Meeting> => {
      meeting = undefined
      return enter()
    }
    return { peers, join: rejoin }
  }

  const joinNow = (join: () => Promise<Meeting>): void => {
    join().catch((error: unknown) => {
      if (!stopping.signal.aborted) log.debug(`other machines cannot call: ${messageOf(error)}`)
    })
  }

  return {
    peersOf: (source) => {
      const key = `${source.name} ${source.pin.fingerprint}`
      let entry = sources.get(key)
      if (entry === undefined) {
        entry = open(source)
        sources.set(key, entry)
        joinNow(entry.join)
      }
      return entry.peers
    },
    newestOf: (source) => newest.get(source),
    met: (address) => acquaintances.met(address),
    reopened: () => {
      if (isOn()) for (const { join } of sources.values()) joinNow(join)
    },
    [Symbol.asyncDispose]: async () => {
      stopping.abort()
      for (const { peers } of sources.values()) peers.close()
      await acquaintances
        .save()
        .catch((error: unknown) => log.warn(`machines that were met are forgotten: ${messageOf(error)}`))
    },
  }
}
