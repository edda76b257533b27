// Chains of X.509 certificates: whether one is for a key, hangs together and is valid now. Which authority deserves trust is
// not decided here, and revocation is not looked up. All of it is node:crypto's.
import type { KeyObject, X509Certificate } from 'node:crypto'

/**
 * Why `chain`, leaf first, does not name the holder of `key` at `now`; undefined if it does.
 *
 * Source: RFC 5280, 6.1 (as far as a chain without policies and name constraints needs it).
 */
export const chainFault = (chain: readonly X509Certificate[], key: KeyObject, now: Date): string | undefined => {
  const [leaf] = chain
  if (leaf === undefined) return 'there is no certificate'
  if (!leaf.publicKey.equals(key)) return `the certificate of ${nameOf(leaf)} is for another key`
  for (const [index, certificate] of chain.entries()) {
    const name = nameOf(certificate)
    if (now < certificate.validFromDate) {
      return `the certificate of ${name} is valid only from ${certificate.validFromDate.toISOString()}`
    }
    if (now >= certificate.validToDate) {
      return `the certificate of ${name} expired at ${certificate.validToDate.toISOString()}`
    }
    const issuer = chain[index + 1]
    if (issuer === undefined) continue
    if (!issuer.ca) return `${nameOf(issuer)}, the issuer of ${name}, is no authority`
    if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey)) {
      return `the certificate of ${name} was not issued by ${nameOf(issuer)}`
    }
  }
  return undefined
}

/** The common name of the holder, else all that it is called, in one line that steers no terminal and turns no text around. */
export const nameOf = ({ subject }: X509Certificate): string => {
  const parts = partsOf(subject)
  return partOf(parts, 'CN=') ?? parts.join(', ')
}

/** The organization that the holder belongs to, if the certificate says so. */
export const organizationOf = ({ subject }: X509Certificate): string | undefined => partOf(partsOf(subject), 'O=')

const partsOf = (subject: string | undefined): readonly string[] =>
  (subject ?? '').split('\n').map((part) => part.replaceAll(/[\p{Cc}\p{Cf}]/gu, ' '))

const partOf = (parts: readonly string[], prefix: string): string | undefined =>
  parts.find((part) => part.startsWith(prefix))?.slice(prefix.length)
