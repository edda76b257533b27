// The copies of a ceremony put together, and whether that is enough to publish.
import { UpdateError } from '@updraft/core/errors'
import { canonicalBytes } from '@updraft/core/trust/canonical'
import type { Signature } from '@updraft/core/trust/metadata'
import { draftedRoles, signersNeeded } from '../apply-change.ts'
import { type KeySource, type MetadataSigner, openSigners, type Signers } from '../keys/signer.ts'
import type { Edition } from '../repository/edition.ts'
import { type Ceremony, draftOf, readCeremony } from './ceremony-file.ts'
import { reviewCeremony } from './review.ts'

/** Errors: CEREMONY_INVALID if one is no copy of the first; those of reading them. */
export const mergeCeremonies = async ([first, ...others]: readonly [string, ...string[]]): Promise<Ceremony> => {
  const ceremony = await readCeremony(first)
  const signatures = new Map(ceremony.signatures)
  const roles = draftedRoles(ceremony.drafts)
  for (const file of others) {
    const other = await readCeremony(file)
    const isSame =
      other.fingerprint === ceremony.fingerprint &&
      draftedRoles(other.drafts).join() === roles.join() &&
      roles.every((role) =>
        canonicalBytes(draftOf(other.drafts, role)).equals(canonicalBytes(draftOf(ceremony.drafts, role))),
      )
    if (!isSame)
      throw new UpdateError('CEREMONY_INVALID', `${file} is not a copy of ${first}: it would sign something else`)
    for (const role of roles) {
      const there = signatures.get(role) ?? []
      const added = (other.signatures.get(role) ?? []).filter(({ keyid }) => !there.some((old) => old.keyid === keyid))
      signatures.set(role, [...there, ...added])
    }
  }
  return { ...ceremony, signatures }
}

/**
 * Who signs: people, with what they have signed elsewhere (what signs the files verifies it again), and the online roles with the
 * keys that are here.
 *
 * Errors: KEY_MISSING and what else opening the online keys throws.
 */
export const signersOf = async (
  { drafts, signatures }: Ceremony,
  keys: KeySource,
  base: Edition | undefined,
  snapshot: boolean,
): Promise<Signers> => {
  const needed = signersNeeded(base, drafts, snapshot)
  const online = needed.filter(({ role }) => role === 'snapshot' || role === 'timestamp')
  const people = [...signatures].map(([role, list]) => [role, list.map(storedSigner)] as const)
  return new Map([...(await openSigners(keys, online)), ...people])
}

const storedSigner = ({ keyid, sig }: Signature): MetadataSigner => ({
  keyId: keyid,
  sign: async () => sig,
})

/** Errors: SIGNATURES_MISSING. */
export const assertComplete = (ceremony: Ceremony, now: Date): void => {
  const { documents } = reviewCeremony(ceremony, now)
  const lacking = documents.flatMap(({ role, needs }) =>
    needs
      .filter(({ threshold, signed }) => signed.length < threshold)
      .map(
        ({ threshold, signed, missing }) =>
          `${role} has ${signed.length} of ${threshold} signatures, and may have those of ${missing.map((id) => id.slice(0, 8)).join(', ')}`,
      ),
  )
  if (lacking.length === 0) return
  throw new UpdateError('SIGNATURES_MISSING', lacking.join('; '), {
    hint: 'each of them runs: updraft-publisher sign add FILE; nothing was published',
  })
}

/** Errors: METADATA_EXPIRED. */
export const assertNotExpired = ({ drafts }: Ceremony, now: Date): void => {
  for (const role of draftedRoles(drafts)) {
    const expires = draftOf(drafts, role)?.expires ?? ''
    if (Date.parse(expires) > now.getTime()) continue
    throw new UpdateError('METADATA_EXPIRED', `${role} in this ceremony expired at ${expires}`, {
      hint: `this machine's clock says ${now.toISOString()}: set it, or have the ceremony prepared anew`,
    })
  }
}
