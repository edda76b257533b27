// ASN.1 in DER, written with node-forge: what our own PKCS#8, PKCS#12 and X.509 files are made of. Signs and encrypts nothing.
import forge from 'node-forge'

const { asn1 } = forge
export type Asn1 = forge.asn1.Asn1

const universal = (type: forge.asn1.Type, constructed: boolean, value: string | Asn1[]): Asn1 =>
  asn1.create(asn1.Class.UNIVERSAL, type, constructed, value)
const binary = (bytes: Uint8Array): string => Buffer.from(bytes).toString('binary')

export const sequence = (...values: readonly Asn1[]): Asn1 => universal(asn1.Type.SEQUENCE, true, [...values])
export const set = (...values: readonly Asn1[]): Asn1 => universal(asn1.Type.SET, true, [...values])
/** An object identifier in dots: `1.2.840.113549`. */
export const oid = (dotted: string): Asn1 => universal(asn1.Type.OID, false, asn1.oidToDer(dotted).getBytes())
export const octets = (bytes: Uint8Array): Asn1 => universal(asn1.Type.OCTETSTRING, false, binary(bytes))
/** Whole bytes only: no bits are left unused at the end. */
export const bits = (bytes: Uint8Array, unused = 0): Asn1 =>
  universal(asn1.Type.BITSTRING, false, String.fromCharCode(unused) + binary(bytes))
export const integer = (value: number): Asn1 => universal(asn1.Type.INTEGER, false, asn1.integerToDer(value).getBytes())
/** A positive integer of any length, most significant byte first. */
export const bigInteger = (bytes: Uint8Array): Asn1 => {
  const [first = 0] = bytes
  return universal(asn1.Type.INTEGER, false, (first >= 0x80 ? '\0' : '') + binary(bytes))
}
export const enumerated = (value: number): Asn1 => universal(asn1.Type.ENUMERATED, false, String.fromCharCode(value))
export const truth = (): Asn1 => universal(asn1.Type.BOOLEAN, false, '\xff')
export const nothing = (): Asn1 => universal(asn1.Type.NULL, false, '')
export const utf8 = (text: string): Asn1 => universal(asn1.Type.UTF8, false, binary(Buffer.from(text, 'utf8')))
export const printable = (text: string): Asn1 => universal(asn1.Type.PRINTABLESTRING, false, text)
/** UTF-16, as PKCS#12 has its names; the library encodes it. */
export const bmp = (text: string): Asn1 => universal(asn1.Type.BMPSTRING, false, text)
/** In whole seconds. Source: RFC 5280, 4.1.2.5: two digits for the year until 2049. */
export const time = (date: Date): Asn1 =>
  date.getUTCFullYear() < 2050
    ? universal(asn1.Type.UTCTIME, false, asn1.dateToUtcTime(date))
    : universal(asn1.Type.GENERALIZEDTIME, false, asn1.dateToGeneralizedTime(date))

/** `[number]` around a value. */
export const explicit = (number: number, ...values: readonly Asn1[]): Asn1 =>
  asn1.create(asn1.Class.CONTEXT_SPECIFIC, number, true, [...values])
/** `[number]` in place of the type of a value of bytes. */
export const implicit = (number: number, bytes: Uint8Array): Asn1 =>
  asn1.create(asn1.Class.CONTEXT_SPECIFIC, number, false, binary(bytes))

export const encode = (value: Asn1): Buffer => Buffer.from(asn1.toDer(value).getBytes(), 'binary')
/** Only for what this program or its owner made. Throws for anything that is no DER. */
export const decode = (der: Uint8Array): Asn1 =>
  asn1.fromDer(binary(der), { strict: false, parseAllBytes: true } as never)
/** The values inside of a sequence or set. */
export const parts = (value: Asn1): readonly Asn1[] => (Array.isArray(value.value) ? value.value : [])

/** PEM with lines of 64 characters. */
export const pemOf = (label: string, der: Uint8Array): string => {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}
