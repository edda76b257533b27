// Private keys as encrypted PKCS#8 (PBES2: PBKDF2 with HMAC-SHA-256, AES-256-CBC), which OpenSSL and every other tool can
// read. Deriving and encrypting are node:crypto's; reading the files back is pem.ts.
import { createCipheriv, type KeyObject, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { type Asn1, encode, integer, nothing, octets, oid, pemOf, sequence } from './asn1.ts'

/**
 * OWASP's recommendation for PBKDF2-HMAC-SHA256 (2023); a tenth of a second on a laptop. Node's own export writes 2,048,
 * and node-forge's own encryption derives in JavaScript, 50 times slower.
 */
const PBKDF2_ITERATIONS = 600_000
const SALT_BYTES = 16
const IV_BYTES = 16
const KEY_BYTES = 32

const PBES2 = '1.2.840.113549.1.5.13'
const PBKDF2 = '1.2.840.113549.1.5.12'
const HMAC_SHA256 = '1.2.840.113549.2.9'
const AES_256_CBC = '2.16.840.1.101.3.4.1.42'

const derive = promisify(pbkdf2)

export const encryptPrivateKey = async (key: KeyObject, passphrase: string): Promise<string> =>
  pemOf('ENCRYPTED PRIVATE KEY', encode(await encryptedPrivateKeyInfo(key, passphrase)))

/** Source: RFC 5958 (EncryptedPrivateKeyInfo), RFC 8018 A.2 (PBKDF2), A.4 (PBES2). */
export const encryptedPrivateKeyInfo = async (key: KeyObject, passphrase: string): Promise<Asn1> => {
  const salt = randomBytes(SALT_BYTES)
  const iv = randomBytes(IV_BYTES)
  const derived = await derive(passphrase, salt, PBKDF2_ITERATIONS, KEY_BYTES, 'sha256')
  const cipher = createCipheriv('aes-256-cbc', derived, iv)
  const encrypted = Buffer.concat([cipher.update(key.export({ format: 'der', type: 'pkcs8' })), cipher.final()])
  const derivation = sequence(
    octets(salt),
    integer(PBKDF2_ITERATIONS),
    integer(KEY_BYTES),
    sequence(oid(HMAC_SHA256), nothing()),
  )
  const scheme = sequence(
    oid(PBES2),
    sequence(sequence(oid(PBKDF2), derivation), sequence(oid(AES_256_CBC), octets(iv))),
  )
  return sequence(scheme, octets(encrypted))
}
