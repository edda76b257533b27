// Where machines that follow the same repository meet: a swarm without a torrent, which is only called when there is something
// to tell or to ask. Two machines that have every byte have nothing to say in the swarm of a torrent, and part; here they may.
//
// Connections are webtorrent's, through the same gate as those of torrents: address policy, bans, bounds, our own reader.
import { connect } from 'node:net'
import type Wire from 'bittorrent-protocol'
import type WebTorrent from 'webtorrent'
import type { Torrent } from 'webtorrent'
import Peer from 'webtorrent/lib/peer.js'
import { UpdateError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { LocalDiscovery } from '../announce/local-discovery.ts'
import type { Bandwidth } from '../bandwidth.ts'
import { type Endpoint, formatEndpoint, isLoopback, parseEndpoint, resolveAllowed } from '../peers/addresses.ts'
import { banSubjectsOf } from '../peers/bans.ts'
import { type Gate, isBannedPeer } from '../peers/connections.ts'
import { pipeDirectly, pipeOf } from '../peers/direct-pipe.ts'
import { addressOfSocket } from '../peers/link.ts'
import { type Conversation, createConversation } from './conversation.ts'
import { extensionFor } from './extension.ts'
import { EXTENSION_NAME } from './message.ts'
import { type CallOptions, type Meeting, type MeetingOptions, NO_EDITION, type PeerConversation } from './news.ts'

export interface MeetingParts {
  readonly client: WebTorrent
  readonly gate: Gate
  readonly bandwidth: Bandwidth
  readonly localDiscovery: LocalDiscovery | undefined
}

export interface MeetingPlace {
  open(options: MeetingOptions): Meeting
  /** What to do with a peer whose handshake names this infohash; undefined if nobody meets under it. */
  receiverOf(infoHash: string): ((peer: Peer, peerId: string) => void) | undefined
  close(): void
}

/** All meetings of one swarm. */
export const createMeetingPlace = (parts: MeetingParts): MeetingPlace => {
  const receivers = new Map<string, (peer: Peer, peerId: string) => void>()
  const meetings = new Set<Meeting>()
  /** Those that have called, of all meetings together; the oldest first. */
  const visitors = new Set<Peer>()

  const admit = (peer: Peer, address: string | undefined): boolean => {
    let fromSame = 0
    for (const other of visitors) if (addressOfPeer(other) === address) fromSame += 1
    const isFlood = fromSame >= LIMITS.peerVisitorsPerAddressMax
    if (isFlood && (address === undefined || !isLoopback(address))) return false
    const [oldest] = visitors
    if (visitors.size >= LIMITS.peerVisitorsMax && oldest !== undefined) oldest.destroy()
    visitors.add(peer)
    peer.once('disconnect', () => visitors.delete(peer))
    return true
  }

  return {
    receiverOf: (infoHash) => receivers.get(infoHash),
    open: (options) => {
      const meeting = openMeeting(options, parts, receivers, admit)
      meetings.add(meeting)
      return {
        ...meeting,
        close: () => {
          meetings.delete(meeting)
          meeting.close()
        },
      }
    },
    close: () => {
      for (const meeting of meetings) meeting.close()
      meetings.clear()
    },
  }
}

const openMeeting = (
  { topics: initial, library, onTold, onPeer }: MeetingOptions,
  { client, gate, bandwidth, localDiscovery }: MeetingParts,
  receivers: Map<string, (peer: Peer, peerId: string) => void>,
  admit: (peer: Peer, address: string | undefined) => boolean,
): Meeting => {
  const peers = new Set<Peer>()
  let topics: readonly string[] = []
  let closed = false

  /** Talks over the wire once it speaks our extension. `onHave` is told each time that the other end says what it has. */
  const talk = (peer: Peer, wire: Wire, onHave: (conversation: PeerConversation) => void): void => {
    const address = addressOfPeer(peer)
    if (isBannedPeer(gate.bans, address, wire.peerId ?? '')) {
      peer.destroy(new Error('banned'))
      return
    }
    const name = `peer ${peer.addr}`
    const pipe = pipeOf(peer)
    let flushed = (): void => {}
    if (pipe !== undefined) pipe.onFlushed = () => flushed()
    const end = (reason: string): void => peer.destroy(new Error(reason))
    const lifetime = setTimeout(end, LIMITS.peerConversationMs, 'it has lasted long enough').unref()
    const idle = setTimeout(end, LIMITS.peerIdleTimeoutMs, 'nothing is said').unref()

    const conversation: Conversation = createConversation({
      name,
      library,
      limiter: bandwidth.up.outside,
      send: (bytes) => wire.extended(EXTENSION_NAME, bytes),
      whenFlushed: async () => {
        while (pipe !== undefined && !pipe.isFlushed && !peer.destroyed) {
          await new Promise<void>((resolve) => {
            flushed = resolve
          })
        }
      },
      onHave: () => onHave(told),
      onUse: () => idle.refresh(),
      onViolation: (reason) => {
        for (const subject of told.subjects) gate.bans.ban(subject, `${reason}, as ${name}`)
        end(reason)
      },
    })
    const told: PeerConversation = {
      name,
      address,
      endpoint: isOutgoing(peer) ? (peer.addr ?? undefined) : undefined,
      subjects: banSubjectsOf({ address, peerId: wire.peerId ?? '' }),
      get edition() {
        return conversation.edition ?? NO_EDITION
      },
      get isOpen() {
        return !peer.destroyed
      },
      fetch: conversation.fetch,
      ageOf: conversation.ageOf,
      tell: conversation.tell,
      close: () => peer.destroy(),
    }
    peer.once('disconnect', () => {
      clearTimeout(lifetime)
      clearTimeout(idle)
      flushed()
      conversation.end()
    })
    wire.setTimeout(0)
    Object.assign(wire.extendedHandshake, { p: client.torrentPort, v: 'Updraft' })
    wire.use(
      extensionFor({
        onMessage: (bytes) => conversation.receive(bytes),
        onSpoken: (speaksOurs) => {
          if (!speaksOurs) {
            end('it does not speak of metadata')
            return
          }
          const port = Number(wire.peerExtendedHandshake.p) // BEP 10: where it listens.
          if (told.endpoint === undefined && address !== undefined && port > 0 && port < 65_536) {
            Object.assign(told, { endpoint: formatEndpoint({ host: address, port }) })
          }
          library.edition().then(
            (mine) => peer.destroyed || conversation.tell(mine),
            () => end('this machine does not know what it has'),
          )
        },
      }),
    )
  }

  /** Gives the peer a torrent that it can shake hands with, and nothing else of one. */
  const enter = (peer: Peer, infoHash: string, onHave: (conversation: PeerConversation) => void): void => {
    peers.add(peer)
    peer.once('disconnect', () => peers.delete(peer))
    peer.swarm = handshakeOnly(client, infoHash, (wire) => talk(peer, wire, onHave))
  }

  const receiverFor =
    (infoHash: string) =>
    (peer: Peer, peerId: string): void => {
      if (closed || !admit(peer, addressOfPeer(peer))) {
        peer.destroy()
        return
      }
      enter(peer, infoHash, onTold)
      peer.onHandshake(infoHash, peerId)
    }

  const call = async (address: string, options: CallOptions = {}): Promise<PeerConversation> => {
    const { signal } = options
    const endpoint = parseEndpoint(address)
    if (endpoint === undefined) throw unreachable(`peer ${address} is not of the form host:port`)
    const [host] = await resolveAllowed(endpoint.host, gate.policy).catch((error: unknown): never => {
      throw unreachable(`peer ${address}: ${(error as Error).message}`)
    })
    if (host === undefined || isBannedPeer(gate.bans, isLoopback(host) ? undefined : host, '')) {
      throw unreachable(`peer ${address} is not to be called`)
    }
    // Whoever has pinned another root of the same repository knows it under another infohash.
    for (const topic of new Set([...topics, ...(options.topics ?? [])])) {
      const { conversation, isThere } = await dial({ host, port: endpoint.port }, topic, signal)
      if (conversation !== undefined) return conversation
      if (!isThere) break
    }
    throw unreachable(`peer ${address} does not answer, or does not follow the repository`)
  }

  /** Errors: ABORTED. */
  const dial = async (endpoint: Endpoint, topic: string, signal: AbortSignal | undefined): Promise<Dialled> => {
    if (closed) return { isThere: false }
    if (signal?.aborted) throw new UpdateError('ABORTED', 'calling a peer was interrupted')
    const { promise, resolve, reject } = Promise.withResolvers<Dialled>()
    const name = formatEndpoint(endpoint)
    const socket = connect(endpoint)
    const peer = new Peer(name, 'tcpOutgoing', 0)
    peer.addr = name
    peer.conn = socket
    pipeDirectly(peer)
    let isThere = false
    let isFirst = true
    enter(peer, topic, (conversation) => {
      if (isFirst) resolve({ conversation, isThere })
      else onTold(conversation)
      isFirst = false
    })
    socket.once('connect', () => {
      isThere = true
      if (!peer.destroyed) peer.onConnect()
    })
    socket.once('error', (error) => peer.destroy(error))
    socket.once('close', () => {
      peers.delete(peer)
      resolve({ isThere })
    })
    const onTime = (): void => peer.destroy(new Error('it does not say what it has'))
    const timer = setTimeout(onTime, LIMITS.peerAnswerTimeoutMs)
    const onAbort = (): void => {
      reject(new UpdateError('ABORTED', `calling peer ${name} was interrupted`))
      peer.destroy()
    }
    signal?.addEventListener('abort', onAbort, { once: true })
    try {
      return await promise
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  const setTopics = (next: readonly string[]): void => {
    for (const gone of topics.filter((topic) => !next.includes(topic))) {
      receivers.delete(gone)
      localDiscovery?.remove(gone)
    }
    for (const topic of next.filter((topic) => !topics.includes(topic))) {
      receivers.set(topic, receiverFor(topic))
      localDiscovery?.add(topic, (peer) => onPeer(formatEndpoint(peer)))
    }
    topics = next
  }

  setTopics(initial)
  return {
    call,
    setTopics,
    close: () => {
      closed = true
      setTopics([])
      for (const peer of [...peers]) peer.destroy()
    },
  }
}

/** What webtorrent's Peer asks of its torrent until the handshake is over; `onWire` is called before we answer it. */
const handshakeOnly = (client: WebTorrent, infoHash: string, onWire: (wire: Wire) => void): Torrent => {
  const torrent = {
    infoHash,
    peerId: client.peerId,
    destroyed: false,
    client: { peerId: client.peerId, dht: undefined },
    wires: [],
    removePeer: () => {},
    _onWire: onWire,
  }
  return torrent as unknown as Torrent
}

interface Dialled {
  readonly conversation?: PeerConversation
  /** Somebody listens there. */
  readonly isThere: boolean
}

const isOutgoing = ({ type }: Peer): boolean => type.endsWith('Outgoing')

const addressOfPeer = ({ conn, addr }: Peer): string | undefined =>
  (conn === null ? undefined : addressOfSocket(conn)) ?? (addr === null ? undefined : parseEndpoint(addr)?.host)

const unreachable = (message: string): UpdateError =>
  new UpdateError('SOURCE_UNREACHABLE', message, { hint: 'other machines are asked; this one is asked again later' })
