// Which verified bundles this machine keeps and shares. A row stands for files that are in `bundles/`.
import type { Platform, Product, ReleaseVersion } from '@updraft/core/names'
import * as z from 'zod'
import * as columns from './columns.ts'
import type { Database } from './database.ts'

export interface SeedRecord {
  /** `<product>_<version>_<platform>`, also the name of the bundle's folder. */
  readonly name: string
  readonly product: Product
  readonly version: ReleaseVersion
  readonly platform: Platform
  readonly infoHash: string
  /** Absolute announce URLs. */
  readonly trackers: readonly string[]
  readonly lengthBytes: number
  readonly since: string
  /** What the files looked like when all of them had been verified; undefined is not known. */
  readonly stamp?: string | undefined
}

export interface Seeds {
  all(): readonly SeedRecord[]
  put(seed: SeedRecord): void
  remove(name: string): void
}

export const openSeeds = (database: Database): Seeds => ({
  all: () => database.all(record, `${SELECT} ORDER BY since, name`),
  put: ({ name, product, version, platform, infoHash, trackers, lengthBytes, since, stamp }) =>
    database.run(
      `INSERT OR REPLACE INTO seed (name, product, version, platform, info_hash, trackers, length_bytes, since, stamp)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      name,
      product,
      version,
      platform,
      infoHash,
      JSON.stringify(trackers),
      lengthBytes,
      since,
      stamp ?? null,
    ),
  remove: (name) => database.run('DELETE FROM seed WHERE name = ?', name),
})

const SELECT = `SELECT name, product, version, platform, info_hash AS infoHash, trackers, length_bytes AS lengthBytes, since,
                       stamp
                FROM seed`

const record = z.object({
  name: z.string(),
  product: columns.product,
  version: columns.version,
  platform: columns.platform,
  infoHash: z.string(),
  trackers: columns.json(z.array(z.string())),
  lengthBytes: z.int(),
  since: z.string(),
  stamp: columns.optional(z.string()),
})
