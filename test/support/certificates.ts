// Certificates and revocation lists of which every field is chosen, made with node:crypto alone. Source: RFC 5280, 4.1 and 5.1.
import { createPublicKey, generateKeyPairSync, type KeyObject, sign, X509Certificate } from 'node:crypto'
import type { SimulatedKey } from './repository-simulator.ts'

export interface CertifiedKey {
  readonly certificate: X509Certificate
  readonly privateKey: KeyObject
  readonly name: string
}

export interface CertificateOptions {
  /** Of the subject, besides its name. */
  readonly organization?: string
  /** The key that it is for; a new one otherwise. */
  readonly publicKey?: KeyObject
  /** Signed by itself otherwise. */
  readonly issuer?: CertifiedKey
  readonly isAuthority?: boolean
  readonly pathLength?: number
  readonly from?: string
  readonly to?: string
  readonly serial?: number
  /** Bits of the key usage, as their first byte; undefined leaves the extension out. */
  readonly keyUsage?: number
  /** OIDs. */
  readonly extendedKeyUsage?: readonly string[]
  /** A critical extension that nobody knows. */
  readonly unknownCritical?: string
}

/** Ed25519 throughout, unless `publicKey` is another. */
export const certify = (name: string, options: CertificateOptions = {}): CertifiedKey => {
  const {
    issuer,
    isAuthority = false,
    pathLength,
    from = '2020-01-01T00:00:00Z',
    to = '2099-01-01T00:00:00Z',
  } = options
  const { serial = 7, keyUsage, extendedKeyUsage, unknownCritical } = options
  const pair = generateKeyPairSync('ed25519')
  const publicKey = options.publicKey ?? pair.publicKey
  const extensions = [
    extension(
      '2.5.29.19',
      sequence(...(isAuthority ? [der(0x01, [0xff])] : []), ...(pathLength === undefined ? [] : [integer(pathLength)])),
      true,
    ),
    ...(keyUsage === undefined ? [] : [extension('2.5.29.15', der(0x03, [0, keyUsage]), true)]),
    ...(extendedKeyUsage === undefined ? [] : [extension('2.5.29.37', sequence(...extendedKeyUsage.map(oid)))]),
    ...(unknownCritical === undefined ? [] : [extension(unknownCritical, sequence(), true)]),
  ]
  const tbs = sequence(
    der(0xa0, integer(2)),
    integer(serial),
    ED25519,
    nameIn(issuer?.name ?? name),
    sequence(time(from), time(to)),
    nameIn(name, options.organization),
    publicKey.export({ format: 'der', type: 'spki' }),
    der(0xa3, sequence(...extensions)),
  )
  const raw = signed(tbs, issuer?.privateKey ?? pair.privateKey)
  return { certificate: new X509Certificate(raw), privateKey: pair.privateKey, name }
}

export const authority = (name = 'Acme CA', options: CertificateOptions = {}): CertifiedKey =>
  certify(name, { isAuthority: true, keyUsage: KEY_CERT_SIGN, ...options })

export const DIGITAL_SIGNATURE = 0x80
export const KEY_CERT_SIGN = 0x06

/** In DER. */
export const revocationList = (
  issuer: CertifiedKey,
  serials: readonly number[],
  { isPartial = false }: { readonly isPartial?: boolean } = {},
): Buffer =>
  signed(
    sequence(
      integer(1),
      ED25519,
      nameIn(issuer.name),
      time('2026-01-01T00:00:00Z'),
      time('2099-01-01T00:00:00Z'),
      ...(serials.length === 0
        ? []
        : [sequence(...serials.map((serial) => sequence(integer(serial), time('2026-01-01T00:00:00Z'))))]),
      ...(isPartial ? [der(0xa0, sequence(extension('2.5.29.27', integer(1), true)))] : []),
    ),
    issuer.privateKey,
  )

/** What a delegated role carries about its key. */
export const identityOf = (key: SimulatedKey, chain: readonly CertifiedKey[], lists: readonly Buffer[] = []) => ({
  schema: 1,
  certificates: { [key.keyId]: chain.map(({ certificate }) => certificate.raw.toString('base64')) },
  ...(lists.length === 0 ? {} : { revocationLists: lists.map((list) => list.toString('base64')) }),
})

export const publicKeyIn = ({ key }: SimulatedKey): KeyObject =>
  key.keytype === 'ed25519'
    ? createPublicKey({
        key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key.keyval.public, 'hex').toString('base64url') },
        format: 'jwk',
      })
    : createPublicKey(key.keyval.public)

const der = (tag: number, content: Uint8Array | readonly number[]): Buffer => {
  const { length } = content
  const head = length < 128 ? [length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...head]), Buffer.from(content as Uint8Array)])
}
const sequence = (...parts: readonly Uint8Array[]): Buffer => der(0x30, Buffer.concat(parts))
const integer = (value: number): Buffer => der(0x02, [value])
const time = (iso: string): Buffer => der(0x18, Buffer.from(iso.replaceAll(/[-:T]/g, '')))
const oid = (dotted: string): Buffer => {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes = [40 * first + second, ...rest].flatMap((value) => {
    const groups = [value & 127]
    for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128)) groups.unshift((left & 127) | 128)
    return groups
  })
  return der(0x06, bytes)
}
const nameIn = (name: string, organization?: string): Buffer =>
  sequence(
    ...(organization === undefined ? [] : [attribute('2.5.4.10', organization)]), // O
    attribute('2.5.4.3', name), // CN
  )
const attribute = (id: string, value: string): Buffer => der(0x31, sequence(oid(id), der(0x0c, Buffer.from(value))))
const extension = (id: string, value: Uint8Array, isCritical = false): Buffer =>
  sequence(oid(id), ...(isCritical ? [der(0x01, [0xff])] : []), der(0x04, value))
const ED25519 = sequence(oid('1.3.101.112'))
const signed = (tbs: Buffer, key: KeyObject): Buffer =>
  sequence(tbs, ED25519, der(0x03, Buffer.concat([Buffer.from([0]), sign(null, tbs, key)])))
