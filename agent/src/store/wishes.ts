// What the owner of this machine wants of a product, beyond the settings: that it stays as it is for a while, and which
// versions may be installed, or never. Kept until the owner says otherwise.
import type { Product, ReleaseVersion } from '@updraft/core/names'
import * as z from 'zod'
import type { Hold, OwnerWishes } from '../plan/facts.ts'
import * as columns from './columns.ts'
import type { Database } from './database.ts'

export interface Wishes {
  of(product: Product): OwnerWishes
  /** Takes the place of a hold that there is. */
  hold(product: Product, hold: Hold): void
  /** False if there was none. */
  unhold(product: Product): boolean
  /** Takes the place of what was said about the version before; false if that was the same. */
  judge(product: Product, version: ReleaseVersion, verdict: Verdict, at: string): boolean
}

export type Verdict = 'approved' | 'skipped'

export const openWishes = (database: Database): Wishes => ({
  of: (product) => ({
    hold: database.get(hold, 'SELECT since, until FROM hold WHERE product = ?', product),
    verdicts: new Map(
      database
        .all(verdict, 'SELECT version, verdict FROM verdict WHERE product = ?', product)
        .map((row) => [row.version, row.verdict]),
    ),
  }),
  hold: (product, { since, until }) =>
    database.run('INSERT OR REPLACE INTO hold (product, since, until) VALUES (?, ?, ?)', product, since, until ?? null),
  unhold: (product) =>
    database.transaction(() => {
      const was = database.get(hold, 'SELECT since, until FROM hold WHERE product = ?', product)
      database.run('DELETE FROM hold WHERE product = ?', product)
      return was !== undefined
    }),
  judge: (product, version, wanted, at) =>
    database.transaction(() => {
      const known = database.get(
        verdict,
        'SELECT version, verdict FROM verdict WHERE product = ? AND version = ?',
        product,
        version,
      )
      if (known?.verdict === wanted) return false
      database.run(
        'INSERT OR REPLACE INTO verdict (product, version, verdict, at) VALUES (?, ?, ?, ?)',
        product,
        version,
        wanted,
        at,
      )
      return true
    }),
})

const hold = z.object({ since: z.string(), until: columns.optional(z.string()) })
const verdict = z.object({ version: columns.version, verdict: z.enum(['approved', 'skipped']) })
