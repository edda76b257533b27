// What a ceremony would change, in words, computed from the bytes that are to be signed and those in force. Pure. Whatever these
// words do not cover is named as such, so that nothing is ever signed unseen.
import { isDeepStrictEqual } from 'node:util'
import { URGENT_ROLE } from '@updraft/core/names'
import { nameOf } from '@updraft/core/trust/certificates'
import { chainOf, parseIdentity } from '@updraft/core/trust/identity'
import {
  type DelegatedRole,
  type SignedCommon,
  type SignedRoot,
  type SignedTargets,
  TOP_LEVEL_ROLES,
  type TufKeys,
  type TufRole,
} from '@updraft/core/trust/metadata'
import { isSameName, parseUrgent, type UrgentRelease } from '@updraft/core/trust/urgent'
import { draftedRoles } from '../apply-change.ts'
import { KEY_ID_SHOWN } from '../keys/keys-directory.ts'
import { kindOfKey } from '../keys/public-key.ts'
import { type Ceremony, demandsOf, draftOf } from './ceremony-file.ts'

export interface ReviewedDocument {
  readonly role: string
  readonly version: number
  readonly expires: string
  /** One line each. Those that begin with `!` deserve a second look. */
  readonly changes: readonly string[]
  /** A root that follows another has two: the keys of the one before, and its own. */
  readonly needs: readonly {
    readonly threshold: number
    readonly signed: readonly string[]
    readonly missing: readonly string[]
  }[]
}

export interface Review {
  readonly fingerprint: string
  /** Whether it is a repository that is yet to be; then `fingerprint` is of what will be signed as its first root. */
  readonly founds: boolean
  readonly documents: readonly ReviewedDocument[]
  /** Enough people have signed. */
  readonly complete: boolean
}

export const reviewCeremony = (ceremony: Ceremony, now: Date): Review => {
  const documents = draftedRoles(ceremony.drafts).map((role) => reviewDocument(ceremony, role, now))
  return {
    fingerprint: ceremony.fingerprint,
    founds: ceremony.base === undefined,
    documents,
    complete: documents.every(({ needs }) => needs.every(({ threshold, signed }) => signed.length >= threshold)),
  }
}

const reviewDocument = (ceremony: Ceremony, role: string, now: Date): ReviewedDocument => {
  const { base, drafts, signatures } = ceremony
  const draft = draftOf(drafts, role)
  if (draft === undefined) throw new TypeError(`no draft of ${role}`)
  const by = new Set((signatures.get(role) ?? []).map(({ keyid }) => keyid))
  return {
    role,
    version: draft.version,
    expires: draft.expires,
    changes: [...expiryWords(draft, now), ...contentWords()],
    needs: demandsOf(ceremony, role).map(({ keyIds, threshold }) => ({
      threshold,
      signed: keyIds.filter((keyId) => by.has(keyId)),
      missing: keyIds.filter((keyId) => !by.has(keyId)),
    })),
  }

  function contentWords(): readonly string[] {
    const words =
      role === 'root'
        ? base === undefined
          ? firstRootWords(draft as SignedRoot)
          : rootWords(base.root.metadata.signed, draft as SignedRoot)
        : role === 'targets'
          ? targetsWords(base?.targets.metadata.signed ?? NO_TARGETS, draft as SignedTargets)
          : role === URGENT_ROLE
            ? urgentWords(base?.products.get(role)?.metadata.signed, draft as SignedTargets)
            : productWords(base?.products.get(role)?.metadata.signed, draft as SignedTargets)
    return words.length === 0 ? ['nothing changes but version and expiry'] : words
  }
}

const DAY_MS = 24 * 60 * 60 * 1000
const EXPIRY_UNUSUAL_DAYS = 400

const expiryWords = ({ expires }: SignedCommon, now: Date): readonly string[] => {
  const days = Math.floor((Date.parse(expires) - now.getTime()) / DAY_MS)
  if (days < 0) return [`! it has expired already, at ${expires}, as this machine's clock has it`]
  return [`${days > EXPIRY_UNUSUAL_DAYS ? '! ' : ''}it is good until ${expires}, ${days} days by this machine's clock`]
}

const NO_TARGETS = { targets: {} } as SignedTargets

const firstRootWords = (root: SignedRoot): readonly string[] => [
  ...TOP_LEVEL_ROLES.map((role) => {
    const { keyids, threshold } = root.roles[role]
    const alone = role === 'root' && threshold === 1 ? '! ' : ''
    return `${alone}${role} is signed by ${threshold} of ${keyids.map((id) => describeKey(id, root.keys)).join(', ')}`
  }),
  ...keyWords({}, root.keys, Object.values(root.roles)),
  ...otherWords({}, root, ['keys', 'roles']),
  ...TOP_LEVEL_ROLES.flatMap((role) => otherWords({}, root.roles[role], ['keyids', 'threshold'], `the role ${role}`)),
]

const rootWords = (before: SignedRoot, after: SignedRoot): readonly string[] => [
  ...TOP_LEVEL_ROLES.flatMap((role) =>
    roleWords(role, before.roles[role], after.roles[role], { ...before.keys, ...after.keys }),
  ),
  ...keyWords(before.keys, after.keys, Object.values(after.roles)),
  ...otherWords(before, after, ['keys', 'roles']),
  ...TOP_LEVEL_ROLES.flatMap((role) =>
    otherWords(before.roles[role], after.roles[role], ['keyids', 'threshold'], `the role ${role}`),
  ),
]

const targetsWords = (before: SignedTargets, after: SignedTargets): readonly string[] => {
  const [old, now] = [before, after].map(({ delegations }) => delegations ?? { keys: {}, roles: [] })
  if (old === undefined || now === undefined) return []
  const keys = { ...old.keys, ...now.keys }
  const named = (roles: readonly DelegatedRole[], name: string) => roles.find((role) => role.name === name)
  const gone = old.roles.filter(({ name }) => named(now.roles, name) === undefined)
  const order = (roles: readonly DelegatedRole[]) => roles.map(({ name }) => name)
  const kept = order(old.roles).filter((name) => order(now.roles).includes(name))
  return [
    ...gone.map(({ name }) =>
      name === URGENT_ROLE
        ? '! the role urgent is taken away: the keys of each product call its releases urgent then'
        : `! the product ${name} is taken away: machines that have it get no more updates`,
    ),
    ...now.roles.flatMap((role) => delegationWords(named(old.roles, role.name), role, keys)),
    ...(isDeepStrictEqual(
      kept,
      order(now.roles).filter((name) => kept.includes(name)),
    )
      ? []
      : ['! the order of products changes']),
    ...keyWords(old.keys, now.keys, now.roles),
    ...otherWords(before, after, ['delegations']),
    ...otherWords(old, now, ['keys', 'roles'], 'the delegations'),
  ]
}

const delegationWords = (before: DelegatedRole | undefined, after: DelegatedRole, keys: TufKeys): readonly string[] => {
  const { name } = after
  if (before === undefined) {
    return [
      `${name === URGENT_ROLE ? '! a new role urgent, which lets machines have releases at once' : `a new product ${name}`}, signed by ${after.threshold} of ${after.keyids.map((id) => describeKey(id, keys)).join(', ')}`,
      ...identityWords(undefined, after),
    ]
  }
  const words = roleWords(name, before, after, keys)
  const paths = isDeepStrictEqual(before.paths, after.paths)
    ? []
    : [`! ${name} may sign ${after.paths.join(', ')} instead of ${before.paths.join(', ')}`]
  return [
    ...words,
    ...paths,
    ...identityWords(before, after),
    ...otherWords(before, after, ['keyids', 'threshold', 'paths', 'identity'], `the delegation to ${name}`),
  ]
}

const roleWords = (role: string, before: TufRole, after: TufRole, keys: TufKeys): readonly string[] => {
  const added = after.keyids.filter((keyId) => !before.keyids.includes(keyId))
  const removed = before.keyids.filter((keyId) => !after.keyids.includes(keyId))
  const lower = after.threshold < before.threshold
  return [
    ...added.map((keyId) => `${role}: the key ${describeKey(keyId, keys)} may sign from now on`),
    ...removed.map((keyId) => `${role}: the key ${describeKey(keyId, keys)} may not sign any more`),
    ...(after.threshold === before.threshold && added.length === 0 && removed.length === 0
      ? []
      : [
          `${lower ? '! ' : ''}${role}: ${after.threshold} of ${after.keyids.length} keys have to sign, before it was ${before.threshold} of ${before.keyids.length}`,
        ]),
  ]
}

/** Keys are named by the hash of all that they are, so a key of the same id is the same key; one that nobody uses is odd. */
const keyWords = (before: TufKeys, after: TufKeys, roles: readonly TufRole[]): readonly string[] => {
  const used = new Set(roles.flatMap(({ keyids }) => keyids))
  return Object.keys(after)
    .filter((keyId) => !used.has(keyId) && !Object.hasOwn(before, keyId))
    .map((keyId) => `! the key ${describeKey(keyId, after)} is listed, and no role uses it`)
}

const identityWords = (before: DelegatedRole | undefined, after: DelegatedRole): readonly string[] => {
  if (isDeepStrictEqual(before?.identity, after.identity)) return []
  const { name } = after
  const identity = parseIdentity(name, after.identity)
  if (identity === undefined) return [`! ${name} says no longer who signs it`]
  return [
    ...Object.keys(identity.certificates).map((keyId) => {
      const names = chainOf(identity, keyId).map(nameOf)
      return `${name}: the key ${keyId.slice(0, KEY_ID_SHOWN)} belongs to ${names.join(', as says ')}`
    }),
    ...(isDeepStrictEqual(parseIdentity(name, before?.identity)?.revocationLists, identity.revocationLists)
      ? []
      : [`${name}: other revocation lists`]),
  ]
}

const productWords = (before: SignedTargets | undefined, after: SignedTargets): readonly string[] => {
  const old = before?.targets ?? {}
  const paths = [...new Set([...Object.keys(old), ...Object.keys(after.targets)])].sort()
  const has = (targets: SignedTargets['targets'], path: string) => Object.hasOwn(targets, path)
  return [
    ...(before === undefined ? ['its first version'] : []),
    ...paths.flatMap((path) => {
      if (!has(after.targets, path)) return [`! ${path} is taken away`]
      if (!has(old, path)) return [`${path} is new`]
      return isDeepStrictEqual(old[path], after.targets[path]) ? [] : [`! what is signed of ${path} changes`]
    }),
    ...otherWords(before ?? ({} as SignedTargets), after, ['targets']),
  ]
}

/** Each line deserves a look: it is what the owners of machines have asked to wait for. */
const urgentWords = (before: SignedTargets | undefined, after: SignedTargets): readonly string[] => {
  const [old, now] = [parseUrgent(before?.urgent).releases, parseUrgent(after.urgent).releases]
  const nameOf = ({ product, version, platform, index }: UrgentRelease) =>
    `${plainText(`${product} ${version} (${platform})`)}, index ${index.slice(0, 16)}…`
  const lacks = (list: readonly UrgentRelease[], entry: UrgentRelease) =>
    !list.some((other) => other.index === entry.index && isSameName(other, entry))
  return [
    ...(before === undefined ? ['its first version'] : []),
    ...now
      .filter((entry) => lacks(old, entry))
      .map((entry) => `! machines may have ${nameOf(entry)} at once, whatever age they ask for`),
    ...old.filter((entry) => lacks(now, entry)).map((entry) => `machines wait again for ${nameOf(entry)}`),
    ...otherWords(before ?? {}, after, ['targets', 'urgent']),
  ]
}

const COMMON = new Set(['_type', 'spec_version', 'version', 'expires', 'consistent_snapshot', 'name', 'terminating'])

/** Fields that nothing above has words for. The policy has looked at the common ones, and at whether products terminate. */
const otherWords = (before: object, after: object, covered: readonly string[], where = 'it'): readonly string[] => {
  const fields = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  const [old, now] = [before, after] as readonly Record<string, unknown>[]
  return fields
    .filter((field) => !covered.includes(field) && !COMMON.has(field) && !isDeepStrictEqual(old?.[field], now?.[field]))
    .map(
      (field) =>
        `! in ${where}, the field ${JSON.stringify(plainText(field))} changes, which this program has no words for`,
    )
}

/** Nothing that steers a terminal. */
const plainText = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}]/gu, ' ')

const describeKey = (keyId: string, keys: TufKeys): string => {
  const key = Object.hasOwn(keys, keyId) ? keys[keyId] : undefined
  return `${keyId.slice(0, KEY_ID_SHOWN)}${key === undefined ? '' : ` (${kindOfKey(key)})`}`
}
