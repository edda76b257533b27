// Who holds the keys that signed for a product, as far as an authority vouches for it that the machine's owner has pinned. Says
// what is wrong with each signer's certificates; what follows from that is for verification.ts. Pure; asks nobody.
import type { KeyObject, X509Certificate } from 'node:crypto'
import { messageOf } from '../errors.ts'
import { type CertificateFields, fieldsOf } from './certificate-fields.ts'
import { nameOf, organizationOf } from './certificates.ts'
import type { FindingCode } from './finding.ts'
import { chainOf, type Identity, parseIdentity } from './identity.ts'
import { publicKeyOf } from './keys.ts'
import type { TufKeys } from './metadata.ts'
import { parseRevocationList, type RevocationList } from './revocation-list.ts'

/** A role and who has signed it, with what its delegator signed about them. */
export interface SignedRole {
  readonly role: string
  readonly identity: unknown
  readonly keys: TufKeys
  /** Key ids whose signatures are right. */
  readonly signers: readonly string[]
  readonly threshold: number
}

export interface HolderFault {
  readonly code: Extract<FindingCode, 'identity-unknown' | 'identity-expired' | 'identity-revoked'>
  readonly message: string
}

export interface Holder {
  readonly keyId: string
  /** Of the holder and of the pinned authority; undefined if no authority vouches for the key. */
  readonly name: string | undefined
  readonly authority: string | undefined
  /** What the holder's certificate names besides. */
  readonly organization: string | undefined
  /** When the first of the certificates between the key and the authority is over, both included. */
  readonly validUntil: Date | undefined
  readonly faults: readonly HolderFault[]
}

/** One for each signer, in order. */
export const holdersOf = (
  { role, identity: value, keys, signers }: SignedRole,
  authorities: readonly X509Certificate[],
  now: Date,
): readonly Holder[] => {
  let identity: Identity | undefined
  try {
    identity = parseIdentity(role, value)
  } catch (error) {
    return signers.map((keyId) => stranger(keyId, messageOf(error)))
  }
  return signers.map((keyId) => {
    const key = Object.hasOwn(keys, keyId) ? keys[keyId] : undefined
    if (identity === undefined || key === undefined)
      return stranger(keyId, `nothing is signed of who holds key ${keyId}`)
    try {
      return holderOf(keyId, publicKeyOf(key), chainOf(identity, keyId), { identity, authorities, now })
    } catch (error) {
      return stranger(keyId, messageOf(error))
    }
  })
}

interface Judging {
  readonly identity: Identity
  readonly authorities: readonly X509Certificate[]
  readonly now: Date
}

const stranger = (keyId: string, message: string): Holder => ({
  keyId,
  name: undefined,
  authority: undefined,
  organization: undefined,
  validUntil: undefined,
  faults: [{ code: 'identity-unknown', message }],
})

const holderOf = (keyId: string, key: KeyObject, chain: readonly X509Certificate[], judging: Judging): Holder => {
  const [leaf] = chain
  if (leaf === undefined) return stranger(keyId, `nothing is signed of who holds key ${keyId}`)
  const path = pathToAuthority(chain, judging.authorities)
  const authority = path?.at(-1)
  if (path === undefined || authority === undefined) {
    return stranger(keyId, `the certificate of ${nameOf(leaf)} leads to no authority that is pinned here`)
  }
  const fields = path.map(fieldsOf)
  const fault = faultOfPath(path, fields, key)
  if (fault !== undefined) return stranger(keyId, fault)
  return {
    keyId,
    name: nameOf(leaf),
    authority: nameOf(authority),
    organization: organizationOf(leaf),
    validUntil: new Date(Math.min(...path.map(({ validToDate }) => validToDate.getTime()))),
    faults: [...dateFaults(path, judging.now), ...revocationFaults(path, fields, judging.identity)],
  }
}

/** From the leaf to the first certificate that is pinned, or was issued by one that is. Each was issued by the next. */
const pathToAuthority = (
  chain: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): readonly X509Certificate[] | undefined => {
  for (const [index, certificate] of chain.entries()) {
    const path = chain.slice(0, index + 1)
    if (authorities.some((pinned) => pinned.raw.equals(certificate.raw))) return path
    const issuer = authorities.find((pinned) => isIssued(certificate, pinned))
    if (issuer !== undefined) return [...path, issuer]
    const next = chain[index + 1]
    if (next === undefined || !isIssued(certificate, next)) return undefined
  }
  return undefined
}

/** Names, key identifiers and the right to sign certificates, and then the signature itself. Source: RFC 5280, 6.1.3. */
const isIssued = (certificate: X509Certificate, issuer: X509Certificate): boolean =>
  issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)

const CODE_SIGNING = '1.3.6.1.5.5.7.3.3'
const ANY_USAGE = '2.5.29.37.0'
const WEAK_SIGNATURE = /md[245]|sha-?1\b|sha1/i
const RSA_MODULUS_MIN_BITS = 2_048

const faultOfPath = (
  path: readonly X509Certificate[],
  fields: readonly CertificateFields[],
  key: KeyObject,
): string | undefined => {
  const [leaf] = path
  if (leaf === undefined || !leaf.publicKey.equals(key))
    return 'the certificate is for another key than the one that signed'
  const name = nameOf(leaf)
  // In node:crypto this is the extended key usage.
  const usages = leaf.keyUsage
  if (
    fields[0]?.maySign !== true ||
    (usages !== undefined && ![CODE_SIGNING, ANY_USAGE].some((oid) => usages.includes(oid)))
  ) {
    return `the certificate of ${name} is not for signing software`
  }
  for (const [index, certificate] of path.entries()) {
    const { unknownCritical = [], pathLength } = fields[index] ?? {}
    if (unknownCritical.length > 0)
      return `the certificate of ${nameOf(certificate)} demands ${unknownCritical.join(', ')}, which nobody here knows`
    if (pathLength !== undefined && index - 1 > pathLength)
      return `${nameOf(certificate)} may have fewer authorities below it`
    const isAnchor = index === path.length - 1
    if (!isAnchor && WEAK_SIGNATURE.test(certificate.signatureAlgorithm ?? 'sha1')) {
      return `the certificate of ${nameOf(certificate)} is signed with ${certificate.signatureAlgorithm}, which can be forged`
    }
    const { asymmetricKeyType, asymmetricKeyDetails } = certificate.publicKey
    if (asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) < RSA_MODULUS_MIN_BITS) {
      return `the certificate of ${nameOf(certificate)} has a key of fewer than ${RSA_MODULUS_MIN_BITS} bits`
    }
  }
  return undefined
}

const dateFaults = (path: readonly X509Certificate[], now: Date): readonly HolderFault[] =>
  path.flatMap((certificate): readonly HolderFault[] => {
    const { validFromDate: from, validToDate: to } = certificate
    if (now >= from && now < to) return []
    const when = now < from ? `is valid only from ${from.toISOString()}` : `expired at ${to.toISOString()}`
    return [{ code: 'identity-expired', message: `the certificate of ${nameOf(certificate)} ${when}` }]
  })

/** A list counts if the authority itself signed it. One that cannot be read may name anybody, so that is told. */
const revocationFaults = (
  path: readonly X509Certificate[],
  fields: readonly CertificateFields[],
  { revocationLists = [] }: Identity,
): readonly HolderFault[] => {
  const faults: HolderFault[] = []
  const lists = revocationLists.flatMap((text): readonly RevocationList[] => {
    try {
      return [parseRevocationList(Buffer.from(text, 'base64'))]
    } catch (error) {
      faults.push({ code: 'identity-revoked', message: `who was revoked cannot be told: ${messageOf(error)}` })
      return []
    }
  })
  for (const [index, certificate] of path.entries()) {
    const issuer = path[index + 1]
    const { serial = '', issuer: issuerName } = fields[index] ?? {}
    if (issuer === undefined || issuerName === undefined) continue
    const isRevoked = lists.some(
      (list) =>
        list.serials.has(serial) && Buffer.from(list.issuer).equals(issuerName) && list.isSignedBy(issuer.publicKey),
    )
    if (isRevoked) {
      faults.push({
        code: 'identity-revoked',
        message: `${nameOf(issuer)} has revoked the certificate of ${nameOf(certificate)}`,
      })
    }
  }
  return faults
}
