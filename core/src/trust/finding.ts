// Trust findings: one thing about a product's trust that a person should know. This is the vocabulary that agent,
// control API and extension share; where findings come from is the business of the rooms.
import * as z from 'zod/mini'

export const SEVERITIES = ['info', 'warning', 'error'] as const
export type Severity = (typeof SEVERITIES)[number]

/** One row per finding: how bad it is, and the one line that names it. */
export const FINDINGS = {
  'root-on-first-use': {
    severity: 'info',
    title: 'the root was taken from the server on first use, and nobody has compared it',
  },
  'root-unknown': {
    severity: 'error',
    title: 'no root is pinned for the source, or an imported file is of another one',
  },
  'metadata-untrusted': { severity: 'error', title: 'metadata is not signed as the trusted root demands' },
  'metadata-rollback': { severity: 'error', title: 'the source offers older metadata than it did before' },
  'metadata-expired': { severity: 'warning', title: 'metadata has expired' },
  'metadata-expiring': { severity: 'info', title: 'metadata expires soon' },
  'metadata-policy': { severity: 'error', title: 'metadata breaks a rule that Updraft adds to TUF' },
  'identity-unknown': { severity: 'error', title: 'no pinned authority vouches for who signed the product' },
  'identity-changed': {
    severity: 'error',
    title: 'the product is signed by somebody other than the installed version',
  },
  'identity-expired': { severity: 'error', title: 'a certificate of a signer of the product is not valid now' },
  'identity-revoked': { severity: 'error', title: 'a certificate of a signer of the product has been revoked' },
  'identity-expiring': { severity: 'info', title: 'a certificate of a signer of the product expires soon' },
  'urgent-unknown': { severity: 'warning', title: 'it is not known which releases are urgent' },
  'release-invalid': { severity: 'error', title: 'the signed description of a release is not valid' },
  'release-yanked': { severity: 'warning', title: 'the publisher has withdrawn the installed release' },
  'bundle-tampered': { severity: 'error', title: 'downloaded bytes do not match what was signed' },
  'peer-banned': { severity: 'info', title: 'another machine sent wrong data, and is not asked any more' },
  'swarm-stalled': { severity: 'warning', title: 'nobody delivers what is missing of a release' },
  'release-unhealthy': { severity: 'warning', title: 'a release did not work on this machine and was rolled back' },
  'not-in-use': { severity: 'warning', title: 'the installed version is not in use' },
  'source-unreachable': { severity: 'warning', title: 'the source cannot be reached' },
} as const satisfies Record<string, { severity: Severity; title: string }>

export type FindingCode = keyof typeof FINDINGS

export const isFindingCode = (code: string): code is FindingCode => Object.hasOwn(FINDINGS, code)

/** The line that names a finding, for one of a newer agent as well. */
export const titleOfFinding = (code: string): string =>
  isFindingCode(code) ? FINDINGS[code].title : 'something that this version has no name for yet'

/**
 * A finding as it travels. Codes may be added: one that was added after this program was made must not cost it the whole
 * status, so the code is any text, and how bad it is comes with it.
 */
export const findingSchema = z.object({
  code: z.string(),
  severity: z.enum(SEVERITIES),
  /** What happened, with the values, as a sentence without a full stop. */
  message: z.string(),
  /** What a person can do about it; empty if nothing. */
  hint: z.string(),
  /** When it was first seen, ISO 8601 in UTC. */
  since: z.string(),
})

export type ReportedFinding = z.output<typeof findingSchema>

/** A finding that this program made itself. */
export type TrustFinding = ReportedFinding & { readonly code: FindingCode }

/** What the worst finding amounts to: `trusted` nothing to do, `attention` look at it, `untrusted` updates are refused. */
export const TRUST_LEVELS = ['trusted', 'attention', 'untrusted'] as const
export type TrustLevel = (typeof TRUST_LEVELS)[number]

export const trustLevelOf = (findings: readonly Pick<ReportedFinding, 'severity'>[]): TrustLevel => {
  if (findings.some((finding) => finding.severity === 'error')) return 'untrusted'
  return findings.some((finding) => finding.severity === 'warning') ? 'attention' : 'trusted'
}
