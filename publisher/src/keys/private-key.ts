// Private keys in memory: making one of each kind, and signing with it. Reads and writes nothing.
import { constants, createPublicKey, generateKeyPair, type KeyObject, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { describedKeyOf } from './public-key.ts'
import type { Signer } from './signer.ts'

/** What `--type` may say. */
export const KEY_TYPES = ['ed25519', 'ecdsa-p256', 'rsa-3072', 'rsa-4096'] as const
export type KeyType = (typeof KEY_TYPES)[number]

const makePair = promisify(generateKeyPair)

export const generatePrivateKey = async (type: KeyType): Promise<KeyObject> => {
  switch (type) {
    case 'ed25519':
      return (await makePair('ed25519')).privateKey
    case 'ecdsa-p256':
      return (await makePair('ec', { namedCurve: 'P-256' })).privateKey
    case 'rsa-3072':
    case 'rsa-4096':
      return (await makePair('rsa', { modulusLength: Number(type.slice('rsa-'.length)) })).privateKey
  }
}

/**
 * Signatures as the schemes of TUF demand them: Ed25519 over the bytes themselves, ECDSA over their SHA-256 in DER,
 * RSA-PSS over their SHA-256 with a salt as long as that.
 *
 * Errors: KEY_INVALID for a key that cannot sign metadata.
 * Source: TUF 4.2 (schemes), RFC 8032, RFC 8017.
 */
export const signerOf = (privateKey: KeyObject): Signer => {
  const { keyId, publicKey } = describedKeyOf(createPublicKey(privateKey))
  const signed = (bytes: Uint8Array): Buffer => {
    switch (publicKey.keytype) {
      case 'ed25519':
        return sign(null, bytes, privateKey)
      case 'ecdsa':
        return sign('sha256', bytes, privateKey)
      default:
        return sign('sha256', bytes, { key: privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 })
    }
  }
  return { keyId, publicKey, sign: async (bytes) => signed(bytes).toString('hex') }
}
