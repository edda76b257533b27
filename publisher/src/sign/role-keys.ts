// Changes of who may sign: keys that are added to roles or taken away from them, and thresholds. Pure; what is signed anew by
// whom follows from it in sign.ts.
import { UpdateError } from '@updraft/core/errors'
import { URGENT_ROLE } from '@updraft/core/names'
import { parseIdentity } from '@updraft/core/trust/identity'
import {
  type DelegatedRole,
  TOP_LEVEL_ROLES,
  type TopLevelRole,
  type TufKeys,
  type TufRole,
} from '@updraft/core/trust/metadata'
import type { PublicKey } from '../keys/public-key.ts'
import type { Repository } from '../repository.ts'
import type { Change, RootContent, TargetsContent } from '../sign.ts'
import { withUrgentRole } from './delegations.ts'
import { NOTHING_URGENT } from './urgent.ts'

/** What changes about one role. */
export interface RoleEdit {
  readonly role: string
  readonly add: readonly PublicKey[]
  /** Whole key ids. */
  readonly remove: readonly string[]
  readonly threshold?: number | undefined
}

/**
 * The change that all of `edits` make: the roles that delegate are signed anew, and so is each role whose keys are others.
 *
 * Errors: USAGE for a role that the repository does not have, a key that it does not have, a threshold that cannot be met.
 */
export const keyChange = (repository: Repository, edits: readonly RoleEdit[]): Change => {
  const { edition } = repository
  let root: RootContent | undefined
  let targets: TargetsContent | undefined
  for (const edit of edits) {
    if (!isNewRole(repository, edit.role)) assertRole(repository, edit.role)
    if (isTopLevel(edit.role)) root = editRoot(root ?? edition.root.metadata.signed, edit.role, edit)
    else targets = editDelegation(targets ?? edition.targets.metadata.signed, edit)
  }
  const edited = new Set(edits.map(({ role }) => role))
  return {
    root,
    targets: targets ?? (edited.has('targets') ? edition.targets.metadata.signed : undefined),
    products: new Map<string, TargetsContent>([
      ...[...edition.products].flatMap(([name, { metadata }]) =>
        edited.has(name) ? [[name, metadata.signed] as const] : [],
      ),
      ...(edited.has(URGENT_ROLE) && isNewRole(repository, URGENT_ROLE)
        ? [[URGENT_ROLE, NOTHING_URGENT] as const]
        : []),
    ]),
    snapshot: edited.has('snapshot'),
  }
}

export const isTopLevel = (role: string): role is TopLevelRole => (TOP_LEVEL_ROLES as readonly string[]).includes(role)

/** Whether giving it keys adds the role: only `urgent` comes to be so. */
export const isNewRole = ({ roles }: Repository, role: string): boolean =>
  role === URGENT_ROLE && !roles.some((state) => state.role === role)

/** Errors: USAGE. */
export const assertRole = (repository: Repository, role: string): void => {
  const { roles, directory } = repository
  if (roles.some((state) => state.role === role)) return
  const known = roles.map((state) => state.role).join(', ')
  throw new UpdateError('USAGE', `${directory} has no role ${JSON.stringify(role)}`, { hint: `its roles are ${known}` })
}

const editRoot = ({ keys, roles }: RootContent, role: TopLevelRole, edit: RoleEdit): RootContent => {
  const edited = { ...roles, [role]: editRole(roles[role], edit) }
  return { roles: edited, keys: keysInUse({ ...keys, ...keysOf(edit.add) }, Object.values(edited)) }
}

const editDelegation = ({ targets, delegations }: TargetsContent, edit: RoleEdit): TargetsContent => {
  const { keys = {}, roles = [] } = delegations ?? {}
  if (edit.role === URGENT_ROLE && !roles.some(({ name }) => name === URGENT_ROLE)) {
    const { threshold } = editRole<TufRole>({ keyids: [], threshold: 1 }, edit)
    return withUrgentRole({ targets, delegations }, { keys: edit.add, threshold })
  }
  const edited = roles.map((role) => (role.name === edit.role ? withoutStaleIdentity(editRole(role, edit)) : role))
  return {
    targets,
    delegations: { ...delegations, keys: keysInUse({ ...keys, ...keysOf(edit.add) }, edited), roles: edited },
  }
}

const editRole = <Role extends TufRole>(
  before: Role,
  { role, add, remove, threshold = before.threshold }: RoleEdit,
): Role => {
  const missing = remove.find((keyId) => !before.keyids.includes(keyId))
  if (missing !== undefined) {
    throw new UpdateError('USAGE', `the role ${role} has no key ${missing}`, {
      hint: `its keys are ${before.keyids.join(', ')}`,
    })
  }
  const kept = before.keyids.filter((keyId) => !remove.includes(keyId))
  const keyids = [...new Set([...kept, ...add.map(({ keyId }) => keyId)])]
  if (threshold < 1 || threshold > keyids.length) {
    throw new UpdateError(
      'USAGE',
      `the role ${role} would have ${keyids.length} keys, and ${threshold} would have to sign`,
      {
        hint: 'add keys with --add-key, or change the threshold with --threshold',
      },
    )
  }
  return { ...before, keyids, threshold }
}

/** A certificate for a key that is gone would name somebody who can no longer sign. */
const withoutStaleIdentity = (role: DelegatedRole): DelegatedRole => {
  const identity = parseIdentity(role.name, role.identity)
  if (identity === undefined) return role
  const certificates = Object.entries(identity.certificates).filter(([keyId]) => role.keyids.includes(keyId))
  const { identity: _, ...rest } = role
  return certificates.length === 0
    ? rest
    : { ...rest, identity: { ...identity, certificates: Object.fromEntries(certificates) } }
}

const keysInUse = (keys: TufKeys, roles: readonly TufRole[]): TufKeys => {
  const used = new Set(roles.flatMap(({ keyids }) => keyids))
  return Object.fromEntries(Object.entries(keys).filter(([keyId]) => used.has(keyId)))
}

const keysOf = (keys: readonly PublicKey[]): TufKeys =>
  Object.fromEntries(keys.map(({ keyId, publicKey }) => [keyId, publicKey]))
