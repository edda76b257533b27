// The agent's part in the swarm: holds the swarm open, takes the kept bundles up again after a start, and knows every
// torrent that is in it. A change of the network settings opens a new swarm in place of the old one.
import { isDeepStrictEqual } from 'node:util'
import type { Transfer } from '@updraft/core/control/api'
import type { BanList } from '@updraft/core/swarm/peers/bans'
import type { Swarm, SwarmOptions, SwarmTerms, SwarmTorrent, TransferState } from '@updraft/core/swarm/swarm'
import type { FallbackReason } from '@updraft/core/swarm/web/fallback'
import type { NetworkSettings } from './settings.ts'

export type OpenSwarm = (options: SwarmOptions) => Promise<Swarm>

/** Shares the kept bundles on `swarm`; never fails. */
export type Resume = (swarm: Swarm, signal: AbortSignal) => Promise<void>

export interface Sharing extends AsyncDisposable {
  /** For those who fetch and seed: adds once the swarm is open, has the port 0 until then, and cannot be closed. */
  readonly swarm: Swarm
  /** A torrent that is in the swarm now, whoever added it. */
  torrentOf(infoHash: string): SwarmTorrent | undefined
  /** Every torrent that is in the swarm now. */
  transfers(): readonly Transfer[]
  /** Other limits from now on, for this swarm and those that come after it. */
  change(terms: SwarmTerms): void
  /** Payload that was sent to peers since the start of the process, in bytes; over every change of the swarm. */
  uploadedBytes(): { readonly lan: number; readonly outside: number }
  /** How often web seeds had to be asked since the start of the process. */
  fallbacks(): ReadonlyMap<FallbackReason, number>
  /** Resolves once the swarm is open. Errors: PORT_IN_USE, and whatever else it cannot be opened for. */
  ready(): Promise<void>
  /** Whether these settings are others than those that the swarm was opened with. */
  isOther(network: NetworkSettings): boolean
  /**
   * Leaves the swarm and comes back with other settings. Nobody may be fetching. When that fails it comes back with the
   * settings from before.
   *
   * Errors: those of opening.
   */
  reopen(network: NetworkSettings): Promise<void>
}

export interface SharingOptions {
  readonly openSwarm: OpenSwarm
  readonly network: NetworkSettings
  /** Who sent bad data: remembered over a change of the settings. */
  readonly bans?: BanList
  /** Told where a machine that runs Updraft can be called. */
  readonly onMachine?: (endpoint: string) => void
  /** Runs beside everything else: hashing takes its time. */
  readonly resume: Resume
  /** Web seeds have to be asked, and why. */
  readonly onFallback?: (text: string, name: string) => void
}

/** Begins to open the swarm and does not wait for it. */
export const openSharing = (options: SharingOptions): Sharing => {
  const { openSwarm, network: initial, bans, onMachine, resume, onFallback = () => {} } = options
  const torrents = new Map<string, SwarmTorrent>()
  const names = new Map<string, string>()
  const fallbacks = new Map<FallbackReason, number>()
  let network = initial
  let terms: SwarmTerms = initialTermsOf(initial)
  let uploadedBefore = { lan: 0, outside: 0 }
  let session: Session | undefined
  let opening: Promise<Session> | undefined

  const open = async (): Promise<Session> => {
    const swarm = await openSwarm({ ...swarmOptionsOf(network), ...terms, bans, onMachine })
    const stopped = new AbortController()
    const resumed = resume(
      lent(async () => swarm),
      stopped.signal,
    )
    session = { swarm, stopped, resumed }
    return session
  }

  /** The open swarm; one that could not be opened is tried again by whoever comes next. */
  const ready = async (): Promise<Swarm> => {
    opening ??= open()
    try {
      return (await opening).swarm
    } catch (error) {
      opening = undefined
      throw error
    }
  }

  const noted = (torrent: SwarmTorrent): SwarmTorrent => ({
    infoHash: torrent.infoHash,
    state: () => torrent.state(),
    whenDone: (waiting) => torrent.whenDone(waiting),
    whenHave: (start, end) => torrent.whenHave(start, end),
    remove: async () => {
      if (torrents.get(torrent.infoHash) === torrent) {
        torrents.delete(torrent.infoHash)
        names.delete(torrent.infoHash)
      }
      await torrent.remove()
    },
  })

  /** Notes every torrent as it comes and goes. */
  const lent = (swarm: () => Promise<Swarm>): Swarm => ({
    get port() {
      return session?.swarm.port ?? 0
    },
    add: async (options) => {
      const torrent = await (await swarm()).add({
        ...options,
        onFallback: (reason, text) => {
          fallbacks.set(reason, (fallbacks.get(reason) ?? 0) + 1)
          onFallback(text, options.metainfo.name)
        },
      })
      torrents.set(torrent.infoHash, torrent)
      names.set(torrent.infoHash, options.metainfo.name)
      return noted(torrent)
    },
    get table() {
      return session?.swarm.table
    },
    meet: async (options) => (await swarm()).meet(options),
    change: () => {}, // Only the agent itself does that.
    get uploadedBytes() {
      return session?.swarm.uploadedBytes ?? { lan: 0, outside: 0 }
    },
    [Symbol.asyncDispose]: async () => {}, // Only whoever opened the swarm closes it.
  })

  const close = async (): Promise<void> => {
    await opening?.catch(() => {}) // Whoever waited for it was told; now only its end matters.
    opening = undefined
    if (session === undefined) return
    const { swarm, stopped, resumed } = session
    uploadedBefore = uploadedBytes()
    session = undefined
    stopped.abort()
    torrents.clear()
    names.clear()
    await swarm[Symbol.asyncDispose]() // This ends a bundle's hashing too, which may take long.
    await resumed
  }

  const uploadedBytes = () => {
    const { lan, outside } = session?.swarm.uploadedBytes ?? { lan: 0, outside: 0 }
    return { lan: uploadedBefore.lan + lan, outside: uploadedBefore.outside + outside }
  }

  ready().catch(() => {}) // The same failure meets whoever waits for it.
  return {
    swarm: lent(ready),
    torrentOf: (infoHash) => {
      const torrent = torrents.get(infoHash)
      return torrent === undefined ? undefined : noted(torrent)
    },
    transfers: () =>
      [...torrents].map(([infoHash, torrent]) => transferOf(names.get(infoHash) ?? infoHash, torrent.state())),
    change: (next) => {
      terms = next
      session?.swarm.change(next)
    },
    uploadedBytes,
    fallbacks: () => fallbacks,
    ready: async () => void (await ready()),
    isOther: (next) => !isDeepStrictEqual({ ...next, manners: undefined }, { ...network, manners: undefined }),
    reopen: async (next) => {
      const previous = network
      await close()
      network = next
      try {
        await ready()
      } catch (error) {
        network = previous
        await ready()
        throw error
      }
    },
    [Symbol.asyncDispose]: close,
  }
}

interface Session {
  readonly swarm: Swarm
  readonly stopped: AbortController
  /** The taking up of kept bundles. */
  readonly resumed: Promise<void>
}

const transferOf = (name: string, state: TransferState): Transfer => {
  const { haveBytes, totalBytes, bytes, uploadedBytes, peers, origins, seeds, webSeeds, fallback } = state
  const kinds = { origin: origins, complete: seeds, partial: peers - origins - seeds, webSeeds }
  return {
    name,
    haveBytes,
    totalBytes,
    bytes,
    uploadedBytes,
    peers: kinds,
    ...(fallback === undefined ? {} : { fallback }),
  }
}

const swarmOptionsOf = (network: NetworkSettings): SwarmOptions => ({
  port: network.port,
  allowLoopback: network.allowLoopback,
  dht: network.dht,
  dhtBootstrap: network.dhtBootstrap,
  localDiscovery: network.localDiscovery,
  webRtc: network.webRtc ? { stunServers: network.stunServers } : undefined,
  lan: network.lan,
  webSeedDelayMs: network.webSeedDelaySeconds * 1_000,
  deadlineMs: network.deadlineSeconds === undefined ? undefined : network.deadlineSeconds * 1_000,
})

/** Until somebody has looked at clock and connection. */
const initialTermsOf = ({ manners: { limits, yields } }: NetworkSettings): SwarmTerms => ({
  uploadLimit: limits.uploadLimitBytes,
  downloadLimit: limits.downloadLimitBytes,
  lanUploadLimit: limits.lanUploadLimitBytes,
  lanDownloadLimit: limits.lanDownloadLimitBytes,
  yields,
})
