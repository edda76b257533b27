// Signs one metadata file, and checks it as a client would before anyone gets to see it.
import { Metadata, type Root, Signature, type Targets } from '@tufjs/models'
import { messageOf, UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import { canonicalBytes } from '@updraft/core/trust/canonical'
import { assertMetadataPolicy } from '@updraft/core/trust/policy'
import type { Signers } from '../keys/signer.ts'
import type { SignedContent, SignedRole } from '../repository/edition.ts'

/** JSON as the metadata model takes and gives it. */
export type Json = Parameters<typeof Metadata.fromJSON>[1]

export type Delegator = Metadata<Root> | Metadata<Targets>

/**
 * Signs `content` with every signer of `role`. A signer that answers wrongly, and content that clients would refuse,
 * are found here.
 *
 * Errors: METADATA_POLICY, LIMIT_EXCEEDED, KEY_MISSING if the signatures do not satisfy `delegators`; whatever a signer
 *         throws.
 */
export const signRole = async <Content extends SignedContent>(
  role: string,
  content: Content,
  signers: Signers,
  delegators: (own: Metadata<Content>) => readonly Delegator[],
): Promise<SignedRole<Content>> => {
  const metadata = new Metadata(content)
  const bytes = canonicalBytes(content.toJSON())
  for (const signer of signers.get(role) ?? []) {
    const { keyId } = signer
    metadata.signatures[keyId] = new Signature({ keyID: keyId, sig: await signer.sign(bytes) })
  }
  assertMetadataPolicy(role, metadata)
  for (const delegator of delegators(metadata)) assertSigned(role, metadata, delegator)
  return { role, metadata, bytes: serialize(role, metadata) }
}

const assertSigned = (role: string, metadata: Metadata<SignedContent>, delegator: Delegator): void => {
  try {
    delegator.verifyDelegate(role, metadata)
  } catch (error) {
    throw new UpdateError('KEY_MISSING', `the signatures made for role ${role} are not enough: ${messageOf(error)}`, {
      cause: error,
      hint: 'a key that signed is not one of the role, or its signer answered wrongly; nothing was written',
    })
  }
}

/** Indented by one space: people review these files, and little is lost on the wire. */
const serialize = (role: string, metadata: Metadata<SignedContent>): Buffer => {
  const bytes = Buffer.from(`${JSON.stringify(metadata.toJSON(), undefined, 1)}\n`)
  const maxBytes = maxBytesOf(role)
  if (bytes.length > maxBytes) {
    throw new UpdateError(
      'LIMIT_EXCEEDED',
      `the metadata of role ${role} would have ${bytes.length} bytes; clients accept ${maxBytes}`,
    )
  }
  return bytes
}

const maxBytesOf = (role: string): number => {
  switch (role) {
    case 'root':
      return LIMITS.rootLengthBytes
    case 'snapshot':
      return LIMITS.snapshotLengthBytes
    case 'timestamp':
      return LIMITS.timestampLengthBytes
    default:
      return LIMITS.targetsLengthBytes
  }
}
