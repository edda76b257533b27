// Certificate revocation lists: which certificates an authority has taken back. node:crypto reads none, so the few fields that
// count are read here, and it checks the signature.
import { type KeyObject, verify } from 'node:crypto'
import { extensionsOf, hex } from './certificate-fields.ts'
import { DER, malformed, oidOf, partsOf, readDer } from './der.ts'

export interface RevocationList {
  /** Name in DER. */
  readonly issuer: Uint8Array
  /** Lower-case hex. */
  readonly serials: ReadonlySet<string>
  isSignedBy(key: KeyObject): boolean
}

const EXTENSIONS_TAG = 0xa0
/** RSA with PKCS #1 v1.5, ECDSA and Ed25519, each with its digest. Nothing with SHA-1. */
const DIGESTS: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
}

/**
 * A whole list; one that speaks of a part only, or for another authority, has a critical extension and is refused.
 *
 * Errors: METADATA_POLICY.
 * Source: RFC 5280, 5.1 and 5.2.
 */
export const parseRevocationList = (bytes: Uint8Array): RevocationList => {
  const [list, algorithm, signature] = partsOf(readDer(bytes))
  if (list === undefined || algorithm === undefined || signature?.tag !== DER.bitString) {
    throw malformed('a revocation list without a signature')
  }
  const parts = partsOf(list)
  const [, issuer, ...rest] = parts[0]?.tag === DER.integer ? parts.slice(1) : parts
  if (issuer === undefined) throw malformed('a revocation list without an issuer')
  for (const { critical } of extensionsOf(rest.find(({ tag }) => tag === EXTENSIONS_TAG)).values()) {
    if (critical) throw malformed('a revocation list for a part of what its authority issued')
  }
  // Between the times and the extensions stands the only other sequence: one row for each certificate.
  const rows = rest.find(({ tag }) => tag === DER.sequence)
  const [oid] = partsOf(algorithm)
  const digest = oid && DIGESTS[oidOf(oid)]
  return {
    issuer: issuer.bytes,
    serials: new Set(
      rows === undefined ? [] : partsOf(rows).map((row) => hex(partsOf(row)[0]?.content ?? new Uint8Array())),
    ),
    isSignedBy: (key) => {
      if (digest === undefined) return false
      try {
        return verify(digest, list.bytes, key, signature.content.subarray(1))
      } catch {
        return false // A key of another kind than the signature.
      }
    },
  }
}
