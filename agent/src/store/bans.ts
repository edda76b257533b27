// Who sent bad data, so that a restart of the agent is no pardon. Ended bans are forgotten, and of too many the one that ends first.
import type { Product } from '@updraft/core/names'
import * as z from 'zod'
import type { Database } from './database.ts'

export interface Ban {
  /** The swarm's word for an address, a peer or a web seed. */
  readonly subject: string
  readonly reason: string
  /** ISO 8601 in UTC. */
  readonly until: string
  /** The name of the bundle that the bad data was sent for, `acme_1.0.0_any`; undefined if it was for none. */
  readonly bundle?: string | undefined
}

export interface Bans {
  /** Those that last at `at`, the one that ends first first. */
  lasting(at: string): readonly Ban[]
  /** Those of `lasting` who sent bad data for the product. */
  of(product: Product, at: string): readonly Ban[]
  /** Replaces an earlier one of the same subject. At most `most` are kept. */
  put(ban: Ban, at: string, most: number): void
}

export const openBans = (database: Database): Bans => ({
  lasting: (at) =>
    database.all(ban, 'SELECT subject, reason, until, bundle FROM ban WHERE until > ? ORDER BY until', at),
  of: (product, at) =>
    database.all(
      ban,
      "SELECT subject, reason, until, bundle FROM ban WHERE until > ? AND substr(bundle, 1, instr(bundle, '_') - 1) = ? ORDER BY until",
      at,
      product,
    ),
  put: ({ subject, reason, until, bundle }, at, most) =>
    database.transaction(() => {
      database.run('DELETE FROM ban WHERE until <= ?', at)
      database.run(
        'INSERT OR REPLACE INTO ban (subject, reason, until, bundle) VALUES (?, ?, ?, ?)',
        subject,
        reason,
        until,
        bundle ?? null,
      )
      database.run(
        'DELETE FROM ban WHERE subject IN (SELECT subject FROM ban ORDER BY until DESC LIMIT -1 OFFSET ?)',
        most,
      )
    }),
})

const ban = z.object({
  subject: z.string(),
  reason: z.string(),
  until: z.string(),
  bundle: z.pipe(
    z.nullable(z.string()),
    z.transform((bundle) => bundle ?? undefined),
  ),
})
