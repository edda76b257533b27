// Versions that are bad on this machine: they did not pass their probe here, or a person went back from them. What follows
// from a mark is decided in the plan.
import { type Problem, problemSchema } from '@updraft/core/control/api'
import type { Product, ReleaseVersion } from '@updraft/core/names'
import * as z from 'zod'
import * as columns from './columns.ts'
import type { Database } from './database.ts'

/** `install`: it could not be brought into use; `start`: an agent that was started anew gave no sign of good health. */
const JUDGES = ['probe', 'person', 'install', 'start'] as const

export interface BadMark {
  readonly product: Product
  readonly version: ReleaseVersion
  /** Who found it bad. */
  readonly by: (typeof JUDGES)[number]
  readonly problem: Problem
  /** ISO 8601 in UTC. */
  readonly at: string
}

export interface BadMarks {
  /** Oldest first. */
  all(product: Product): readonly BadMark[]
  of(product: Product, version: ReleaseVersion): BadMark | undefined
  put(mark: BadMark): void
  lift(product: Product, version: ReleaseVersion): void
}

export const openBadMarks = (database: Database): BadMarks => ({
  all: (product) => database.all(mark, `${SELECT} WHERE product = ? ORDER BY at`, product),
  of: (product, version) => database.get(mark, `${SELECT} WHERE product = ? AND version = ?`, product, version),
  put: ({ product, version, by, problem, at }) =>
    database.run(
      'INSERT OR REPLACE INTO bad_mark (product, version, marked_by, problem, at) VALUES (?, ?, ?, ?, ?)',
      product,
      version,
      by,
      JSON.stringify(problem),
      at,
    ),
  lift: (product, version) => database.run('DELETE FROM bad_mark WHERE product = ? AND version = ?', product, version),
})

const SELECT = 'SELECT product, version, marked_by AS "by", problem, at FROM bad_mark'

const mark = z.object({
  product: columns.product,
  version: columns.version,
  by: z.enum(JUDGES),
  problem: columns.json(problemSchema),
  at: z.string(),
})
