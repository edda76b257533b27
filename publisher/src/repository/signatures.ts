// Whether a metadata file carries the signatures that its delegators demand, and no others. Pure. The same rule holds
// for what is read from a repository and for what is about to be written to it.
import { canonicalBytes } from '@updraft/core/trust/canonical'
import { verifySignature } from '@updraft/core/trust/keys'
import type {
  Metadata,
  SignedCommon,
  SignedRoot,
  SignedTargets,
  TufKey,
  TufKeys,
  TufRole,
} from '@updraft/core/trust/metadata'

/** The file that says who may sign another one. */
export type Delegator = SignedRoot | SignedTargets

/**
 * What is wrong with the signatures of `metadata` as the file of `role`, or undefined. Stricter than a client: a
 * signature that a client would merely ignore is a fault in one's own repository.
 *
 * Source: TUF 5.3.4, 5.4.2, 5.5.3, 5.6.3 (thresholds).
 */
export const signatureFault = (
  role: string,
  { signed, signatures }: Metadata<SignedCommon>,
  delegators: readonly Delegator[],
): string | undefined => {
  const bytes = canonicalBytes(signed)
  const signedBy = new Set<string>()
  for (const { keyid, sig } of signatures) {
    const key = delegators.map((delegator) => keyInDelegator(delegator, keyid)).find((found) => found !== undefined)
    if (key === undefined) return `it carries a signature of the unknown key ${keyid}`
    // Upper case would verify, but it is not what was written.
    if (sig !== sig.toLowerCase() || !verifySignature(key, bytes, sig)) return `its signature by ${keyid} is wrong`
    signedBy.add(keyid)
  }
  for (const delegator of delegators) {
    const demand = demandOf(delegator, role)
    if (demand === undefined) return `nobody delegates to ${role}`
    const count = demand.keyids.filter((keyId) => signedBy.has(keyId)).length
    if (count < demand.threshold) return `it is signed by ${count} keys of ${role}, and ${demand.threshold} are needed`
  }
  return undefined
}

/** Whose signatures `delegator` demands for `role`. */
export const demandOf = (delegator: Delegator, role: string): TufRole | undefined =>
  delegator._type === 'root'
    ? Object.entries(delegator.roles).find(([name]) => name === role)?.[1]
    : delegator.delegations?.roles.find(({ name }) => name === role)

const keysOf = (delegator: Delegator): TufKeys =>
  delegator._type === 'root' ? delegator.keys : (delegator.delegations?.keys ?? {})

/** The key of this id, if `delegator` has it. */
export const keyInDelegator = (delegator: Delegator, keyId: string): TufKey | undefined => {
  const keys = keysOf(delegator)
  return Object.hasOwn(keys, keyId) ? keys[keyId] : undefined
}
