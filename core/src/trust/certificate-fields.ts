// What node:crypto does not tell of a certificate: which extensions have to be understood, what its key may be used for, and how
// many authorities may stand below it.
import type { X509Certificate } from 'node:crypto'
import { DER, type DerElement, malformed, oidOf, partsOf, readDer } from './der.ts'

export interface CertificateFields {
  /** Lower-case hex, as it stands. */
  readonly serial: string
  /** Names in DER, to be compared byte for byte. */
  readonly issuer: Uint8Array
  readonly subject: Uint8Array
  /** OIDs of critical extensions that nobody here looks at: whoever does not understand them must refuse. */
  readonly unknownCritical: readonly string[]
  /** Whether the key may sign data; true if nothing is said. */
  readonly maySign: boolean
  /** The most authorities below this one; undefined is any number. */
  readonly pathLength: number | undefined
}

const BASIC_CONSTRAINTS = '2.5.29.19'
const KEY_USAGE = '2.5.29.15'
const EXTENDED_KEY_USAGE = '2.5.29.37'
const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17'
/** Looked at here or by node:crypto; the names in the last are never used. */
const UNDERSTOOD = new Set([BASIC_CONSTRAINTS, KEY_USAGE, EXTENDED_KEY_USAGE, SUBJECT_ALTERNATIVE_NAME])
const EXTENSIONS_TAG = 0xa3
const VERSION_TAG = 0xa0
const DIGITAL_SIGNATURE_BIT = 0x80

/** Errors: METADATA_POLICY. Source: RFC 5280, 4.1 and 4.2.1. */
export const fieldsOf = ({ raw }: X509Certificate): CertificateFields => {
  const [tbs] = partsOf(readDer(raw))
  if (tbs === undefined) throw malformed('an empty certificate')
  const parts = partsOf(tbs).filter(({ tag }) => tag !== VERSION_TAG)
  const [serial, , issuer, , subject] = parts
  if (serial === undefined || issuer === undefined || subject === undefined)
    throw malformed('a certificate without names')
  const extensions = extensionsOf(parts.find(({ tag }) => tag === EXTENSIONS_TAG))
  const usage = extensions.get(KEY_USAGE)?.value
  return {
    serial: hex(serial.content),
    issuer: issuer.bytes,
    subject: subject.bytes,
    unknownCritical: [...extensions]
      .filter(([oid, { critical }]) => critical && !UNDERSTOOD.has(oid))
      .map(([oid]) => oid),
    // A bit string: how many bits at its end are not used, then the bits.
    maySign: usage === undefined || ((readDer(usage).content[1] ?? 0) & DIGITAL_SIGNATURE_BIT) !== 0,
    pathLength: pathLengthIn(extensions.get(BASIC_CONSTRAINTS)?.value),
  }
}

export interface Extension {
  readonly critical: boolean
  readonly value: Uint8Array
}

/** The extensions within their tagged wrapper, by OID. Source: RFC 5280, 4.1 (Extensions). */
export const extensionsOf = (wrapper: DerElement | undefined): ReadonlyMap<string, Extension> => {
  const extensions = new Map<string, Extension>()
  if (wrapper === undefined) return extensions
  for (const extension of partsOf(readDer(wrapper.content))) {
    const [oid, ...rest] = partsOf(extension)
    const value = rest.at(-1)
    if (oid?.tag !== DER.oid || value?.tag !== DER.octetString) throw malformed('an extension without a value')
    extensions.set(oidOf(oid), {
      critical: rest[0]?.tag === DER.boolean && rest[0].content[0] !== 0,
      value: value.content,
    })
  }
  return extensions
}

const pathLengthIn = (value: Uint8Array | undefined): number | undefined => {
  const length = value && partsOf(readDer(value)).find(({ tag }) => tag === DER.integer)
  return length && Number.parseInt(hex(length.content) || '0', 16)
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
