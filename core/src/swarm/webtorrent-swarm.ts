// The swarm on webtorrent 3, pinned and unmodified. webtorrent makes the connections, shakes hands and speaks BitTorrent's
// messages and extensions; which pieces are fetched, from whom, what is believed and what is sent is decided here.
// Never prints, and never connects to where the policy does not allow.
import { randomBytes } from 'node:crypto'
import WebTorrent from 'webtorrent'
import { fromFileSystem, messageOf, systemCodeOf, UpdateError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { dhtSocket } from './announce/dht-socket.ts'
import { distributedTable, verifyItem } from './announce/distributed-table.ts'
import { openLocalDiscovery } from './announce/local-discovery.ts'
import { createBandwidth } from './bandwidth.ts'
import { PEER_ID_PREFIXES } from './exchange.ts'
import { createMeetingPlace } from './news/meeting.ts'
import { type AddressPolicy, addressPolicy } from './peers/addresses.ts'
import { memoryBans } from './peers/bans.ts'
import { acceptPeers, type Gate } from './peers/connections.ts'
import { createNearness } from './peers/nearness.ts'
import { rememberOurselves } from './peers/ourselves.ts'
import { createSlabReader } from './pieces/slab-reader.ts'
import type { Swarm, SwarmOptions, TorrentOptions } from './swarm.ts'
import { type JoinedTorrent, joinTorrent, type SwarmParts } from './torrent.ts'
import { createGuardedHttp } from './web/guarded-http.ts'
import { WEB_SEED_DELAY_MS } from './web/web-seeds.ts'
import type { Rendezvous } from './webrtc/rendezvous.ts'

const USER_AGENT = 'Updraft'
const CLOSE_IDLE_EVERY_MS = 30_000

/**
 * Opens the swarm: listens for peers, and is ready for torrents.
 *
 * Errors: PORT_IN_USE, PERMISSION.
 * Source: BEP 3, 6, 10 (peers), BEP 15, 23 (trackers), BEP 19 (web seeds).
 */
export const openSwarm = async (
  options: SwarmOptions,
  { closeIdleEveryMs = CLOSE_IDLE_EVERY_MS } = {},
): Promise<Swarm> => {
  const now = () => performance.now()
  const ourselves = rememberOurselves(now)
  const gate: Gate = { policy: addressPolicy(options), bans: options.bans ?? memoryBans(), ourselves }
  const client = await listen(options)
  const joining = new Map<string, Promise<JoinedTorrent>>()
  const joined = new Map<string, JoinedTorrent>()
  const leaving = new Set<Promise<void>>()
  const nearness = createNearness({ networks: options.lan, now })
  const parts: SwarmParts = {
    client,
    gate,
    http: createGuardedHttp(gate.policy, USER_AGENT),
    slabs: createSlabReader(),
    bandwidth: createBandwidth(options, now),
    random: Math.random,
    now,
    nearness,
    webSeedDelayMs: options.webSeedDelayMs ?? WEB_SEED_DELAY_MS,
    deadlineMs: options.deadlineMs,
    torrents: new Map(),
    onMachine: options.onMachine ?? (() => {}),
    localDiscovery: options.localDiscovery
      ? await openLocalDiscovery({
          port: client.torrentPort,
          allowLoopback: options.allowLoopback,
          interfaces: options.localInterfaces,
          onWarning: (message) => {
            for (const torrent of joined.values()) torrent.warn(message)
          },
        })
      : undefined,
    rendezvous: await rendezvousOf(options, gate.policy),
  }
  const meetings = createMeetingPlace(parts)
  const closeHalfOpen = acceptPeers(
    client,
    gate,
    (infoHash) => parts.torrents.get(infoHash)?.(),
    (infoHash) => meetings.receiverOf(infoHash),
  )
  const sweep = setInterval(() => {
    for (const torrent of joined.values()) torrent.closeIdle().catch(() => undefined) // The next use reports it.
  }, closeIdleEveryMs).unref()

  // webtorrent ends its client when the listening socket or the DHT fails; no torrent can go on then.
  client.on('error', (error: unknown) => {
    for (const torrent of joined.values()) torrent.fail(error)
  })

  const join = async (torrentOptions: TorrentOptions): Promise<JoinedTorrent> => {
    const { infoHash, name } = torrentOptions.metainfo
    try {
      const torrent = await joinTorrent(torrentOptions, parts, (removal) => {
        joining.delete(infoHash)
        joined.delete(infoHash)
        leaving.add(removal)
        removal.finally(() => leaving.delete(removal)).catch(() => undefined) // Whoever removed it has the error.
      })
      joined.set(infoHash, torrent)
      return torrent
    } catch (error) {
      joining.delete(infoHash)
      throw fromFileSystem(error, `cannot add ${name}`)
    }
  }

  const close = async (): Promise<void> => {
    clearInterval(sweep)
    // Those that are still being added are added first, and then removed like the others.
    await Promise.allSettled(joining.values())
    for (const torrent of [...joined.values()]) void torrent.remove()
    await Promise.all(leaving)
    closeHalfOpen()
    meetings.close()
    await parts.localDiscovery?.close()
    parts.rendezvous?.[Symbol.dispose]()
    parts.http[Symbol.dispose]()
    parts.bandwidth[Symbol.dispose]()
    if (!client.destroyed) await new Promise<void>((closed) => client.destroy(() => closed()))
  }

  let closing: Promise<void> | undefined
  const isClosed = (): boolean => closing !== undefined || client.destroyed
  return {
    port: client.torrentPort,
    table: client.dht ? distributedTable(client.dht, client.torrentPort) : undefined,
    add: (torrentOptions) => {
      if (isClosed()) return Promise.reject(new UpdateError('ABORTED', 'the swarm is closed'))
      const { infoHash } = torrentOptions.metainfo
      const torrent = joining.get(infoHash) ?? join(torrentOptions)
      joining.set(infoHash, torrent)
      return torrent
    },
    meet: async (meetingOptions) => {
      if (isClosed()) throw new UpdateError('ABORTED', 'the swarm is closed')
      return meetings.open(meetingOptions)
    },
    change: (terms) => {
      const wasOpen = parts.bandwidth.isOpenOutside
      parts.bandwidth.change(terms)
      if (wasOpen !== parts.bandwidth.isOpenOutside) for (const torrent of joined.values()) torrent.rechoke()
    },
    get uploadedBytes() {
      const { lan, outside } = parts.bandwidth.up
      return { lan: lan.spentBytes, outside: outside.spentBytes }
    },
    [Symbol.asyncDispose]: () => {
      closing ??= close()
      return closing
    },
  }
}

/** Its libraries and its native code are loaded for those who want it. Errors: IO if this program has no WebRTC. */
const rendezvousOf = async ({ webRtc }: SwarmOptions, policy: AddressPolicy): Promise<Rendezvous | undefined> => {
  if (webRtc === undefined) return undefined
  try {
    const { openRendezvous } = await import('./webrtc.ts')
    return await openRendezvous({ policy, stunServers: webRtc.stunServers, userAgent: USER_AGENT })
  } catch (error) {
    throw new UpdateError('IO', `there is no WebRTC: ${messageOf(error)}`, {
      cause: error,
      hint: 'put it beside the program (npm install webrtc-polyfill, in the folder that the program is in), or set network.webRtc to false',
    })
  }
}

const listen = ({ port, dht, dhtBootstrap, isOrigin = false }: SwarmOptions): Promise<WebTorrent> =>
  new Promise((resolve, reject) => {
    const client = new WebTorrent({
      torrentPort: port,
      peerId: Buffer.concat([
        Buffer.from(isOrigin ? PEER_ID_PREFIXES.origin : PEER_ID_PREFIXES.agent),
        randomBytes(12),
      ]).toString('hex'),
      userAgent: USER_AGENT,
      maxConns: LIMITS.peersPerTorrentMax,
      dht: dht && { socket: dhtSocket(), bootstrap: dhtBootstrap, verify: verifyItem },
      tracker: false, // The announcer does it.
      lsd: false,
      utPex: true,
      natUpnp: false,
      natPmp: false,
      utp: false, // It runs at a third of TCP's speed, and sometimes moves nothing at all.
      webSeeds: false, // web-seeds.ts does it.
      secure: 0, // Encryption halves the speed and hides nothing that is not public.
    })
    const onError = (error: unknown): void => reject(cannotListen(port, error))
    client.once('error', onError)
    client.once('listening', () => {
      client.removeListener('error', onError)
      resolve(client)
    })
  })

const cannotListen = (port: number, error: unknown): unknown => {
  switch (systemCodeOf(error)) {
    case 'EADDRINUSE':
      return new UpdateError('PORT_IN_USE', `port ${port} is in use by another program`, {
        cause: error,
        hint: 'choose another port for the swarm, or 0 for any free one',
      })
    case undefined:
      return new UpdateError('IO', `the swarm cannot listen: ${messageOf(error)}`, { cause: error })
    default:
      return fromFileSystem(error, `cannot listen on port ${port}`)
  }
}
