// One connection to a peer of one torrent: who it is and which pieces it has. What is fetched over it and what is sent
// is decided elsewhere.

import type { Socket } from 'node:net'
import type Wire from 'bittorrent-protocol'
import type Peer from 'webtorrent/lib/peer.js'
import { allBits, bitsFor, clearBit, countBits, hasBit, isBitfieldFor, setBit } from '../pieces/bits.ts'
import type { Source } from '../pieces/picker.ts'
import { formatEndpoint, parseEndpoint, plainAddress } from './addresses.ts'
import { banSubjectsOf } from './bans.ts'
import { pipeOf } from './direct-pipe.ts'

export interface Link extends Source {
  readonly peer: Peer
  readonly wire: Wire
  /** Undefined for WebRTC, where it cannot be known. */
  readonly address: string | undefined
  readonly peerId: string
  /** `host:port` where the peer can be reached, once it is known. */
  endpoint: string | undefined
  has(index: number): boolean
  /** How many pieces it has. */
  readonly pieces: number
  readonly isSeed: boolean
  /** The operating system has taken everything that was sent so far. */
  readonly isFlushed: boolean
  /** In this machine's own network. */
  readonly isNear: boolean
  /** When anything at all came last. */
  heardAt: number
  close(): void
}

export interface LinkEvents {
  onShown(link: Link, indexes: readonly number[]): void
  onHidden(link: Link, index: number): void
  onClosed(link: Link): void
}

export interface LinkOptions extends LinkEvents {
  readonly peer: Peer
  readonly wire: Wire
  readonly pieces: number
  readonly isNear: (address: string) => boolean
  readonly now: () => number
}

/** Listens to what the peer says it has. A peer that speaks of pieces that do not exist is cut off. */
export const createLink = (options: LinkOptions): Link => {
  const { peer, wire, pieces, isNear, now, onShown, onHidden, onClosed } = options
  let bits = bitsFor(pieces)
  let count = 0
  let closed = false
  const address = addressOf(peer)
  const pipe = pipeOf(peer)

  const link: Link = {
    peer,
    wire,
    address,
    peerId: wire.peerId ?? '',
    name: `peer ${peer.addr ?? wire.peerId}`,
    banSubjects: banSubjectsOf({ address, peerId: wire.peerId ?? '' }),
    endpoint: isOutgoing(wire) && peer.addr !== null ? peer.addr : undefined,
    has: (index) => hasBit(bits, index),
    get pieces() {
      return count
    },
    get isSeed() {
      return count === pieces
    },
    get isFlushed() {
      return pipe?.isFlushed ?? true
    },
    isNear: address !== undefined && isNear(address),
    heardAt: now(),
    close: () => {
      if (closed) return
      closed = true
      peer.retries = Number.POSITIVE_INFINITY // webtorrent would call again after 1, 5 and 15 s.
      peer.destroy()
    },
  }

  const replace = (next: Uint8Array): void => {
    const before = bits
    bits = next
    count = countBits(bits)
    for (const index of indexesOf(before, pieces)) onHidden(link, index)
    onShown(link, [...indexesOf(bits, pieces)])
  }

  wire.on('bitfield', () => {
    const sent = wire.peerPieces.buffer
    if (!isBitfieldFor(sent, pieces)) return link.close()
    replace(Uint8Array.from(sent)) // A copy: the original is part of a larger buffer that should be freed.
  })
  wire.on('have-all', () => replace(allBits(pieces)))
  wire.on('have', (index: number) => {
    if (index < 0 || index >= pieces) return link.close()
    if (hasBit(bits, index)) return
    setBit(bits, index)
    count += 1
    onShown(link, [index])
  })
  wire.lt_donthave?.on('donthave', (index: number) => {
    if (!hasBit(bits, index)) return
    clearBit(bits, index)
    count -= 1
    onHidden(link, index)
  })
  wire.on('extended', (kind: string, handshake: { readonly p?: unknown }) => {
    // BEP 10: `p` is the port that the peer listens on.
    const port = kind === 'handshake' ? Number(handshake?.p) : Number.NaN
    if (link.endpoint !== undefined || address === undefined || !(port > 0 && port < 65_536)) return
    link.endpoint = formatEndpoint({ host: address, port })
  })
  if (pipe !== undefined) {
    pipe.onHeard = () => {
      link.heardAt = now()
    }
  }
  peer.once('disconnect', () => {
    closed = true
    onClosed(link)
  })
  return link
}

/** True if we called the peer; false if it called us. */
export const isOutgoing = (wire: Wire): boolean => wire.type.endsWith('Outgoing')

const addressOf = ({ addr }: Peer): string | undefined => {
  const endpoint = addr === null ? undefined : parseEndpoint(bracketed(addr))
  return endpoint?.host
}

/** webtorrent writes the address of an incoming IPv6 peer without brackets. */
export const bracketed = (address: string): string => {
  const colon = address.lastIndexOf(':')
  const host = address.slice(0, colon)
  return host.includes(':') && !host.startsWith('[') ? `[${host}]${address.slice(colon)}` : address
}

export const addressOfSocket = (socket: Socket): string | undefined =>
  socket.remoteAddress === undefined ? undefined : plainAddress(socket.remoteAddress)

function* indexesOf(bits: Uint8Array, pieces: number): Iterable<number> {
  for (let index = 0; index < pieces; index += 1) if (hasBit(bits, index)) yield index
}
