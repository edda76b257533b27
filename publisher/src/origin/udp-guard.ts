// The door of the UDP tracker: an address on UDP can be forged, so nothing is believed of a packet until its sender has
// shown that it receives what is sent to that address. bittorrent-tracker 11.2.3 gives every client the same
// connection id and believes the `ip` field; with this in front of it, neither matters.
import { createHmac } from 'node:crypto'

/** What to do with a packet: answer it, pass it on to the tracker, or drop it without an answer. */
export type UdpVerdict =
  | { readonly kind: 'answer'; readonly bytes: Buffer }
  | { readonly kind: 'pass'; readonly bytes: Buffer }
  | { readonly kind: 'drop'; readonly reason: string }

/** The protocol's constant in the first packet, and the only connection id that bittorrent-tracker knows. */
const PROTOCOL_ID = Buffer.from('0000041727101980', 'hex')
const CONNECT = 0
const ANNOUNCE = 1
const HEADER_BYTES = 16
const ANNOUNCE_BYTES = 98
const IP_OFFSET = 84

/**
 * Judges a packet from `address` at the time `nowMs`. Keeps nothing: a connection id is a code over the address and the
 * minute, so that a flood of first packets costs no memory.
 *
 * Units:  a connection id is good for the minute it was made in and the two after it.
 * Source: BEP 15.
 */
export const judgeUdpPacket = (packet: Buffer, address: string, nowMs: number, secret: Buffer): UdpVerdict => {
  if (packet.length < HEADER_BYTES) return { kind: 'drop', reason: `a packet of ${packet.length} bytes` }
  const minute = Math.floor(nowMs / 60_000)
  const action = packet.readUInt32BE(8)
  const presented = packet.subarray(0, 8)
  if (action === CONNECT) {
    if (!presented.equals(PROTOCOL_ID)) return { kind: 'drop', reason: 'a first packet of another protocol' }
    const transaction = packet.subarray(12, HEADER_BYTES)
    const bytes = Buffer.concat([Buffer.alloc(4), transaction, connectionIdOf(address, minute, secret)])
    return { kind: 'answer', bytes }
  }
  const known = [minute, minute - 1, minute - 2].some((when) => presented.equals(connectionIdOf(address, when, secret)))
  if (!known) return { kind: 'drop', reason: 'a connection id that was not given to this address' }
  if (action === ANNOUNCE && packet.length < ANNOUNCE_BYTES) return { kind: 'drop', reason: 'half an announce' }
  const bytes = Buffer.from(packet)
  PROTOCOL_ID.copy(bytes)
  // Zero stands for the address that the packet came from.
  if (action === ANNOUNCE) bytes.fill(0, IP_OFFSET, IP_OFFSET + 4)
  return { kind: 'pass', bytes }
}

const connectionIdOf = (address: string, minute: number, secret: Buffer): Buffer =>
  createHmac('sha256', secret).update(`${minute} ${address}`).digest().subarray(0, 8)
