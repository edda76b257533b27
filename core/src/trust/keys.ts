// Public keys of TUF metadata: their ids, what kinds are accepted, and checking one signature. Knows no roles and no
// thresholds (signatures.ts), and makes no signature.
import { constants, createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { messageOf, UpdateError } from '../errors.ts'
import { canonicalBytes } from './canonical.ts'
import type { TufKey } from './metadata.ts'

/** RSA: 3,072 bits are worth 128 bits of security (NIST SP 800-57); beyond 8,192 a check only costs time. */
const RSA_MODULUS_MIN_BITS = 3_072
const RSA_MODULUS_MAX_BITS = 8_192
const RSA_EXPONENT_MIN = 65_537n

/** SHA-256 over the canonical form of the whole key object, in hex. Source: TUF 4.2. */
export const keyIdOf = (key: object): string => createHash('sha256').update(canonicalBytes(key)).digest('hex')

/**
 * The key as node:crypto takes it. It is what its labels say, or it is refused: a library that only looks at the label
 * would check an RSA signature under the name of Ed25519.
 *
 * Shape:  Ed25519 as 64 hex digits; ECDSA on P-256 and RSA as PEM (`BEGIN PUBLIC KEY`).
 * Errors: METADATA_POLICY.
 * Source: TUF 4.2 (key types and schemes).
 */
export const publicKeyOf = ({ keytype, scheme, keyval }: TufKey): KeyObject => {
  switch (`${keytype} ${scheme}`) {
    case 'ed25519 ed25519':
      return ed25519KeyOf(keyval.public)
    case 'ecdsa ecdsa-sha2-nistp256':
      return ecdsaKeyOf(keyval.public)
    case 'rsa rsassa-pss-sha256':
      return rsaKeyOf(keyval.public)
    default:
      throw refused(`key type ${JSON.stringify(keytype)} with scheme ${JSON.stringify(scheme)} is not accepted`)
  }
}

/**
 * The key in one encoding, whatever its labels and its spelling: SubjectPublicKeyInfo in DER, as hex. Refuses what `publicKeyOf`
 * refuses, and costs a tenth for Ed25519, of which a repository may list a thousand: any 32 bytes are such a key.
 *
 * Errors: METADATA_POLICY.
 * Source: RFC 8410, section 4.
 */
export const spkiOf = (key: TufKey): string => {
  if (key.keytype !== 'ed25519' || key.scheme !== 'ed25519') {
    return publicKeyOf(key).export({ format: 'der', type: 'spki' }).toString('hex')
  }
  assertEd25519(key.keyval.public)
  return `${ED25519_SPKI_HEAD}${key.keyval.public}`
}

const ED25519_SPKI_HEAD = '302a300506032b6570032100'

/** Whether `signature` (hex) over exactly `bytes` was made with this key. A malformed signature is a wrong one. */
export const verifySignature = (key: TufKey, bytes: Uint8Array, signature: string): boolean => {
  if (!/^(?:[0-9a-f]{2})+$/i.test(signature)) return false
  try {
    const publicKey = publicKeyOf(key)
    const options = key.keytype === 'rsa' ? { key: publicKey, padding: constants.RSA_PKCS1_PSS_PADDING } : publicKey
    // Ed25519 hashes by itself, hence no digest. Source: RFC 8032.
    const digest = key.keytype === 'ed25519' ? null : 'sha256'
    return verify(digest, bytes, options, Buffer.from(signature, 'hex'))
  } catch {
    return false // OpenSSL throws for what it cannot even read; that is not a signature of this key.
  }
}

const ed25519KeyOf = (hex: string): KeyObject => {
  assertEd25519(hex)
  const x = Buffer.from(hex, 'hex').toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
}

/** Lower case only: one key must not have two spellings. */
const assertEd25519 = (hex: string): void => {
  if (!/^[0-9a-f]{64}$/.test(hex)) throw refused('an ed25519 key is 64 lower-case hex digits')
}

const ecdsaKeyOf = (pem: string): KeyObject => {
  const key = keyOfPem(pem)
  const curve = key.asymmetricKeyDetails?.namedCurve
  if (key.asymmetricKeyType !== 'ec' || curve !== 'prime256v1') {
    throw refused(`a key labelled ecdsa-sha2-nistp256 is of type ${describe(key)}`)
  }
  return key
}

const rsaKeyOf = (pem: string): KeyObject => {
  const key = keyOfPem(pem)
  if (key.asymmetricKeyType !== 'rsa') throw refused(`a key labelled rsa is of type ${describe(key)}`)
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  if (modulusLength < RSA_MODULUS_MIN_BITS || modulusLength > RSA_MODULUS_MAX_BITS) {
    throw refused(`an RSA key has ${modulusLength} bits, not ${RSA_MODULUS_MIN_BITS} to ${RSA_MODULUS_MAX_BITS}`)
  }
  if (publicExponent < RSA_EXPONENT_MIN) {
    throw refused(`an RSA key has the public exponent ${publicExponent}, less than ${RSA_EXPONENT_MIN}`)
  }
  return key
}

const keyOfPem = (pem: string): KeyObject => {
  // Anything else that node:crypto reads (a private key, a certificate) has no place in public metadata.
  if (!pem.startsWith('-----BEGIN PUBLIC KEY-----')) throw refused('a key is not PEM that begins with BEGIN PUBLIC KEY')
  try {
    return createPublicKey(pem)
  } catch (error) {
    throw refused(`a key is not readable PEM: ${messageOf(error)}`, error)
  }
}

const describe = (key: KeyObject): string =>
  [key.asymmetricKeyType, key.asymmetricKeyDetails?.namedCurve].filter((part) => part !== undefined).join(' ')

const refused = (why: string, cause?: unknown): UpdateError =>
  new UpdateError('METADATA_POLICY', why, cause === undefined ? {} : { cause })
