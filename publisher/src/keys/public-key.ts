// The public half of a key as TUF metadata lists it, and as people hand it to each other in a file.
import { createPublicKey, type KeyObject } from 'node:crypto'
import { messageOf, UpdateError } from '@updraft/core/errors'
import { readFileBounded } from '@updraft/core/files/atomic'
import { keyIdOf, publicKeyOf } from '@updraft/core/trust/keys'
import type { TufKey } from '@updraft/core/trust/metadata'

/** What a key file, a certificate or a chain of a few certificates takes at most; RSA with 16,384 bits has 13 KB in PEM. */
export const KEY_FILE_MAX_BYTES = 256 * 1024

export interface PublicKey {
  readonly keyId: string
  readonly publicKey: TufKey
}

/**
 * Shape:  Ed25519: `public` is the 32 bytes of the key in hex; ECDSA on P-256 and RSA: PEM as node:crypto writes it.
 * Errors: KEY_INVALID for a key that agents would refuse: another kind or curve, too few bits.
 * Source: TUF 4.2 (key objects), RFC 8037 (`x` of a JWK).
 */
export const tufKeyOf = (key: KeyObject): TufKey => {
  const tufKey = labelled(key)
  try {
    publicKeyOf(tufKey)
  } catch (error) {
    throw new UpdateError('KEY_INVALID', messageOf(error), { cause: error, hint: USABLE })
  }
  return tufKey
}

export const describedKeyOf = (key: KeyObject): PublicKey => {
  const publicKey = tufKeyOf(key)
  return { keyId: keyIdOf(publicKey), publicKey }
}

/** `Ed25519`, `ECDSA P-256`, `RSA 3072`: how people call the kind of a key. */
export const kindOfKey = (key: TufKey): string => {
  switch (key.keytype) {
    case 'ed25519':
      return 'Ed25519'
    case 'ecdsa':
      return 'ECDSA P-256'
    default:
      return `RSA ${publicKeyOf(key).asymmetricKeyDetails?.modulusLength}`
  }
}

/** As others read it: PEM, `BEGIN PUBLIC KEY`. */
export const publicPemOf = (key: TufKey): string => publicKeyOf(key).export({ format: 'pem', type: 'spki' }).toString()

/**
 * The public key in a file that somebody gave away: PEM of the key, or of a certificate for it.
 *
 * Errors: KEY_INVALID, also for a private key, which nobody else should have; IO, PERMISSION, LIMIT_EXCEEDED.
 */
export const readPublicKey = async (path: string): Promise<PublicKey> => {
  const pem = (await readFileBounded(path, KEY_FILE_MAX_BYTES)).toString('utf8')
  if (pem.includes('PRIVATE KEY-----')) {
    throw new UpdateError('KEY_INVALID', `${path} holds a private key, where a public one is enough`, {
      hint: 'its owner exports the public half with: updraft-publisher keys export NAME --public',
    })
  }
  try {
    return describedKeyOf(createPublicKey(pem))
  } catch (error) {
    throw new UpdateError('KEY_INVALID', `${path} holds no public key that can sign here: ${messageOf(error)}`, {
      cause: error,
      hint: USABLE,
    })
  }
}

const USABLE = 'use Ed25519, ECDSA on P-256, or RSA with 3072 to 8192 bits'

const labelled = (key: KeyObject): TufKey => {
  const pem = () => key.export({ format: 'pem', type: 'spki' }).toString()
  switch (key.asymmetricKeyType) {
    case 'ed25519': {
      const raw = Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url').toString('hex')
      return { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: raw } }
    }
    case 'ec':
      return { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256', keyval: { public: pem() } }
    case 'rsa':
      return { keytype: 'rsa', scheme: 'rsassa-pss-sha256', keyval: { public: pem() } }
    default:
      throw new UpdateError('KEY_INVALID', `a key of kind ${key.asymmetricKeyType} cannot sign metadata`, {
        hint: USABLE,
      })
  }
}
