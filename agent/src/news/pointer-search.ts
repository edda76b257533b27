// Finds the machines of a repository when nobody that is known answers: by the pointer that the publisher keeps in the DHT, and by
// who is under the repository's infohashes there. Keeps both alive in turn, so that they outlive the publisher's own machine.
import { messageOf } from '@updraft/core/errors'
import type { DistributedTable } from '@updraft/core/swarm/announce/distributed-table'
import { POINTER_SALT, parsePointer } from '@updraft/core/swarm/news/pointer'
import type { Log } from '../log.ts'

export interface PointerSearch {
  /** Where to call, and under which infohashes besides one's own. Empty without a DHT. */
  find(): Promise<Found>
  /** Says that this machine is there, and stores the pointer again; once an hour at most. */
  tend(): Promise<void>
}

export interface Found {
  /** `host:port` */
  readonly addresses: readonly string[]
  readonly topics: readonly string[]
}

export interface PointerSearchOptions {
  readonly table: () => DistributedTable | undefined
  /** Ed25519 keys (hex) of the role timestamp, by the newest root that is trusted. */
  readonly keys: () => Promise<readonly string[]>
  readonly topics: () => Promise<readonly string[]>
  readonly log: Pick<Log, 'debug'>
}

const NOTHING: Found = { addresses: [], topics: [] }

/** Nodes forget what they are not told again within two hours or less. */
const TEND_EVERY_MS = 50 * 60_000
const KEYS_MAX = 4
const ADDRESSES_MAX = 32

export const pointerSearch = ({ table, keys, topics, log }: PointerSearchOptions): PointerSearch => {
  let tendedAt = Number.NEGATIVE_INFINITY

  const itemsIn = async (dht: DistributedTable) => {
    const wanted = (await keys()).slice(0, KEYS_MAX)
    const items = await Promise.all(wanted.map((key) => dht.get(Buffer.from(key, 'hex'), POINTER_SALT)))
    return items.flatMap((item) => {
      if (item === undefined) return []
      try {
        return [{ item, pointer: parsePointer(item.value) }]
      } catch (error) {
        log.debug(`what the DHT has is no pointer: ${messageOf(error)}`)
        return []
      }
    })
  }

  return {
    find: async () => {
      const dht = table()
      if (dht === undefined) return NOTHING
      const pointers = (await itemsIn(dht)).map(({ pointer }) => pointer)
      const own = await topics()
      const all = [...new Set([...pointers.map(({ topic }) => topic), ...own])]
      const found = await Promise.all(all.map((topic) => dht.lookup(topic)))
      const addresses = [...pointers.flatMap((pointer) => pointer.addresses), ...found.flat()]
      return {
        addresses: [...new Set(addresses)].slice(0, ADDRESSES_MAX),
        topics: all.filter((topic) => !own.includes(topic)),
      }
    },
    tend: async () => {
      const dht = table()
      if (dht === undefined || performance.now() - tendedAt < TEND_EVERY_MS) return
      tendedAt = performance.now()
      for (const topic of await topics()) dht.announce(topic)
      for (const { item } of await itemsIn(dht)) await dht.put(item)
    },
  }
}
