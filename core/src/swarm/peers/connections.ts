// Who may connect to us and to whom we connect: address policy, bans and bounds, before a peer costs anything.
//
// Takes the place of two methods of webtorrent. Its `_onConnection` accepts any number of half-open connections from
// anyone and waits 25 s for each; its `_addPeer` calls every address that a tracker or a peer names, its own included (no
// upstream issues found). Can go when webtorrent has hooks for both.
import type { Socket } from 'node:net'
import type WebTorrent from 'webtorrent'
import type { Torrent } from 'webtorrent'
import Peer from 'webtorrent/lib/peer.js'
import { LIMITS } from '../../limits.ts'
import type { WebRtcConnection } from '../webrtc/connection.ts'
import { type AddressPolicy, formatEndpoint, isLoopback, parseEndpoint } from './addresses.ts'
import { type BanList, banSubjectsOf } from './bans.ts'
import { dialPeers } from './dialer.ts'
import { pipeDirectly, pipeOf } from './direct-pipe.ts'
import { addressOfSocket, bracketed } from './link.ts'
import type { Ourselves } from './ourselves.ts'

export interface Gate {
  readonly policy: AddressPolicy
  readonly bans: BanList
  readonly ourselves: Ourselves
}

/** Connections that have not said what they want yet, altogether and from one address. */
const HALF_OPEN_MAX = 64
const HALF_OPEN_PER_ADDRESS_MAX = 8
const HANDSHAKE_TIMEOUT_MS = 10_000

/** Peers of one torrent that share an address: the machines behind one NAT, but not a flood. */
const PEERS_PER_ADDRESS_MAX = 8

/** Addresses that wait to be called: enough for a large swarm, and no memory for an endless list. */
const KNOWN_PEERS_MAX = 500

/**
 * Lets incoming peers in. `torrentOf` gives the torrent that a handshake asks for, `receiverOf` what takes those who come to
 * something else. Returns what closes the half-open ones.
 */
export const acceptPeers = (
  client: WebTorrent,
  { policy, bans }: Gate,
  torrentOf: (infoHash: string) => Torrent | Promise<Torrent> | undefined,
  receiverOf: (infoHash: string) => ((peer: Peer, peerId: string) => void) | undefined = () => undefined,
): (() => void) => {
  const halfOpen = new Set<Socket>()

  const isAdmitted = (address: string): boolean => {
    if (!policy.allows(address) || isBannedAddress(bans, address)) return false
    let fromSame = 0
    for (const other of halfOpen) if (addressOfSocket(other) === address) fromSame += 1
    return fromSame < HALF_OPEN_PER_ADDRESS_MAX
  }

  const accept = (socket: Socket): void => {
    const address = addressOfSocket(socket)
    if (address === undefined || !isAdmitted(address)) {
      drop(socket)
      return
    }
    // The oldest has had the most time: a flood cannot keep honest peers out for longer than it takes them to say hello.
    const [oldest] = halfOpen
    if (halfOpen.size >= HALF_OPEN_MAX && oldest !== undefined) drop(oldest)

    halfOpen.add(socket)
    const name = bracketed(`${socket.remoteAddress}:${socket.remotePort}`)
    const peer = new Peer(name, 'tcpIncoming', 0)
    const timer = setTimeout(() => peer.destroy(new Error('no handshake')), HANDSHAKE_TIMEOUT_MS)
    const settle = (): void => {
      clearTimeout(timer)
      halfOpen.delete(socket)
    }
    socket.once('close', settle)
    peer.conn = socket
    peer.addr = name
    peer.throttleGroups = client.throttleGroups
    pipeDirectly(peer)
    peer.onConnect()
    peer.wire?.once('handshake', (infoHash: string, peerId: string) => {
      if (peerId === client.peerId) {
        // It is we who call: the one of us that did has to hear whom it has reached, or it would call again.
        socket.end(helloOf(infoHash, peerId))
        return
      }
      settle()
      const receive = receiverOf(infoHash)
      if (receive !== undefined) {
        receive(peer, peerId)
        return
      }
      const torrent = torrentOf(infoHash)
      const enter = (found: Torrent | undefined): void => {
        if (peer.destroyed) return
        if (found === undefined || found.destroyed || !hasRoomFor(found, address)) {
          peer.destroy()
          return
        }
        peer.swarm = found
        found._addIncomingPeer(peer)
        peer.onHandshake(infoHash, peerId)
      }
      if (!(torrent instanceof Promise)) {
        enter(torrent)
        return
      }
      const goOn = pipeOf(peer)?.hold()
      torrent
        .then(enter, (error) => peer.destroy(error)) // It was just removed; whoever did that knows.
        .finally(() => goOn?.())
    })
  }

  if (client._connPool !== null) client._connPool._onConnection = accept
  return () => {
    for (const socket of halfOpen) drop(socket)
  }
}

/** Decides about every peer that anyone names for this torrent, and about each reconnection. */
export const guardOutgoing = (
  torrent: Torrent,
  { policy, bans, ourselves }: Gate,
  isKnown: (endpoint: string) => boolean,
) => {
  const add = torrent._addPeer.bind(torrent)
  torrent._addPeer = (peer, _type, source) => {
    if (typeof peer !== 'string') return refuse(peer) // `admitConnection` is the way for those.
    const endpoint = parseEndpoint(peer)
    if (endpoint === undefined || !policy.allows(endpoint.host) || isBannedAddress(bans, endpoint.host)) return null
    const name = formatEndpoint(endpoint)
    if (ourselves.isOurs(name) || isKnown(name) || torrent._peers.size >= KNOWN_PEERS_MAX) return null
    return add(name, 'tcp', source)
  }
  const register = torrent._registerPeer.bind(torrent)
  torrent._registerPeer = (peer) => {
    if (!peer.type.endsWith('Incoming')) pipeDirectly(peer)
    register(peer)
  }
  dialPeers(torrent)
}

/**
 * Lets in a peer that was met over WebRTC. Its connection is open already.
 *
 * Takes the place of webtorrent's `addPeer`, which takes one that is still to open, and which throws out of an event, and so ends
 * the process, when such a one fails after its peer was given up (no upstream issue found).
 */
export const admitConnection = (
  client: WebTorrent,
  torrent: Torrent,
  connection: WebRtcConnection,
  { bans }: Gate,
): void => {
  const { id } = connection
  const isWanted = !torrent.destroyed && !torrent._peers.has(id) && !isBannedPeer(bans, undefined, id)
  if (!isWanted || torrent.wires.length >= LIMITS.peersPerTorrentMax) {
    connection.destroy()
    return
  }
  const peer = new Peer(id, 'webrtc', 0)
  peer.conn = connection as unknown as Socket
  peer.swarm = torrent
  peer.throttleGroups = client.throttleGroups
  torrent._registerPeer(peer)
  peer.onConnect()
}

/** A peer id that is banned is known only after the handshake. */
export const isBannedPeer = (bans: BanList, address: string | undefined, peerId: string): boolean =>
  banSubjectsOf({ address, peerId }).some((subject) => bans.isBanned(subject))

const isBannedAddress = (bans: BanList, address: string): boolean =>
  !isLoopback(address) && isBannedPeer(bans, address, '')

const hasRoomFor = (torrent: Torrent, address: string): boolean => {
  if (torrent.wires.length >= LIMITS.peersPerTorrentMax) return false
  let fromSame = 0
  for (const { conn } of torrent._peers.values()) {
    if (conn instanceof Object && 'remoteAddress' in conn && addressOfSocket(conn) === address) fromSame += 1
  }
  return fromSame < PEERS_PER_ADDRESS_MAX || isLoopback(address)
}

const refuse = (peer: { destroy(): void }): null => {
  peer.destroy()
  return null
}

/** Source: BEP 3, the handshake. */
const helloOf = (infoHash: string, peerId: string): Buffer =>
  Buffer.concat([Buffer.from('\x13BitTorrent protocol'), Buffer.alloc(8), Buffer.from(infoHash + peerId, 'hex')])

const drop = (socket: Socket): void => {
  socket.on('error', () => {}) // Nobody is left who could do anything about it.
  socket.destroy()
}
