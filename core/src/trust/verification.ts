// How strictly a machine's owner wants a product verified, in the words of Notation's trust policy: which findings stop updates
// and which are only told. Integrity always stops them: no level lets in what the product's keys did not sign.
// Source: Notary Project, "Trust Store and Trust Policy", signature verification levels.
import { FINDINGS, type FindingCode } from './finding.ts'

export const VERIFICATION_LEVELS = ['strict', 'permissive', 'audit'] as const
export type VerificationLevel = (typeof VERIFICATION_LEVELS)[number]

/** What a finding is about. Notation's five validations; `none` concerns no signature: a swarm, a probe, a network. */
export type Validation = 'integrity' | 'authenticity' | 'authentic timestamp' | 'expiry' | 'revocation' | 'none'

/** One row for each finding; the columns follow from `ENFORCED`. The same table is in docs/threat-model.md. */
export const VALIDATIONS: Readonly<Record<FindingCode, Validation>> = {
  'root-unknown': 'integrity',
  'metadata-untrusted': 'integrity',
  'metadata-rollback': 'integrity',
  'metadata-policy': 'integrity',
  'release-invalid': 'integrity',
  'bundle-tampered': 'integrity',
  'identity-unknown': 'authenticity',
  'identity-changed': 'authenticity',
  'identity-expired': 'authentic timestamp',
  'identity-revoked': 'revocation',
  'metadata-expired': 'expiry',
  // The owner chose it when the source was added; refusing it later would only be a second way to say so.
  'root-on-first-use': 'none',
  'metadata-expiring': 'none',
  'identity-expiring': 'none',
  'urgent-unknown': 'none', // It lifts a delay, and without it the delay stays.
  'release-yanked': 'none',
  'release-unhealthy': 'none',
  'not-in-use': 'none',
  'peer-banned': 'none', // What it sent was refused; the swarm goes on without it.
  'swarm-stalled': 'none',
  'source-unreachable': 'none',
}

const ENFORCED: Readonly<Record<VerificationLevel, readonly Validation[]>> = {
  strict: ['integrity', 'authenticity', 'authentic timestamp', 'expiry', 'revocation'],
  permissive: ['integrity', 'authenticity'],
  audit: ['integrity'],
}

/** What a level does: `enforced` stops updates, `logged` only tells. */
export type Action = 'enforced' | 'logged'

export const actionOn = (code: FindingCode, level: VerificationLevel): Action =>
  ENFORCED[level].includes(VALIDATIONS[code]) ? 'enforced' : 'logged'

/** How bad a finding is at a level: what is only told stops nothing, so it is no error. */
export const severityAt = (code: FindingCode, level: VerificationLevel): (typeof FINDINGS)[FindingCode]['severity'] =>
  FINDINGS[code].severity === 'error' && actionOn(code, level) === 'logged' ? 'warning' : FINDINGS[code].severity
