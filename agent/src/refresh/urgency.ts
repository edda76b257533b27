// Who says that a release is urgent: the role `urgent`, and nobody else where the repository has it. In a repository without it the
// product's own word counts. A role that cannot be had or is refused calls nothing urgent, and stops nothing.
import type { Signer } from '@updraft/core/control/api'
import type { UpdateError } from '@updraft/core/errors'
import { URGENT_ROLE } from '@updraft/core/names'
import { isListedUrgent, parseUrgent, type UrgentList } from '@updraft/core/trust/urgent'
import { isAboutSource } from './follow.ts'
import { type ListedRelease, type LoadedRole, loadRole, type ProductRole } from './product-role.ts'
import type { Session, TopLevel } from './session.ts'

/** Whose word lifts the minimum age of a release. */
export interface Urgency {
  /** `urgent`, or the product whose repository has no such role. */
  readonly role: string
  readonly signers: readonly Signer[]
}

export type UrgentRole =
  /** The repository has no such role. */
  | { readonly kind: 'absent' }
  /** It has, and nobody asked what it says. */
  | { readonly kind: 'unread' }
  | { readonly kind: 'refused'; readonly error: UpdateError }
  | {
      readonly kind: 'read'
      readonly list: UrgentList
      readonly signers: LoadedRole['signers']
      readonly threshold: number
    }

/** `isWanted` is false where no age is asked for, which spares a file. Errors: those of `Session.load` that are not about the source. */
export const loadUrgentRole = async (session: Session, topLevel: TopLevel, isWanted: boolean): Promise<UrgentRole> => {
  const isThere = topLevel.targets.signed.delegations?.roles.some(({ name }) => name === URGENT_ROLE) ?? false
  if (!isThere) return { kind: 'absent' }
  if (!isWanted) return { kind: 'unread' }
  try {
    const role = await loadRole(session, topLevel, URGENT_ROLE)
    if (role === undefined) return { kind: 'absent' }
    const { metadata, signers, threshold } = role
    return { kind: 'read', list: parseUrgent(metadata.signed.urgent), signers, threshold }
  } catch (error) {
    if (!isAboutSource(error)) throw error
    return { kind: 'refused', error }
  }
}

export const urgencyOf = (
  { release, index }: ListedRelease,
  { product, signers }: ProductRole,
  urgent: UrgentRole,
): Urgency | undefined => {
  switch (urgent.kind) {
    case 'absent':
      return release.urgent === true ? { role: product, signers } : undefined
    case 'read':
      return isListedUrgent(urgent.list, release, index.sha256)
        ? { role: URGENT_ROLE, signers: urgent.signers }
        : undefined
    default:
      return undefined
  }
}
