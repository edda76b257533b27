// What a proof says of what it found: in the words of findings where there are such, and of error codes otherwise. Pure.
import { ERROR_CODES, isUpdateError } from '@updraft/core/errors'
import { describeRelease, type ReleaseName } from '@updraft/core/names'
import { FINDINGS, isFindingCode, type Severity } from '@updraft/core/trust/finding'
import { findingCodeOf } from '../report.ts'

export interface ProofFinding {
  /** A finding, or an error code in lower case. */
  readonly code: string
  readonly severity: Severity
  readonly message: string
  readonly hint: string
}

export const finding = (code: keyof typeof FINDINGS, message: string, hint = ''): ProofFinding => ({
  code,
  severity: FINDINGS[code].severity,
  message,
  hint,
})

export const unknownRelease = (name: ReleaseName): ProofFinding => ({
  code: 'release-unknown',
  severity: 'error',
  message: `${describeRelease(name)} is not among the signed releases`,
  hint: 'it was withdrawn, or never signed: ask the publisher',
})

export const altered = (message: string): ProofFinding => ({
  code: 'tree-altered',
  severity: 'error',
  message,
  hint: 'somebody or something changed it after it was installed; install the product again from its release',
})

/** What is a verdict about trust, or about a file of ours, becomes a finding; everything else ends the command. */
export const refusalOf = (error: unknown, isAboutBytes: boolean): ProofFinding => {
  if (!isUpdateError(error)) throw error
  const { exit } = ERROR_CODES[error.code]
  if (exit !== 'untrusted' && error.code !== 'PRODUCT_UNKNOWN' && error.code !== 'IO') throw error
  const code = findingCodeOf(error.code, isAboutBytes) ?? error.code.toLowerCase().replaceAll('_', '-')
  const severity = isFindingCode(code) ? FINDINGS[code].severity : 'error'
  return { code, severity, message: error.message, hint: error.hint ?? '' }
}
