// What each finding is called on a screen, for people who have never heard of roots, metadata or roles. Where core's own name
// needs no such knowledge, it is taken.
import { type FindingCode, isFindingCode, titleOfFinding } from '@updraft/core/trust/finding'

const NAMES: Readonly<Partial<Record<FindingCode, string>>> = {
  'root-on-first-use': 'nobody has compared the publisher’s keys yet',
  'root-unknown': 'these are not the publisher’s keys that this machine knows',
  'metadata-untrusted': 'the list of releases is not signed by the publisher',
  'metadata-rollback': 'the server offers an older list of releases than before',
  'metadata-expired': 'the list of releases has expired',
  'metadata-expiring': 'the list of releases expires soon',
  'metadata-policy': 'the list of releases is signed in a way that is not safe',
  'identity-unknown': 'nobody whom this machine trusts vouches for who signed',
  'identity-changed': 'somebody else has signed than before',
  'identity-expired': 'the certificate of who signed is not valid now',
  'identity-revoked': 'the certificate of who signed was taken back',
  'release-invalid': 'the publisher’s description of a release is malformed',
  'release-yanked': 'the publisher has withdrawn the installed version',
  'bundle-tampered': 'what was downloaded is not what was signed',
  'swarm-stalled': 'nobody delivers the missing parts of a release',
  'release-unhealthy': 'a new version did not work here and was rolled back',
  'not-in-use': 'what is in use is not the installed version',
  'source-unreachable': 'the publisher’s server cannot be reached',
}

/** Inside a sentence; of one that a newer agent knows as well. */
export const nameOfFinding = (code: string): string =>
  (isFindingCode(code) ? NAMES[code] : undefined) ?? titleOfFinding(code)
