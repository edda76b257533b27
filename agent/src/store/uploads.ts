// What was sent to peers, by calendar month: the quota of a month outlives every restart.
import * as z from 'zod'
import type { Database } from './database.ts'

/** Bytes of payload. */
export interface Uploaded {
  readonly lan: number
  readonly outside: number
}

export interface Uploads {
  /** `month` is `2026-01`. */
  of(month: string): Uploaded
  /** Months that are long over are forgotten. */
  add(month: string, uploaded: Uploaded): void
}

const MONTHS_KEPT = 13

export const openUploads = (database: Database): Uploads => ({
  of: (month) =>
    database.all(
      uploaded,
      'SELECT lan_bytes AS lan, outside_bytes AS outside FROM uploaded WHERE month = ?',
      month,
    )[0] ?? NOTHING,
  add: (month, { lan, outside }) =>
    database.transaction(() => {
      database.run(
        `INSERT INTO uploaded (month, lan_bytes, outside_bytes) VALUES (?, ?, ?)
         ON CONFLICT (month) DO UPDATE SET lan_bytes = lan_bytes + excluded.lan_bytes,
                                           outside_bytes = outside_bytes + excluded.outside_bytes`,
        month,
        lan,
        outside,
      )
      database.run(
        'DELETE FROM uploaded WHERE month NOT IN (SELECT month FROM uploaded ORDER BY month DESC LIMIT ?)',
        MONTHS_KEPT,
      )
    }),
})

const NOTHING: Uploaded = { lan: 0, outside: 0 }

const uploaded = z.object({ lan: z.int(), outside: z.int() })
