// The agent's part in the swarm: holds the swarm open, takes the kept bundles up again after a start, and knows every
// torrent that is in it. A change of the network settings opens a new swarm in place of the old one.
import { UpdateError } from '@updraft/core/errors'
import type { Swarm, SwarmOptions, SwarmTorrent } from '@updraft/core/swarm/swarm'
import type { NetworkSettings } from './settings.ts'

export type OpenSwarm = (options: SwarmOptions) => Promise<Swarm>

/** Shares one kept bundle on `swarm`. */
export type Resume = (swarm: Swarm, signal: AbortSignal) => Promise<void>

export interface Sharing extends AsyncDisposable {
  /** Adds to whichever swarm is open. */
  readonly swarm: Swarm
  /** TCP port that peers reach; 0 while no swarm is open. */
  port(): number
  torrent(infoHash: string): SwarmTorrent | undefined
  /** Leaves the swarm and comes back with other settings. Nobody may be fetching. Errors: those of opening. */
  reopen(network: NetworkSettings): Promise<void>
}

export interface SharingOptions {
  readonly openSwarm: OpenSwarm
  readonly network: NetworkSettings
  /** Takes up the kept bundles on a swarm that was just opened. It runs beside everything else: hashing takes its time. */
  readonly resume: Resume
}

/** Errors: PORT_IN_USE, and whatever else the swarm cannot be opened for. */
export const openSharing = async ({ openSwarm, network, resume }: SharingOptions): Promise<Sharing> => {
  const torrents = new Map<string, SwarmTorrent>()
  let session: Session | undefined = await openSession(network)

  async function openSession(settings: NetworkSettings): Promise<Session> {
    const swarm = await openSwarm(swarmOptionsOf(settings))
    const stopped = new AbortController()
    return {
      swarm,
      stopped,
      resumed: resume(
        watched(() => swarm),
        stopped.signal,
      ),
    }
  }

  /** The swarm with the seam's own behaviour, and the torrents noted as they come and go. */
  function watched(current: () => Swarm): Swarm {
    return {
      get port() {
        return current().port
      },
      add: async (options) => {
        const torrent = await current().add(options)
        const noted: SwarmTorrent = {
          infoHash: torrent.infoHash,
          state: () => torrent.state(),
          whenDone: (waiting) => torrent.whenDone(waiting),
          remove: async () => {
            if (torrents.get(torrent.infoHash) === noted) torrents.delete(torrent.infoHash)
            await torrent.remove()
          },
        }
        torrents.set(torrent.infoHash, noted)
        return noted
      },
      [Symbol.asyncDispose]: async () => {}, // The session closes it, not whoever was lent it.
    }
  }

  const close = async (): Promise<void> => {
    if (session === undefined) return
    const { swarm, stopped, resumed } = session
    session = undefined
    stopped.abort()
    await resumed
    torrents.clear()
    await swarm[Symbol.asyncDispose]()
  }

  const currentSwarm = (): Swarm => {
    if (session === undefined) throw new UpdateError('ABORTED', 'the swarm is closed')
    return session.swarm
  }

  return {
    swarm: watched(currentSwarm),
    port: () => session?.swarm.port ?? 0,
    torrent: (infoHash) => torrents.get(infoHash),
    reopen: async (settings) => {
      await close()
      session = await openSession(settings)
    },
    [Symbol.asyncDispose]: close,
  }
}

interface Session {
  readonly swarm: Swarm
  readonly stopped: AbortController
  readonly resumed: Promise<void>
}

const swarmOptionsOf = (network: NetworkSettings): SwarmOptions => ({
  port: network.port,
  allowLoopback: network.allowLoopback,
  dht: network.dht,
  localDiscovery: network.localDiscovery,
  uploadLimit: network.uploadLimitBytes,
  downloadLimit: network.downloadLimitBytes,
})
