// Who signed a metadata file, of those who may. The second pair of eyes beside the TUF library, and the source of the
// names under "signed by".
import { canonicalBytes } from './canonical.ts'
import { verifySignature } from './keys.ts'
import type { Metadata, TufKeys, TufRole } from './metadata.ts'

/** A role as its delegator describes it: who may sign, how many must, and their keys. */
export interface Authority {
  readonly role: TufRole
  readonly keys: TufKeys
}

/** Ids of the role's keys whose signature over `metadata` is right, in the role's order, each once. */
export const signersOf = (metadata: Metadata, { role, keys }: Authority): readonly string[] => {
  const bytes = canonicalBytes(metadata.signed)
  return [...new Set(role.keyids)].filter((keyId) => {
    const key = Object.hasOwn(keys, keyId) ? keys[keyId] : undefined
    const signature = metadata.signatures.find(({ keyid }) => keyid === keyId)
    return key !== undefined && signature !== undefined && verifySignature(key, bytes, signature.sig)
  })
}

/** Whether enough of the role's keys signed. Source: TUF 5.3.4, 5.4.2, 5.5.3, 5.6.3. */
export const isSignedBy = (metadata: Metadata, authority: Authority): boolean =>
  signersOf(metadata, authority).length >= authority.role.threshold
