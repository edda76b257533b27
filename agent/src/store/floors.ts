// Version floors: the highest metadata versions that were ever accepted of each source, under the names that the refresh
// room gives them. They live here, outside the metadata cache, so that a cache that was damaged or deleted cannot bring an
// older signed state back. Raising never lowers.
import * as z from 'zod'
import type { VersionFloors } from '../refresh.ts'
import type { Database } from './database.ts'

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
