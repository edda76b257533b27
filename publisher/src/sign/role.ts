// Signs one metadata file, and checks it before anyone gets to see it.
import { UpdateError } from '@updraft/core/errors'
import { canonicalBytes } from '@updraft/core/trust/canonical'
import type { Metadata, SignedCommon } from '@updraft/core/trust/metadata'
import { assertMetadataPolicy } from '@updraft/core/trust/policy'
import type { Signers } from '../keys/signer.ts'
import type { SignedRole } from '../repository/edition.ts'
import { metadataMaxBytes } from '../repository/layout.ts'
import { type Delegator, signatureFault } from '../repository/signatures.ts'

/**
 * Signs `signed` with every signer of `role`. A signer that answers wrongly, and content that clients would refuse, are
 * found here.
 *
 * Errors: METADATA_POLICY, LIMIT_EXCEEDED, KEY_MISSING if the signatures do not satisfy `delegators`; whatever a signer
 *         throws.
 */
export const signRole = async <Signed extends SignedCommon>(
  role: string,
  signed: Signed,
  signers: Signers,
  delegators: readonly Delegator[],
): Promise<SignedRole<Signed>> => {
  const canonical = canonicalBytes(signed)
  const signatures: Metadata['signatures'][number][] = []
  for (const signer of signers.get(role) ?? []) {
    signatures.push({ keyid: signer.keyId, sig: await signer.sign(canonical) })
  }
  const metadata = { signatures, signed }
  assertMetadataPolicy(role, metadata)
  const fault = signatureFault(role, metadata, delegators)
  if (fault !== undefined) {
    throw new UpdateError('KEY_MISSING', `what was signed for role ${role} cannot be used: ${fault}`, {
      hint: 'a key that signed is not one of the role, or its signer answered wrongly; nothing was written',
    })
  }
  return { role, metadata, bytes: serialize(role, metadata) }
}

/** Indented by one space: people review these files, and little is lost on the wire. */
const serialize = (role: string, metadata: Metadata): Buffer => {
  const bytes = Buffer.from(`${JSON.stringify(metadata, undefined, 1)}\n`)
  const maxBytes = metadataMaxBytes(role)
  if (bytes.length > maxBytes) {
    throw new UpdateError(
      'LIMIT_EXCEEDED',
      `the metadata of role ${role} would have ${bytes.length} bytes; clients accept ${maxBytes}`,
    )
  }
  return bytes
}
