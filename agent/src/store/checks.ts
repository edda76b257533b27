// What the last checks found: per source when it was refreshed and how long that is good for, per product how that ended, what
// is available, and what was decided.
import {
  type Problem,
  problemSchema,
  type Rule,
  ruleSchema,
  type Signer,
  signerSchema,
} from '@updraft/core/control/api'
import type { Product } from '@updraft/core/names'
import * as z from 'zod'
import * as columns from './columns.ts'
import type { Database } from './database.ts'

export interface SourceCheck {
  readonly source: string
  readonly at: string
  /** When the first of the trusted roles expires, as of the last refresh that succeeded. */
  readonly expires: Expiry | undefined
  readonly rootVersion: number | undefined
}

export interface ProductCheck {
  readonly source: string
  readonly at: string
  /** Why the last check failed; undefined if it did not. */
  readonly problem: Problem | undefined
}

export interface Expiry {
  readonly role: string
  /** ISO 8601 in UTC. */
  readonly at: string
}

export interface DecisionRecord {
  readonly product: Product
  readonly at: string
  readonly available: AvailableRelease | undefined
  readonly rules: readonly Rule[]
  /** Who signed the product's metadata, and how many had to. */
  readonly signers: readonly Signer[]
  readonly threshold: number
}

export interface AvailableRelease {
  readonly version: string
  readonly published: string
  readonly notes?: string | undefined
}

export interface Checks {
  source(source: string): SourceCheck | undefined
  product(product: Product): ProductCheck | undefined
  succeeded(checked: Checked, expires: Expiry, rootVersion: number): void
  /** Keeps expiry and root version of the last success. */
  failed(checked: Checked, problem: Problem): void
  /** The source is not asked for the product any more, so what was wrong with it is no longer. */
  forget(product: Product): void
  decision(product: Product): DecisionRecord | undefined
  decided(decision: DecisionRecord): void
}

/** Which product was looked for in which source, and when. */
export interface Checked {
  readonly source: string
  readonly product: Product
  /** ISO 8601 in UTC. */
  readonly at: string
}

export const openChecks = (database: Database): Checks => ({
  source: (source) =>
    database.get(
      sourceCheck,
      'SELECT source, at, expires, root_version AS rootVersion FROM source_check WHERE source = ?',
      source,
    ),
  product: (product) =>
    database.get(productCheck, 'SELECT source, at, problem FROM product_check WHERE product = ?', product),
  succeeded: ({ source, product, at }, expires, rootVersion) =>
    database.transaction(() => {
      database.run(
        'INSERT OR REPLACE INTO source_check (source, at, problem, expires, root_version) VALUES (?, ?, NULL, ?, ?)',
        source,
        at,
        JSON.stringify(expires),
        rootVersion,
      )
      putCheck(database, { source, product, at }, null)
    }),
  failed: ({ source, product, at }, problem) =>
    database.transaction(() => {
      database.run(
        `INSERT INTO source_check (source, at) VALUES (?, ?)
         ON CONFLICT (source) DO UPDATE SET at = excluded.at`,
        source,
        at,
      )
      putCheck(database, { source, product, at }, JSON.stringify(problem))
    }),
  forget: (product) => database.run('DELETE FROM product_check WHERE product = ?', product),
  decision: (product) =>
    database.get(
      decision,
      'SELECT product, at, available, rules, signers, threshold FROM decision WHERE product = ?',
      product,
    ),
  decided: ({ product, at, available, rules, signers, threshold }) =>
    database.run(
      'INSERT OR REPLACE INTO decision (product, at, available, rules, signers, threshold) VALUES (?, ?, ?, ?, ?, ?)',
      product,
      at,
      available === undefined ? null : JSON.stringify(available),
      JSON.stringify(rules),
      JSON.stringify(signers),
      threshold,
    ),
})

const putCheck = (database: Database, { source, product, at }: Checked, problem: string | null): void =>
  database.run(
    'INSERT OR REPLACE INTO product_check (product, source, at, problem) VALUES (?, ?, ?, ?)',
    product,
    source,
    at,
    problem,
  )

const productCheck = z.object({
  source: z.string(),
  at: z.string(),
  problem: columns.optional(columns.json(problemSchema)),
})

const sourceCheck = z.object({
  source: z.string(),
  at: z.string(),
  expires: columns.optional(columns.json(z.object({ role: z.string(), at: z.string() }))),
  rootVersion: columns.optional(z.int()),
})

const decision = z.object({
  product: columns.product,
  at: z.string(),
  available: columns.optional(
    columns.json(z.object({ version: z.string(), published: z.string(), notes: z.string().optional() })),
  ),
  rules: columns.json(z.array(ruleSchema)),
  signers: columns.json(z.array(signerSchema)),
  threshold: z.int(),
})
