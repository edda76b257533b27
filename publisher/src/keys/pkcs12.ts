// PKCS#12 (`.p12`, `.pfx`): the form in which people move their own keys together with their certificates. node-forge opens the
// file; keys and certificates go to node:crypto as they are, and are checked there.
import { createHmac, createPrivateKey, type KeyObject, randomBytes, X509Certificate } from 'node:crypto'
import { messageOf, UpdateError } from '@updraft/core/errors'
import forge from 'node-forge'
import { type Asn1, bmp, decode, encode, explicit, integer, nothing, octets, oid, sequence, set } from './asn1.ts'
import type { Chain } from './certificate-chain.ts'
import { encryptedPrivateKeyInfo } from './encrypted-pem.ts'

export interface FoundKey {
  /** What its file calls it, if anything. */
  readonly name: string | undefined
  readonly privateKey: KeyObject
}

export interface KeyBundle {
  readonly keys: readonly FoundKey[]
  readonly certificates: Chain
}

/** Errors: PASSPHRASE_WRONG, KEY_INVALID. */
export const readPkcs12 = (bytes: Uint8Array, passphrase: string, file: string): KeyBundle => {
  try {
    const { safeContents } = forge.pkcs12.pkcs12FromAsn1(decode(bytes), false, passphrase)
    const bags = safeContents.flatMap(({ safeBags }) => safeBags)
    return {
      keys: bags.flatMap((bag) => {
        const info = keyInfoOf(bag)
        return info === undefined ? [] : [{ name: bag.attributes?.friendlyName?.[0], privateKey: privateKeyOf(info) }]
      }),
      certificates: bags.flatMap((bag) => {
        const certificate = certificateOf(bag)
        return certificate === undefined ? [] : [new X509Certificate(encode(certificate))]
      }),
    }
  } catch (error) {
    if (/password/i.test(messageOf(error))) {
      throw new UpdateError('PASSPHRASE_WRONG', `the passphrase does not open ${file}`, { cause: error })
    }
    throw new UpdateError('KEY_INVALID', `${file} cannot be read as PKCS#12: ${messageOf(error)}`, {
      cause: error,
      hint: 'openssl pkcs12 -in FILE -out FILE.pem writes it as PEM, which is read as well',
    })
  }
}

/**
 * The library derives keys in JavaScript, and needs twenty seconds for the 600,000 rounds of our own files. OpenSSL takes a
 * tenth of one; what it no longer reads (RC2, of old Windows) is still left to the library.
 */
const decryptInJavaScript = forge.pki.decryptPrivateKeyInfo
forge.pki.decryptPrivateKeyInfo = (info, passphrase) => {
  try {
    const key = createPrivateKey({ key: encode(info), format: 'der', type: 'pkcs8', passphrase })
    return decode(key.export({ format: 'der', type: 'pkcs8' }))
  } catch {
    return decryptInJavaScript(info, passphrase)
  }
}

type Bag = forge.pkcs12.Bag

const KEY_BAGS = new Set([forge.pki.oids.pkcs8ShroudedKeyBag, forge.pki.oids.keyBag])

/** PrivateKeyInfo. RSA keys are parsed by the library already; it leaves all others as they are. */
const keyInfoOf = ({ type, key, asn1 }: Bag): Asn1 | undefined => {
  if (!KEY_BAGS.has(type)) return undefined
  return key ? forge.pki.wrapRsaPrivateKey(forge.pki.privateKeyToAsn1(key)) : asn1
}

const privateKeyOf = (info: Asn1): KeyObject => createPrivateKey({ key: encode(info), format: 'der', type: 'pkcs8' })

const certificateOf = ({ type, cert, asn1 }: Bag): Asn1 | undefined => {
  if (type !== forge.pki.oids.certBag) return undefined
  return cert ? forge.pki.certificateToAsn1(cert) : asn1
}

const DATA = '1.2.840.113549.1.7.1'
const SHROUDED_KEY_BAG = '1.2.840.113549.1.12.10.1.2'
const CERT_BAG = '1.2.840.113549.1.12.10.1.3'
const X509_CERTIFICATE = '1.2.840.113549.1.9.22.1'
const FRIENDLY_NAME = '1.2.840.113549.1.9.20'
const LOCAL_KEY_ID = '1.2.840.113549.1.9.21'
const SHA256 = '2.16.840.1.101.3.4.2.1'
/** What OpenSSL writes; what protects the key is its own encryption, with 600,000 rounds. */
const MAC_ITERATIONS = 2_048

/**
 * The key, encrypted with `passphrase`, and its chain, in the clear, as certificates are.
 *
 * Source: RFC 7292.
 */
export const writePkcs12 = async (
  privateKey: KeyObject,
  chain: Chain,
  { name, passphrase }: { readonly name: string; readonly passphrase: string },
): Promise<Buffer> => {
  const belongTogether = set(
    sequence(oid(FRIENDLY_NAME), set(bmp(name))),
    sequence(oid(LOCAL_KEY_ID), set(octets(Buffer.from([1])))),
  )
  const keyBag = sequence(
    oid(SHROUDED_KEY_BAG),
    explicit(0, await encryptedPrivateKeyInfo(privateKey, passphrase)),
    belongTogether,
  )
  const certificateBags = chain.map((certificate, index) =>
    sequence(
      oid(CERT_BAG),
      explicit(0, sequence(oid(X509_CERTIFICATE), explicit(0, octets(certificate.raw)))),
      ...(index === 0 ? [belongTogether] : []),
    ),
  )
  const content = encode(
    sequence(...[sequence(keyBag), sequence(...certificateBags)].map((safe) => dataOf(encode(safe)))),
  )
  return encode(sequence(integer(3), dataOf(content), macOf(content, passphrase)))
}

const dataOf = (content: Buffer): Asn1 => sequence(oid(DATA), explicit(0, octets(content)))

const macOf = (content: Buffer, passphrase: string): Asn1 => {
  const salt = randomBytes(16)
  // The password is hashed as UTF-16 with an end of two zero bytes (RFC 7292, B.1), which is the library's business.
  const key = forge.pkcs12.generateKey(
    passphrase,
    forge.util.createBuffer(salt.toString('binary')),
    3,
    MAC_ITERATIONS,
    32,
    forge.md.sha256.create(),
  )
  const mac = createHmac('sha256', Buffer.from(key.getBytes(), 'binary')).update(content).digest()
  return sequence(sequence(sequence(oid(SHA256), nothing()), octets(mac)), octets(salt), integer(MAC_ITERATIONS))
}
