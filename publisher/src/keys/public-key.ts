// The public half of a key as TUF metadata lists it.
import type { KeyObject } from 'node:crypto'
import { UpdateError } from '@updraft/core/errors'
import type { TufKey } from '@updraft/core/trust/metadata'

/**
 * Shape:  Ed25519: `public` is the 32 bytes of the key in hex. Other kinds of key are refused.
 * Errors: KEY_MISSING for a kind of key that cannot sign here.
 * Source: TUF 4.2 (key objects), RFC 8037 (`x` of a JWK).
 */
export const tufKeyOf = (key: KeyObject): TufKey => {
  const { x } = key.asymmetricKeyType === 'ed25519' ? key.export({ format: 'jwk' }) : {}
  if (x === undefined) {
    throw new UpdateError('KEY_MISSING', `a key of kind ${key.asymmetricKeyType} cannot sign metadata`, {
      hint: 'use an Ed25519 key',
    })
  }
  return { keytype: 'ed25519', scheme: 'ed25519', keyval: { public: Buffer.from(x, 'base64url').toString('hex') } }
}
