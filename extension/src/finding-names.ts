// What each finding is called on a screen, for people who have never heard of roots, metadata or roles. Where core's own name
// needs no such knowledge, it is taken.
import { type FindingCode, isFindingCode, titleOfFinding } from '@updraft/core/trust/finding'

const NAMES: Readonly<Partial<Record<FindingCode, string>>> = {
  'root-on-first-use': 'nobody has compared the publisher’s keys yet',
  'root-unknown': 'this machine does not trust the source of these updates',
  'metadata-untrusted': 'the list of releases is not signed by the publisher',
  'metadata-rollback': 'the server offers an older list of releases than before',
  'metadata-expired': 'the list of releases has expired',
  'metadata-expiring': 'the list of releases expires soon',
  'metadata-policy': 'the list of releases breaks a safety rule',
  'identity-unknown': 'nobody this machine trusts vouches for the signer',
  'identity-changed': 'the signer is not the same as before',
  'identity-expired': 'the signer’s certificate is not valid now',
  'identity-expiring': 'the signer’s certificate expires soon',
  'identity-revoked': 'the signer’s certificate was revoked',
  'release-invalid': 'the publisher’s description of a release is not valid',
  'release-yanked': 'the publisher has withdrawn the installed version',
  'bundle-tampered': 'what was downloaded is not what was signed',
  'swarm-stalled': 'nobody delivers the missing parts of a release',
  'release-unhealthy': 'a new version did not work on this machine',
  'source-unreachable': 'the publisher’s server cannot be reached',
}

/** Inside a sentence; of one that a newer agent knows as well. */
export const nameOfFinding = (code: string): string =>
  (isFindingCode(code) ? NAMES[code] : undefined) ?? titleOfFinding(code)
