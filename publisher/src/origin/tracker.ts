// The embedded tracker: HTTP and WebSocket on the origin's own server, UDP on the same port number. It knows the
// repository's torrents and no others, and holds a bounded number of peers. It believes no address that a client claims.
import { randomBytes } from 'node:crypto'
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { isIPv4 } from 'node:net'
import type { Duplex } from 'node:stream'
import { messageOf } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import Server, {
  type Announce,
  type AnnounceAnswer,
  type Peer,
  type Swarm,
  type WebSocketConnection,
} from 'bittorrent-tracker/server'
import { listenFailure } from './listen.ts'
import type { Log } from './log.ts'
import type { RememberedPeer } from './remembered-peers.ts'
import { judgeUdpPacket } from './udp-guard.ts'

/** A peer as the tracker sees it. */
export interface TrackedPeer {
  readonly infoHash: string
  readonly peerId: string
  readonly ip: string
  readonly port: number
  readonly complete: boolean
}

export interface Tracker extends AsyncDisposable {
  /** Answers GET `/announce` and `/scrape`. */
  answer(request: IncomingMessage, response: ServerResponse): void
  /** Takes over a connection that asks to become a WebSocket. */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  /** Starts the UDP tracker. Errors: PORT_IN_USE. */
  listenUdp(host: string, port: number): Promise<void>
  /** From now on these infohashes are known and no others. */
  track(infoHashes: ReadonlySet<string>): void
  /** Everybody who has announced itself and has not gone. */
  members(): readonly TrackedPeer[]
  /** Everybody who can be told to others after a restart: a WebSocket does not outlive one. */
  peers(): readonly RememberedPeer[]
  /** Takes up peers of an earlier run, as if each had just announced itself. */
  restore(peers: readonly RememberedPeer[]): void
}

/**
 * How often a peer announces: twice a minute in a small swarm, so that machines which could not reach each other the
 * first time, or came minutes later, meet while the update is young; less often as the swarm grows, because then
 * everyone knows plenty of peers already and the announces of one swarm stay at about twenty a second.
 */
export const announceIntervalSeconds = (peers: number): number =>
  Math.min(INTERVAL_MAX_SECONDS, Math.max(INTERVAL_MIN_SECONDS, Math.ceil(peers / ANNOUNCES_PER_SECOND)))

const INTERVAL_MIN_SECONDS = 30
const INTERVAL_MAX_SECONDS = 900
const ANNOUNCES_PER_SECOND = 20
/** Each announce over WebSocket carries offers that cost the browser a connection attempt each: once a minute will do. */
const WEBSOCKET_INTERVAL_SECONDS = 60
const SWEEP_MS = 30_000
/** What may wait in a WebSocket that does not read before it is cut. */
const WEBSOCKET_BACKLOG_BYTES = 1_024 * 1_024
const PATHS = new Set(['/', '/announce'])

export interface TrackerOptions {
  readonly log: Log
  /** What a peer says that it has received so far, in bytes; anything can be said. */
  readonly onAnnounce?: ((infoHash: string, peerId: string, downloadedBytes: number) => void) | undefined
  /** How many peers in all. */
  readonly peersMax?: number | undefined
  /** How often those that have gone are forgotten. */
  readonly sweepMs?: number | undefined
}

/**
 * Opens a tracker that knows no torrent yet. Proxies are not trusted: a peer's address is where its packets come from.
 *
 * Source: BEP 3, 15 (UDP), 23 (compact), 48 (scrape); WebTorrent's tracker protocol for WebSocket.
 */
export const openTracker = ({
  log,
  onAnnounce = () => {},
  peersMax = LIMITS.trackerPeersMax,
  sweepMs = SWEEP_MS,
}: TrackerOptions): Tracker => {
  const secret = randomBytes(32)
  const sockets = new Map<WebSocketConnection, { answered: boolean }>()
  let known: ReadonlySet<string> = new Set()
  let peers = 0
  let udp: UdpSocket | undefined

  const server = new Server({
    http: false,
    udp: false,
    stats: false,
    ws: { noServer: true, maxPayload: LIMITS.trackerMessageBytes },
    interval: WEBSOCKET_INTERVAL_SECONDS * 5_000,
    peersCacheLength: LIMITS.trackerPeersPerSwarmMax,
    filter: (infoHash, announce, done) => {
      const fault = known.has(infoHash) ? faultOf(announce, server.torrents[infoHash], peers < peersMax) : UNKNOWN
      done(fault === undefined ? null : new Error(fault))
    },
  })
  server.on('warning', (error: unknown) => log.debug({ reason: messageOf(error) }, 'announce refused'))
  server.on('error', (error: unknown) => log.warn({ err: error }, 'tracker failed'))

  // Made at once, not on the next tick as the package does it: of two first announces in one tick, the second would
  // replace the swarm of the first.
  server.createSwarm = (infoHash, done) => {
    const swarm = server.torrents[infoHash] ?? new Server.Swarm(infoHash, server)
    if (server.torrents[infoHash] === undefined) {
      server.torrents[infoHash] = swarm
      const announce = swarm.announce.bind(swarm)
      swarm.announce = (params, answer) => {
        const before = swarm.peers.length
        onAnnounce(infoHash, params.peer_id, Number(params.downloaded ?? 0))
        announce(params, answer && ((error, given) => answer(error, given && answerFor(params, given, swarm))))
        peers += swarm.peers.length - before
      }
    }
    done(null, swarm)
  }

  const sweep = setInterval(() => {
    peers = 0
    for (const [infoHash, swarm] of Object.entries(server.torrents)) {
      for (const id of swarm.peers.keys) swarm.peers.peek(id)
      if (swarm.peers.length === 0 || !known.has(infoHash)) delete server.torrents[infoHash]
      else peers += swarm.peers.length
    }
    for (const [socket, state] of sockets) {
      if (!state.answered || socket.bufferedAmount > WEBSOCKET_BACKLOG_BYTES) socket.terminate()
      else {
        state.answered = false
        socket.ping()
      }
    }
  }, sweepMs)

  const present = () =>
    Object.entries(server.torrents).flatMap(([infoHash, swarm]) =>
      swarm.peers.keys.flatMap((id) => {
        const peer = swarm.peers.peek(id)
        return peer === undefined ? [] : [{ infoHash, peer }]
      }),
    )

  return {
    answer: (request, response) => {
      response.setHeader('content-type', 'text/plain')
      response.setHeader('cache-control', 'no-store')
      server.onHttpRequest(request, response)
    },
    upgrade: (request, socket, head) => {
      if (!PATHS.has(request.url?.split('?')[0] ?? '')) return refuseUpgrade(socket, '404 Not Found')
      if (sockets.size >= LIMITS.trackerWebSocketsMax) return refuseUpgrade(socket, '503 Service Unavailable')
      server.ws.handleUpgrade(request, socket, head, (connection) => {
        const state = { answered: true }
        sockets.set(connection, state)
        connection.on('pong', () => {
          state.answered = true
        })
        connection.on('close', () => sockets.delete(connection))
        server.ws.emit('connection', connection, request)
      })
    },
    listenUdp: async (host, port) => {
      const socket = createSocket('udp4')
      try {
        socket.bind({ port, address: host, exclusive: true })
        await once(socket, 'listening')
      } catch (error) {
        socket.close()
        throw listenFailure(error, 'udp', host, port)
      }
      socket.on('error', (error) => log.warn({ err: error }, 'UDP tracker failed'))
      socket.on('message', (packet, from) => {
        const verdict = judgeUdpPacket(packet, from.address, Date.now(), secret)
        if (verdict.kind === 'answer') socket.send(verdict.bytes, from.port, from.address)
        else if (verdict.kind === 'pass') server.onUdpRequest(verdict.bytes, from)
        else log.debug({ address: from.address, reason: verdict.reason }, 'UDP packet dropped')
      })
      udp = socket
      server.udp4 = socket
    },
    track: (infoHashes) => {
      known = infoHashes
    },
    members: () => present().map(trackedOf),
    peers: () =>
      present()
        .filter(({ peer }) => peer.type !== 'ws')
        .map(trackedOf),
    restore: (remembered) => {
      for (const { infoHash, peerId, ip, port, complete } of remembered) {
        const addr = `${ip.includes(':') ? `[${ip}]` : ip}:${port}`
        const left = complete ? 0 : 1
        server.createSwarm(infoHash, (_, swarm) =>
          swarm.announce({ type: 'http', event: 'started', peer_id: peerId, addr, ip, port, left }, () => {}),
        )
      }
    },
    [Symbol.asyncDispose]: async () => {
      clearInterval(sweep)
      for (const socket of sockets.keys()) socket.terminate()
      const closed = udp === undefined ? undefined : once(udp, 'close')
      server.close(() => {})
      await closed
    },
  }
}

const trackedOf = ({ infoHash, peer }: { readonly infoHash: string; readonly peer: Peer }): TrackedPeer => ({
  infoHash,
  peerId: peer.peerId,
  ip: peer.ip,
  port: peer.port,
  complete: peer.complete,
})

const UNKNOWN = 'this tracker does not know the torrent'

/**
 * Why an announce for a known torrent is refused. bittorrent-tracker 11.2.3 lets some of these through and then throws
 * outside of any handler, which ends the process; no issue of theirs names them yet.
 */
const faultOf = (announce: Announce, swarm: Swarm | undefined, room: boolean): string | undefined => {
  const { type, port, offers, socket } = announce
  // `port=80.5` passes there, and every later answer that lists this peer throws.
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) return 'invalid port'
  // An offer that is `null` passes there, and throws as soon as it is passed on.
  const isList = offers === undefined || offers === null || (Array.isArray(offers) && offers.every(isObject))
  if (!isList) return 'invalid offers'
  const present = swarm?.peers.peek(type === 'ws' ? announce.peer_id : announce.addr)
  if (present?.socket !== undefined && present.socket !== socket && present.socket.destroyed !== true) {
    return 'another connection uses this peer id'
  }
  return present === undefined && !room ? 'the tracker is full' : undefined
}

/** What a client is told: only peers that can be of use to it. */
const answerFor = (announce: Announce, given: AnnounceAnswer, swarm: Swarm): AnnounceAnswer => {
  const interval = announceIntervalSeconds(swarm.peers.length)
  // A peer that missed two announces has gone.
  swarm.peers.maxAge = (2 * interval + WEBSOCKET_INTERVAL_SECONDS) * 1_000
  return { ...given, interval, peers: given.peers.filter((peer) => isUseful(peer, announce)) }
}

/** A seed has no use for another seed, and nobody else can reach what announced itself on this machine's loopback. */
const isUseful = (peer: Peer, { left, ip }: Announce): boolean =>
  !(left === 0 && peer.complete) && (isLoopback(ip) || !isLoopback(peer.ip))

export const isLoopback = (address: string): boolean =>
  address === '::1' || (isIPv4(address) && address.startsWith('127.'))

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

const refuseUpgrade = (socket: Duplex, status: string): void => {
  socket.on('error', () => socket.destroy())
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () => socket.destroy())
}
