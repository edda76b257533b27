// Version floors: the highest metadata version that was ever accepted, per source and TUF role. They live here, outside
// the metadata cache, so that a cache that was damaged or deleted cannot bring an older signed state back.
import * as z from 'zod'
import type { Database } from './database.ts'

export interface VersionFloors {
  /** Version by role; empty for a source never refreshed. */
  read(source: string): Readonly<Record<string, number>>
  /** Raises what is higher than known and leaves the rest: a floor never sinks. */
  raise(source: string, versions: Readonly<Record<string, number>>): void
}

export const openFloors = (database: Database): VersionFloors => ({
  read: (source) => {
    const rows = database.all(row, 'SELECT role, version FROM floor WHERE source = ?', source)
    return Object.fromEntries(rows.map(({ role, version }) => [role, version]))
  },
  raise: (source, versions) =>
    database.transaction(() => {
      for (const [role, version] of Object.entries(versions)) {
        database.run(
          `INSERT INTO floor (source, role, version) VALUES (?, ?, ?)
           ON CONFLICT (source, role) DO UPDATE SET version = max(version, excluded.version)`,
          source,
          role,
          version,
        )
      }
    }),
})

const row = z.object({ role: z.string(), version: z.int().min(1) })
