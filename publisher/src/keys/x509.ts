// Certificates, signing requests and revocation lists as X.509 has them. What signs may be a file or a hardware module, so the
// structures are laid out here and signed through the same seam as metadata. Verifies nothing.
import { createHash, randomBytes, type X509Certificate } from 'node:crypto'
import { publicKeyOf } from '@updraft/core/trust/keys'
import type { TufKey } from '@updraft/core/trust/metadata'
import {
  type Asn1,
  bigInteger,
  bits,
  decode,
  encode,
  enumerated,
  explicit,
  implicit,
  integer,
  nothing,
  octets,
  oid,
  parts,
  sequence,
  time,
  truth,
} from './asn1.ts'
import type { PublicKey } from './public-key.ts'
import type { Signer } from './signer.ts'

export interface CertificateContent {
  /** A name in DER. */
  readonly subject: Asn1
  readonly key: PublicKey
  readonly from: Date
  readonly to: Date
  /** An authority may issue further certificates; what is none may sign code. */
  readonly authority: boolean
}

/** A certificate in DER; without `issuer` it is signed by its own key. Source: RFC 5280, 4. */
export const makeCertificate = async (
  { subject, key, from, to, authority }: CertificateContent,
  signer: Signer,
  issuer: X509Certificate | undefined,
): Promise<Buffer> =>
  signed(
    sequence(
      explicit(0, integer(2)),
      bigInteger(newSerial()),
      algorithmOf(signer.publicKey),
      issuer === undefined ? subject : subjectOf(issuer),
      sequence(time(from), time(to)),
      subject,
      keyInfoOf(key.publicKey),
      explicit(
        3,
        sequence(
          extension('2.5.29.19', sequence(...(authority ? [truth()] : [])), true),
          // keyCertSign and cRLSign; or digitalSignature.
          extension('2.5.29.15', authority ? bits(Uint8Array.of(0x06), 1) : bits(Uint8Array.of(0x80), 7), true),
          ...(authority ? [] : [extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.3')))]),
          extension('2.5.29.14', octets(keyIdentifierOf(key.publicKey))),
          authorityKey(signer.publicKey),
        ),
      ),
    ),
    signer,
  )

/** What an authority needs to issue a certificate for `key`, in DER. Source: RFC 2986. */
export const makeRequest = (subject: Asn1, key: PublicKey, signer: Signer): Promise<Buffer> =>
  signed(sequence(integer(0), subject, keyInfoOf(key.publicKey), explicit(0)), signer)

export interface Revocation {
  /** Hex, as `X509Certificate.serialNumber` has it. */
  readonly serial: string
  readonly at: Date
  readonly reason: RevocationReason
}

/** Source: RFC 5280, 5.3.1. */
export const REVOCATION_REASONS = {
  unspecified: 0,
  keyCompromise: 1,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
} as const
export type RevocationReason = keyof typeof REVOCATION_REASONS

/** A revocation list in DER. `number` rises from one to the next. Source: RFC 5280, 5. */
export const makeRevocationList = (
  revocations: readonly Revocation[],
  { number, from, to }: { readonly number: number; readonly from: Date; readonly to: Date },
  signer: Signer,
  issuer: X509Certificate,
): Promise<Buffer> =>
  signed(
    sequence(
      integer(1),
      algorithmOf(signer.publicKey),
      subjectOf(issuer),
      time(from),
      time(to),
      ...(revocations.length === 0 ? [] : [sequence(...revocations.map(revoked))]),
      explicit(0, sequence(authorityKey(signer.publicKey), extension('2.5.29.20', integer(number)))),
    ),
    signer,
  )

const revoked = ({ serial, at, reason }: Revocation): Asn1 =>
  sequence(
    bigInteger(Buffer.from(serial, 'hex')),
    time(at),
    ...(reason === 'unspecified' ? [] : [sequence(extension('2.5.29.21', enumerated(REVOCATION_REASONS[reason])))]),
  )

/** 127 random bits: positive, and not to be guessed. */
const newSerial = (): Uint8Array => {
  const serial = randomBytes(16)
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40
  return serial
}

const signed = async (content: Asn1, signer: Signer): Promise<Buffer> => {
  const signature = Buffer.from(await signer.sign(encode(content)), 'hex')
  return encode(sequence(content, algorithmOf(signer.publicKey), bits(signature)))
}

const SHA256 = '2.16.840.1.101.3.4.2.1'

/** Source: RFC 8410 (Ed25519), RFC 5758 (ECDSA), RFC 4055 (RSASSA-PSS with SHA-256 and a salt of 32 bytes). */
const algorithmOf = ({ keytype }: TufKey): Asn1 => {
  switch (keytype) {
    case 'ed25519':
      return sequence(oid('1.3.101.112'))
    case 'ecdsa':
      return sequence(oid('1.2.840.10045.4.3.2'))
    default: {
      const hash = () => sequence(oid(SHA256), nothing())
      const mask = sequence(oid('1.2.840.113549.1.1.8'), hash())
      return sequence(
        oid('1.2.840.113549.1.1.10'),
        sequence(explicit(0, hash()), explicit(1, mask), explicit(2, integer(32))),
      )
    }
  }
}

const keyDerOf = (key: TufKey): Buffer => publicKeyOf(key).export({ format: 'der', type: 'spki' })
const keyInfoOf = (key: TufKey): Asn1 => decode(keyDerOf(key))

/** Source: RFC 7093, method 4: a hash of the whole key object. */
const keyIdentifierOf = (key: TufKey): Buffer => createHash('sha256').update(keyDerOf(key)).digest().subarray(0, 20)

const authorityKey = (key: TufKey): Asn1 => extension('2.5.29.35', sequence(implicit(0, keyIdentifierOf(key))))

const extension = (id: string, value: Asn1, critical = false): Asn1 =>
  sequence(oid(id), ...(critical ? [truth()] : []), octets(encode(value)))

/** The subject as it stands in the certificate, byte for byte: what an issuer's name is compared with. */
const subjectOf = ({ raw }: X509Certificate): Asn1 => {
  const [tbs] = parts(decode(raw))
  // Version, serial, algorithm, issuer, validity, subject.
  const subject = tbs === undefined ? undefined : parts(tbs)[5]
  if (subject === undefined) throw new TypeError('a certificate without a subject')
  return subject
}
