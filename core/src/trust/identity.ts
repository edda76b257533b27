// Who holds the keys of a delegated role, as the role that delegates has signed it: the field `identity` beside `keyids`. TUF
// clients that do not know it pass over it. Parsed at the door; whether its certificates are good is for certificates.ts.
import { X509Certificate } from 'node:crypto'
import * as z from 'zod'
import { UpdateError } from '../errors.ts'
import { LIMITS } from '../limits.ts'

export const IDENTITY_SCHEMA = 1

const der = (maxBytes: number) =>
  z
    .base64()
    .min(1)
    .max(Math.ceil(maxBytes / 3) * 4)

const identitySchema = z.object({
  schema: z.literal(IDENTITY_SCHEMA),
  /** By key id: a chain of certificates in DER, base64; first the one of the key, then who issued each. */
  certificates: z.record(
    z.string().regex(/^[0-9a-f]{64}$/),
    z.array(der(LIMITS.certificateLengthBytes)).min(1).max(LIMITS.certificateChainMax).readonly(),
  ),
  /** Revocation lists of the authorities in those chains: X.509 CRL in DER, base64. */
  revocationLists: z.array(der(LIMITS.revocationListLengthBytes)).max(LIMITS.revocationListsMax).readonly().optional(),
})

/** As it stands in JSON. */
export type Identity = Readonly<z.output<typeof identitySchema>>

/**
 * The `identity` of the delegated role `role`; undefined if it has none.
 *
 * Errors: METADATA_POLICY with every fault, also for a certificate that is none.
 */
export const parseIdentity = (role: string, value: unknown): Identity | undefined => {
  if (value === undefined) return undefined
  const result = identitySchema.safeParse(value)
  if (result.success) return result.data
  const faults = result.error.issues.map(({ path, message }) => `${path.join('.') || 'the whole'}: ${message}`)
  throw new UpdateError('METADATA_POLICY', `the identity of role ${role} is malformed: ${faults.join('; ')}`)
}

/** The chain of a key, leaf first; empty if the identity has none for it. Errors: METADATA_POLICY. */
export const chainOf = (identity: Identity, keyId: string): readonly X509Certificate[] =>
  (Object.hasOwn(identity.certificates, keyId) ? (identity.certificates[keyId] ?? []) : []).map((text) => {
    try {
      return new X509Certificate(Buffer.from(text, 'base64'))
    } catch (error) {
      throw new UpdateError('METADATA_POLICY', `a certificate for the key ${keyId} cannot be read`, { cause: error })
    }
  })
