// One torrent among its peers: joins the connections that webtorrent makes with what is fetched and what is sent, tells
// peers what we have, and keeps out whom we do not want twice, or at all.
import type Wire from 'bittorrent-protocol'
import type { Torrent } from 'webtorrent'
import type Peer from 'webtorrent/lib/peer.js'
import type { Bandwidth } from './bandwidth.ts'
import type { BanList } from './peers/bans.ts'
import { isBannedPeer } from './peers/connections.ts'
import { pipeOf } from './peers/direct-pipe.ts'
import type { Download } from './peers/download.ts'
import { createLink, isOutgoing, type Link } from './peers/link.ts'
import type { Ourselves } from './peers/ourselves.ts'
import { createSuggester, type Suggester } from './peers/suggester.ts'
import { createTeller } from './peers/teller.ts'
import { REQUESTS_MAX, type Upload } from './peers/upload.ts'
import { createWays } from './peers/ways.ts'
import type { Source } from './pieces/picker.ts'

export interface Exchange {
  readonly links: ReadonlySet<Link>
  /** Payload that peers sent us, wanted or not; what the publisher's own seeder sent is counted apart. */
  readonly receivedBytes: { readonly peers: number; readonly origin: number }
  /** We have this piece now: peers are told, see teller.ts. */
  announce(index: number): void
  /** Bans whoever this is and ends its connections. */
  ban(source: Source, reason: string): void
  /** There is no use in calling this endpoint: we are connected to it. */
  isKnown(endpoint: string): boolean
  /** The peer asks for a block of the piece. True if, as far as a seed can see, it would be the first to have it. */
  isFirstCopy(link: Link, index: number): boolean
  /** As in ways.ts. */
  hasRoom(link: Link): boolean
  sent(link: Link, bytes: number): void
  close(): void
}

export interface ExchangeOptions {
  readonly torrent: Torrent
  readonly pieces: number
  /** One bit per piece that we have; grows as pieces come. */
  readonly bits: Uint8Array
  readonly isDone: () => boolean
  readonly port: number
  readonly bans: BanList
  readonly ourselves: Ourselves
  /** Undefined for a torrent that is only seeded. */
  readonly download: Download | undefined
  readonly upload: Upload
  readonly bandwidth: Bandwidth
  readonly random: () => number
  readonly pieceLength: number
  /** The address is in this machine's own network. */
  readonly isNear: (address: string) => boolean
  readonly now: () => number
  /** A peer that runs Updraft has said where it can be called. */
  readonly onMachine: (endpoint: string) => void
  readonly onLonely: () => void
}

/** BEP 20: ours, so that two agents know each other, and an origin from an agent. */
export const PEER_ID_PREFIXES = { agent: '-UD0100-', origin: '-UO0100-' } as const
const AGENT_PREFIX_HEX = Buffer.from(PEER_ID_PREFIXES.agent).toString('hex')
const ORIGIN_PREFIX_HEX = Buffer.from(PEER_ID_PREFIXES.origin).toString('hex')
/** For figures only: anyone can claim it. */
export const isOrigin = ({ peerId }: Pick<Link, 'peerId'>): boolean => peerId.startsWith(ORIGIN_PREFIX_HEX)
const isOurs = (peerId: string): boolean => peerId.startsWith(AGENT_PREFIX_HEX) || peerId.startsWith(ORIGIN_PREFIX_HEX)

/** A peer says something at least every two minutes (BEP 3, keep-alive). */
const DEAF_MS = 150_000

export const createExchange = (options: ExchangeOptions): Exchange => {
  const { torrent, pieces, pieceLength, bits, isDone, port, bans, ourselves, download, upload, bandwidth } = options
  const { random, isNear, now, onMachine, onLonely } = options
  const links = new Map<Wire, Link>()
  const greeted = new Set<Link>()
  /** Made when it is needed: a thousand idle torrents need none. */
  let suggester: Suggester | undefined
  const receivedBytes = { peers: 0, origin: 0 }
  const ways = createWays({ bandwidth, now, onRoom: upload.wake })
  let closed = false
  const teller = createTeller({ pieces, now, isDone, onTold: (link) => partIfUseless(link) }) // Seeds hear it too: they suggest.

  const enter = (wire: Wire): void => {
    const peer = peerOf(torrent, wire)
    if (peer === undefined) {
      wire.destroy()
      return
    }
    wire.setTimeout(0) // webtorrent would cut the wire 30 s after an unanswered request; the download decides instead.
    Object.assign(wire.extendedHandshake, { p: port, v: 'Updraft', reqq: REQUESTS_MAX })
    const link = createLink({ peer, wire, pieces, isNear, now, onShown, onHidden, onClosed })
    if (!isWelcome(link)) {
      link.close()
      return
    }
    links.set(wire, link)
    wire.on('extended', (kind: string) => {
      if (kind === 'handshake' && link.endpoint !== undefined && isOurs(link.peerId)) onMachine(link.endpoint)
    })
    const sender = isOrigin(link) ? 'origin' : 'peers'
    wire.on('download', (bytes: number) => {
      receivedBytes[sender] += bytes
    })
    ways.add(link)
    download?.add(link)
    upload.add(link)
  }

  const isWelcome = (link: Link): boolean => {
    if (closed) return false
    if (link.peerId === torrent.client.peerId) {
      if (link.endpoint !== undefined) ourselves.note(link.endpoint)
      return false
    }
    if (isBannedPeer(bans, link.address, link.peerId)) return false
    const twin = [...links.values()].find((other) => other.peerId === link.peerId && other.address === link.address)
    if (twin === undefined) return true
    if (keepsNewer(link, twin)) {
      twin.close()
      return true
    }
    twin.endpoint ??= link.endpoint
    return false
  }

  /**
   * Two agents that call each other at the same time must keep the same one of the two connections: the one that the
   * smaller peer id began. Others may decide by other rules, so of theirs the older one stays.
   */
  const keepsNewer = (newer: Link, older: Link): boolean => {
    if (!isOurs(newer.peerId) || isOutgoing(newer.wire) === isOutgoing(older.wire)) return false
    const ourIdIsSmaller = torrent.client.peerId < newer.peerId
    return isOutgoing(newer.wire) === ourIdIsSmaller
  }

  /** The first thing that a peer hears after the handshake: what we have (BEP 3, BEP 6). */
  const greet = (wire: Wire): void => {
    const link = links.get(wire)
    if (link === undefined || greeted.has(link)) return
    greeted.add(link)
    if (isDone() && wire.hasFast) wire.haveAll()
    else if (wire.hasFast && bits.every((byte) => byte === 0)) wire.haveNone()
    else wire.bitfield(Uint8Array.from(bits))
    const pipe = pipeOf(link.peer)
    const tellNow = teller.add(link)
    if (pipe !== undefined) pipe.onLeaving = tellNow
    upload.greeted(link)
    advise(link)
    partIfUseless(link)
  }

  /** As a seed, we know best which pieces are not out yet. */
  const advise = (link: Link): void => {
    if (!isDone() || link.isSeed) return
    suggester ??= createSuggester({ pieces, pieceLength, random })
    suggester.add(link)
  }

  const onShown = (link: Link, indexes: readonly number[]): void => {
    if (download === undefined) suggester?.onShown(link, indexes)
    else download.onShown(link, indexes)
    partIfUseless(link)
  }

  const onHidden = (link: Link, index: number): void => {
    if (download === undefined) suggester?.onHidden(index)
    else download.onHidden(link, index)
  }

  const onClosed = (link: Link): void => {
    if (links.get(link.wire) !== link) return
    links.delete(link.wire)
    greeted.delete(link)
    teller.remove(link)
    ways.remove(link)
    upload.remove(link)
    suggester?.remove(link)
    download?.remove(link)
    if (links.size === 0 && !closed) onLonely()
  }

  /** Two that have everything have nothing to say to each other. The other one may not know that yet. */
  const partIfUseless = (link: Link): void => {
    if (greeted.has(link) && link.isSeed && isDone()) setImmediate(() => link.close())
  }

  const rechoke = (): void => {
    for (const link of links.values()) if (now() - link.heardAt > DEAF_MS) link.close()
    upload.rechoke()
  }

  torrent._onWireWithMetadata = greet
  torrent._rechoke = rechoke
  torrent.on('wire', enter)

  return {
    get links() {
      return new Set(links.values())
    },
    receivedBytes,
    announce: teller.tell,
    ban: (source, reason) => {
      for (const subject of source.banSubjects) bans.ban(subject, reason)
      for (const link of [...links.values()]) if (isBannedPeer(bans, link.address, link.peerId)) link.close()
    },
    isFirstCopy: (link, index) => {
      suggester?.onRequested(link, index)
      return suggester?.isFirstCopy(link, index) === true
    },
    hasRoom: ways.hasRoom,
    sent: ways.sent,
    isKnown: (endpoint) => [...links.values()].some((link) => link.endpoint === endpoint),
    close: () => {
      closed = true
      teller.close()
      ways.close()
      for (const link of [...links.values()]) link.close()
    },
  }
}

const peerOf = (torrent: Torrent, wire: Wire): Peer | undefined => {
  for (const peer of torrent._peers.values()) if (peer.wire === wire) return peer
  return undefined
}
