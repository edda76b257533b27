// Where products are in use beyond their folders, and which version is. What is not certain after a kill says so here.
import type { Product, ReleaseVersion } from '@updraft/core/names'
import * as z from 'zod'
import { type InstallKind, installKindSchema } from '../settings/install-kind.ts'
import * as columns from './columns.ts'
import type { Database } from './database.ts'

export interface Activation {
  readonly install: InstallKind
  /** Undefined while it is being changed, or after that has failed. */
  readonly version: ReleaseVersion | undefined
}

export interface Activations {
  /** Undefined for a product that is in use as its folder only. */
  of(product: Product): Activation | undefined
  put(product: Product, install: InstallKind, version: ReleaseVersion): void
  /** From now on nobody knows which version is in use. */
  doubt(product: Product): void
}

export const openActivations = (database: Database): Activations => {
  const of = (product: Product) =>
    database.get(activation, 'SELECT setting AS install, version FROM activation WHERE product = ?', product)
  return {
    of,
    put: (product, install, version) => {
      if (install.kind !== 'directory') {
        database.run(
          'INSERT OR REPLACE INTO activation (product, setting, version) VALUES (?, ?, ?)',
          product,
          JSON.stringify(install),
          version,
        )
      } else if (of(product) !== undefined) database.run('DELETE FROM activation WHERE product = ?', product)
    },
    doubt: (product) => {
      if (of(product) !== undefined) database.run('UPDATE activation SET version = NULL WHERE product = ?', product)
    },
  }
}

const activation = z.object({
  install: columns.json(installKindSchema),
  version: columns.optional(columns.version),
})
