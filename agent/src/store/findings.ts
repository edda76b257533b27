// Trust findings about each product: raised when first seen, cleared when a check no longer sees them, and the last
// of those kept afterwards.

import type { Product } from '@updraft/core/names'
import { FINDINGS, type FindingCode, SEVERITIES, type Severity, type TrustFinding } from '@updraft/core/trust/finding'
import * as z from 'zod'
import type { Database } from './database.ts'

export interface NewFinding {
  readonly code: FindingCode
  readonly message: string
  readonly hint: string
  /** Other than that of the code, where the owner of the machine takes it for less. */
  readonly severity?: Severity | undefined
}

export interface Findings {
  /** What holds now, oldest first. */
  open(product: Product): readonly TrustFinding[]
  /** Records the finding; the answer is undefined if it was known with the same words. `since` stays the first time. */
  raise(product: Product, finding: NewFinding, at: string): TrustFinding | undefined
  /** False if there was no such finding. */
  clear(product: Product, code: FindingCode, at: string): boolean
}

export const openFindings = (database: Database): Findings => {
  const find = (product: Product, code: FindingCode) =>
    database.get(finding, `${SELECT} AND product = ? AND code = ?`, product, code)

  return {
    open: (product) => database.all(finding, `${SELECT} AND product = ? ORDER BY id`, product),
    raise: (product, { code, message, hint, severity }, at) =>
      database.transaction(() => {
        const known = find(product, code)
        const isSame = known?.severity === (severity ?? FINDINGS[code].severity)
        if (known?.message === message && known.hint === hint && isSame) return undefined
        database.run(
          `INSERT INTO finding (product, code, message, hint, since, severity) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (product, code) WHERE cleared_at IS NULL
           DO UPDATE SET message = excluded.message, hint = excluded.hint, severity = excluded.severity`,
          product,
          code,
          message,
          hint,
          at,
          severity ?? null,
        )
        return find(product, code)
      }),
    clear: (product, code, at) =>
      database.transaction(() => {
        if (find(product, code) === undefined) return false
        database.run(
          'UPDATE finding SET cleared_at = ? WHERE product = ? AND code = ? AND cleared_at IS NULL',
          at,
          product,
          code,
        )
        database.run(
          `DELETE FROM finding WHERE product = ? AND cleared_at IS NOT NULL AND id NOT IN
             (SELECT id FROM finding WHERE product = ? AND cleared_at IS NOT NULL ORDER BY id DESC LIMIT ?)`,
          product,
          product,
          CLEARED_KEPT,
        )
        return true
      }),
  }
}

/** Per product. A source that comes and goes would leave a row each time, for years. */
const CLEARED_KEPT = 50

const SELECT = 'SELECT code, message, hint, since, severity FROM finding WHERE cleared_at IS NULL'

const finding = z
  .object({
    code: z.enum(Object.keys(FINDINGS) as [FindingCode, ...FindingCode[]]),
    message: z.string(),
    hint: z.string(),
    since: z.string(),
    severity: z.enum(SEVERITIES).nullable(),
  })
  .transform((row): TrustFinding => ({ ...row, severity: row.severity ?? FINDINGS[row.code].severity }))
