// What is installed on this machine, and which version of each product is the current one.
import { type Signer, signerSchema } from '@updraft/core/control/api'
import type { Platform, Product, ReleaseVersion } from '@updraft/core/names'
import * as z from 'zod'
import * as columns from './columns.ts'
import type { Database } from './database.ts'

export interface InstalledRecord {
  readonly product: Product
  readonly version: ReleaseVersion
  readonly platform: Platform
  readonly source: string
  /** The path that stays the same over all versions. */
  readonly path: string
  readonly signers: readonly Signer[]
  readonly threshold: number
  /** ISO 8601 in UTC. */
  readonly installedAt: string
}

export interface InstalledVersions {
  current(product: Product): InstalledRecord | undefined
  /** The current version of every product. */
  allCurrent(): readonly InstalledRecord[]
  /** Every version of the product that is kept, newest installation first. */
  kept(product: Product): readonly InstalledRecord[]
  /** Records the version and makes it the current one. */
  makeCurrent(record: InstalledRecord): void
  /** Records a version that is not the current one, unless it is known. */
  keep(record: InstalledRecord): void
  /** Forgets a kept version; the current one stays. */
  forget(product: Product, version: ReleaseVersion): void
  /** Forgets a version that is not on the disk any more, also the current one. */
  lose(product: Product, version: ReleaseVersion): void
}

export const openInstalled = (database: Database): InstalledVersions => ({
  current: (product) => database.get(record, `${SELECT} WHERE current = 1 AND product = ?`, product),
  allCurrent: () => database.all(record, `${SELECT} WHERE current = 1 ORDER BY product`),
  kept: (product) => database.all(record, `${SELECT} WHERE product = ? ORDER BY nth DESC, installed_at DESC`, product),
  makeCurrent: (record) =>
    database.transaction(() => {
      const { product } = record
      database.run('UPDATE installed SET current = 0 WHERE product = ?', product)
      const last = '(SELECT coalesce(max(nth), 0) FROM installed WHERE product = ?)'
      database.run(`INSERT OR REPLACE INTO ${INTO} 1, 1 + ${last})`, ...valuesOf(record), product)
    }),
  keep: (record) => database.run(`INSERT OR IGNORE INTO ${INTO} 0, 0)`, ...valuesOf(record)),
  forget: (product, version) =>
    database.run('DELETE FROM installed WHERE product = ? AND version = ? AND current = 0', product, version),
  lose: (product, version) => database.run('DELETE FROM installed WHERE product = ? AND version = ?', product, version),
})

const INTO = `installed (product, version, platform, source, path, signers, threshold, installed_at, current, nth)
              VALUES (?, ?, ?, ?, ?, ?, ?, ?,`

const valuesOf = ({ product, version, platform, source, path, signers, threshold, installedAt }: InstalledRecord) => [
  product,
  version,
  platform,
  source,
  path,
  JSON.stringify(signers),
  threshold,
  installedAt,
]

const SELECT = `SELECT product, version, platform, source, path, signers, threshold, installed_at AS installedAt
                FROM installed`

const record = z.object({
  product: columns.product,
  version: columns.version,
  platform: columns.platform,
  source: z.string(),
  path: z.string(),
  signers: columns.json(z.array(signerSchema)),
  threshold: z.int(),
  installedAt: z.string(),
})
