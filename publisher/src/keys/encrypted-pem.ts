// Private keys as encrypted PKCS#8 PEM (PBES2: PBKDF2 with HMAC-SHA-256, AES-256-CBC), which OpenSSL and every other
// tool can read. node-forge only lays out the structure; deriving and encrypting are node:crypto's. Never used on
// anything that comes from outside: node:crypto reads the files back.
import { createCipheriv, createPrivateKey, type KeyObject, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import forge from 'node-forge'

/**
 * OWASP's recommendation for PBKDF2-HMAC-SHA256 (2023); a tenth of a second on a laptop. Node's own export writes 2,048,
 * and node-forge's own encryption derives in JavaScript, 50 times slower.
 */
const PBKDF2_ITERATIONS = 600_000
const SALT_BYTES = 16
const IV_BYTES = 16
const KEY_BYTES = 32

const derive = promisify(pbkdf2)

/**
 * Source: RFC 5958 (EncryptedPrivateKeyInfo), RFC 8018 A.2 (PBKDF2), A.4 (PBES2).
 */
export const encryptPrivateKey = async (key: KeyObject, passphrase: string): Promise<string> => {
  const salt = randomBytes(SALT_BYTES)
  const iv = randomBytes(IV_BYTES)
  const derived = await derive(passphrase, salt, PBKDF2_ITERATIONS, KEY_BYTES, 'sha256')
  const cipher = createCipheriv('aes-256-cbc', derived, iv)
  const encrypted = Buffer.concat([cipher.update(key.export({ format: 'der', type: 'pkcs8' })), cipher.final()])
  return forge.pki.encryptedPrivateKeyToPem(encryptedPrivateKeyInfo(salt, iv, encrypted)).replaceAll('\r\n', '\n')
}

export const plainPrivateKey = (key: KeyObject): string => key.export({ format: 'pem', type: 'pkcs8' }).toString()

export const isEncryptedPem = (pem: string): boolean => pem.includes('-----BEGIN ENCRYPTED PRIVATE KEY-----')

/** Throws whatever OpenSSL throws; a wrong passphrase and a damaged file look alike to it. */
export const readPrivateKey = (pem: string, passphrase: string | undefined): KeyObject =>
  createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase })

const { asn1, pki } = forge

const sequence = (...values: forge.asn1.Asn1[]) => asn1.create(asn1.Class.UNIVERSAL, asn1.Type.SEQUENCE, true, values)
const oid = (name: string) =>
  asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OID, false, asn1.oidToDer(pki.oids[name] ?? '').getBytes())
const octets = (bytes: Buffer) =>
  asn1.create(asn1.Class.UNIVERSAL, asn1.Type.OCTETSTRING, false, bytes.toString('binary'))
const integer = (value: number) =>
  asn1.create(asn1.Class.UNIVERSAL, asn1.Type.INTEGER, false, asn1.integerToDer(value).getBytes())
const nothing = () => asn1.create(asn1.Class.UNIVERSAL, asn1.Type.NULL, false, '')

const encryptedPrivateKeyInfo = (salt: Buffer, iv: Buffer, encrypted: Buffer): forge.asn1.Asn1 =>
  sequence(
    sequence(
      oid('pkcs5PBES2'),
      sequence(
        sequence(
          oid('pkcs5PBKDF2'),
          sequence(
            octets(salt),
            integer(PBKDF2_ITERATIONS),
            integer(KEY_BYTES),
            sequence(oid('hmacWithSHA256'), nothing()),
          ),
        ),
        sequence(oid('aes256-CBC'), octets(iv)),
      ),
    ),
    octets(encrypted),
  )
