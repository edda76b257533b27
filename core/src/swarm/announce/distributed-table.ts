// The distributed hash table as the rest asks it: mutable items (BEP 44), and who is under an infohash (BEP 5). Everything that
// comes out of it is a hint of strangers, but for the signature of an item, which is checked.
import { createHash } from 'node:crypto'
import type { Dht } from 'webtorrent'
import { verifySignature } from '../../trust/keys.ts'
import { formatEndpoint } from '../peers/addresses.ts'

export interface MutableItem {
  /** Ed25519, 32 bytes. */
  readonly publicKey: Uint8Array
  readonly salt: Uint8Array
  /** Of two items the one with the higher number is the newer. */
  readonly seq: number
  /** As it was decoded; a dictionary is an object. */
  readonly value: unknown
  readonly signature: Uint8Array
}

export interface DistributedTable {
  /** The newest item under key and salt that was found; undefined if there is none, or time was over first. */
  get(publicKey: Uint8Array, salt: Uint8Array): Promise<MutableItem | undefined>
  /** Stores it, or keeps it stored. How many others took it; 0 if nobody did. */
  put(item: MutableItem): Promise<number>
  /** Says that this machine is under the infohash. */
  announce(infoHash: string): void
  /** `host:port` of those who said so, the first ones that are found. */
  lookup(infoHash: string): Promise<readonly string[]>
}

/** A search ends by itself when nobody nearer is found; nodes that do not answer take it two seconds each. */
const SEARCH_TIMEOUT_MS = 15_000
const FOUND_MAX = 32

export const distributedTable = (dht: Dht, port: number): DistributedTable => ({
  get: (publicKey, salt) =>
    within<MutableItem | undefined>(undefined, (done) => {
      const target = createHash('sha1').update(publicKey).update(salt).digest()
      dht.get(target, { salt, cache: false }, (_error, found) => {
        const { v, seq, sig } = found ?? {}
        done(
          v === undefined || seq === undefined || sig === undefined
            ? undefined
            : { publicKey, salt, seq, value: v, signature: sig },
        )
      })
    }),
  put: ({ publicKey, salt, seq, value, signature }) =>
    within(0, (done) => {
      const item = { k: Buffer.from(publicKey), salt: Buffer.from(salt), seq, v: value, sig: Buffer.from(signature) }
      dht.put(item, (error, _key, stored) => done(error == null ? Number(stored ?? 0) : 0))
    }),
  announce: (infoHash) => dht.announce(infoHash, port, () => {}), // Nobody near it yet: the next time, then.
  lookup: (infoHash) => {
    const found = new Set<string>()
    const onPeer = (peer: { readonly host: string; readonly port: number }, of: Uint8Array): void => {
      if (Buffer.from(of).toString('hex') === infoHash && found.size < FOUND_MAX) found.add(formatEndpoint(peer))
    }
    dht.on('peer', onPeer)
    return within(undefined, (done) => void dht.lookup(infoHash, () => done(undefined))).then(() => {
      dht.off('peer', onPeer)
      return [...found]
    })
  },
})

/** For the table's `verify`: BEP 44 signs with Ed25519. */
export const verifyItem = (signature: Uint8Array, bytes: Uint8Array, publicKey: Uint8Array): boolean =>
  verifySignature(
    { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: Buffer.from(publicKey).toString('hex') } },
    bytes,
    Buffer.from(signature).toString('hex'),
  )

const within = <T>(otherwise: T, search: (done: (found: T) => void) => void): Promise<T> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, SEARCH_TIMEOUT_MS, otherwise)
    search((found) => {
      clearTimeout(timer)
      resolve(found)
    })
  })
