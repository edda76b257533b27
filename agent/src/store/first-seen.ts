// When this machine first saw each release, by its own clock: a publisher, or whoever has its keys, cannot make a release
// older than it is. Releases that are no longer offered are forgotten, so the table is never longer than the offer.
import type { Product } from '@updraft/core/names'
import * as z from 'zod'
import type { Database } from './database.ts'

export interface OfferedRelease {
  /** `<product>_<version>_<platform>` */
  readonly name: string
  /** SHA-256 of its index: other content under the same name is another release, and new. */
  readonly digest: string
}

export interface FirstSeen {
  /**
   * Notes what is offered now, and answers when each of it was first seen, by its name. A time that lies ahead is one from
   * before the clock was set back; from then on `at` counts.
   */
  note(product: Product, offered: readonly OfferedRelease[], at: string): ReadonlyMap<string, string>
  /** Names of the releases that were offered last. */
  names(product: Product): readonly string[]
  /** When this machine first saw the release with that name and that index. */
  at(name: string, digest: string): string | undefined
}

export const openFirstSeen = (database: Database): FirstSeen => {
  const read = (product: Product) =>
    database.all(row, 'SELECT name, digest, at FROM first_seen WHERE product = ? ORDER BY name', product)

  return {
    note: (product, offered, at) =>
      database.transaction(() => {
        const known = new Map(read(product).map((seen) => [seen.name, seen]))
        const seenAt = new Map<string, string>()
        for (const { name, digest } of offered) {
          const before = known.get(name)
          known.delete(name)
          const isKnown = before !== undefined && before.digest === digest && Date.parse(before.at) <= Date.parse(at)
          seenAt.set(name, isKnown ? before.at : at)
          if (isKnown) continue
          database.run(
            'INSERT OR REPLACE INTO first_seen (product, name, digest, at) VALUES (?, ?, ?, ?)',
            product,
            name,
            digest,
            at,
          )
        }
        for (const gone of known.keys()) {
          database.run('DELETE FROM first_seen WHERE product = ? AND name = ?', product, gone)
        }
        return seenAt
      }),
    names: (product) => read(product).map(({ name }) => name),
    at: (name, digest) =>
      database.get(row, 'SELECT name, digest, at FROM first_seen WHERE name = ? AND digest = ?', name, digest)?.at,
  }
}

const row = z.object({ name: z.string(), digest: z.string(), at: z.string() })
