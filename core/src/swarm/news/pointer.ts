// The pointer in the DHT (BEP 44, in the way of BEP 46): where the machines of a repository meet, which metadata is the newest,
// and where its origin is. Signed by a key of the role timestamp, which says just that; it only locates all the same.
import { isIPv4 } from 'node:net'
import { encodeBencode } from '../bencode.ts'
import { formatEndpoint, parseEndpoint } from '../peers/addresses.ts'

export interface Pointer {
  /** Infohash (hex) under which machines meet: `topicOf` the newest root. */
  readonly topic: string
  /** Version of the newest timestamp. */
  readonly timestamp: number
  /** `host:port` in IPv4 where the publisher's own seeder is. */
  readonly addresses: readonly string[]
}

/** One public key may sign other things as well: what is stored under this salt is a pointer. */
export const POINTER_SALT = Buffer.from('updraft_tuf 1')

/** A datagram carries less than 1,000 bytes of value (BEP 44). */
const ADDRESSES_MAX = 8
const COMPACT_LENGTH = 6

/** The value as the DHT stores it. */
export interface PointerValue {
  /** BEP 46: the infohash. */
  readonly ih: Uint8Array
  /** Compact addresses, as trackers give them (BEP 23). */
  readonly p: Uint8Array
  readonly ts: number
}

export const pointerValueOf = ({ topic, timestamp, addresses }: Pointer): PointerValue => ({
  ih: Buffer.from(topic, 'hex'),
  p: Buffer.concat(addresses.slice(0, ADDRESSES_MAX).flatMap(compactOf)),
  ts: timestamp,
})

/** What a key signs: value, number and salt (BEP 44). */
export const signedBytesOf = (value: PointerValue, seq: number): Uint8Array =>
  encodeBencode({ salt: POINTER_SALT, seq, v: { ...value } }).slice(1, -1)

/**
 * Reads a value that came from the DHT, as the library decoded it.
 *
 * Errors: SyntaxError for what is no pointer.
 */
export const parsePointer = (value: unknown): Pointer => {
  const { ih, p, ts } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  if (!(ih instanceof Uint8Array) || ih.length !== 20) throw new SyntaxError('ih is no infohash')
  if (!(p instanceof Uint8Array) || p.length % COMPACT_LENGTH !== 0 || p.length > ADDRESSES_MAX * COMPACT_LENGTH) {
    throw new SyntaxError('p is no list of addresses')
  }
  if (typeof ts !== 'number' || !Number.isSafeInteger(ts) || ts < 0) throw new SyntaxError('ts is no version')
  const bytes = Buffer.from(p)
  const addresses: string[] = []
  for (let at = 0; at < bytes.length; at += COMPACT_LENGTH) {
    const port = bytes.readUInt16BE(at + 4)
    if (port > 0) addresses.push(formatEndpoint({ host: [...bytes.subarray(at, at + 4)].join('.'), port }))
  }
  return { topic: Buffer.from(ih).toString('hex'), timestamp: ts, addresses }
}

/** Nothing for a name or an IPv6 address: values are short, and machines of both kinds meet under the topic. */
const compactOf = (address: string): readonly Uint8Array[] => {
  const { host = '', port = 0 } = parseEndpoint(address) ?? {}
  return isIPv4(host) ? [Buffer.from([...host.split('.').map(Number), port >> 8, port & 255])] : []
}
