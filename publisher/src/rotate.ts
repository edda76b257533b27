// Other keys for a role, because people and machines change, or because a key was lost or stolen. Roots follow one another
// without a gap: each is signed by enough keys of the one before it, and of its own.
import { UpdateError } from '@updraft/core/errors'
import { type ApplyOptions, applyChange } from './apply-change.ts'
import { createKeyFile, type NewKey, newKeys } from './keys/key-file.ts'
import { KEY_ID_SHOWN } from './keys/keys-directory.ts'
import type { KeyType } from './keys/private-key.ts'
import type { PublicKey } from './keys/public-key.ts'
import { firstHolder } from './keys/signer.ts'
import type { Repository } from './repository.ts'
import { assertRole, isNewRole, keyChange, type RoleEdit } from './sign/role-keys.ts'

export interface RotateRequest {
  readonly role: string
  readonly add: readonly PublicKey[]
  /** Beginnings of key ids, or all that the role has. */
  readonly remove: readonly string[] | 'all'
  readonly threshold?: number | undefined
}

export interface RevokeRequest {
  /** The beginning of a key id. */
  readonly key: string
  /** What takes its place, in each role that had it. */
  readonly replacements: readonly PublicKey[]
}

/** Where new keys go, and how they are kept. */
export interface NewKeyOptions {
  readonly directory: string
  /** Undefined leaves them unencrypted. */
  readonly passphrase: string | undefined
  readonly type: KeyType
}

export interface Rotated {
  readonly roles: readonly {
    readonly role: string
    readonly keyIds: readonly string[]
    readonly removed: readonly string[]
    readonly threshold: number
  }[]
  readonly made: readonly { readonly role: string; readonly keyId: string; readonly path: string }[]
  /** By role, as they are in force now. */
  readonly metadataVersions: Readonly<Record<string, number>>
}

/**
 * What changes about the role. Pure.
 *
 * Errors: USAGE for a role or key that is not there, or if nothing is asked for.
 */
export const rotation = (repository: Repository, request: RotateRequest): readonly RoleEdit[] => {
  const { role, add, remove, threshold } = request
  if (isNewRole(repository, role)) return [{ role, add, remove: [], threshold }]
  assertRole(repository, role)
  const present = repository.roles.find((state) => state.role === role)?.keyIds ?? []
  const removed = remove === 'all' ? present : remove.map((wanted) => keyNamed(wanted, present, `the role ${role}`))
  if (add.length === 0 && removed.length === 0 && threshold === undefined) {
    throw new UpdateError('USAGE', `nothing was said about the role ${role}`, {
      hint: 'name keys with --add-key and --remove-key, a --threshold, or say --new to replace all of its keys',
    })
  }
  // A key that is added and removed stays: `all` means those that are not named again.
  const added = new Set(add.map(({ keyId }) => keyId))
  return [{ role, add, remove: removed.filter((keyId) => !added.has(keyId)), threshold }]
}

/** Takes a key away from every role that has it. Pure. Errors: USAGE if none has. */
export const revocation = (repository: Repository, { key, replacements }: RevokeRequest): readonly RoleEdit[] => {
  const all = [...new Set(repository.roles.flatMap(({ keyIds }) => keyIds))]
  const keyId = keyNamed(key, all, repository.directory)
  return repository.roles
    .filter(({ keyIds }) => keyIds.includes(keyId))
    .map(({ role }) => ({ role, add: replacements, remove: [keyId] }))
}

export interface RotateOptions extends ApplyOptions {
  /** Makes new keys, as many as were removed, in the places of those. */
  readonly replace?: NewKeyOptions | undefined
}

/**
 * Gives roles other keys, signed with the keys that are here.
 *
 * Errors: those of `applyChange` and `edits`. New keys are deleted again if they were not published.
 */
export const rotate = async (
  directory: string,
  edits: (repository: Repository) => readonly RoleEdit[],
  { replace, ...options }: RotateOptions,
): Promise<Rotated> => {
  await using undo = new AsyncDisposableStack()
  const made: NewKey[] = []
  let decided: readonly RoleEdit[] = []
  const { before, after } = await applyChange(
    directory,
    async (repository) => {
      decided = edits(repository)
      if (replace !== undefined) {
        decided = await Promise.all(
          decided.map(async (edit) => {
            const keys = await Promise.all(
              Array.from({ length: keysToMake(repository, edit) }, () =>
                createKeyFile(replace.directory, edit.role, replace.passphrase, replace.type),
              ),
            )
            for (const key of keys) made.push(undo.use(key))
            return { ...edit, add: [...edit.add, ...keys] }
          }),
        )
      }
      return keyChange(repository, decided)
    },
    {
      ...options,
      keys: firstHolder(options.keys, newKeys(made)),
      onCommit: () => undo.move(), // New keys may be public then, and must not be lost.
    },
  )
  return {
    roles: decided.flatMap(({ role }) => rotatedRole(role, before, after)),
    made: made.map(({ role, keyId, path }) => ({ role, keyId, path })),
    metadataVersions: Object.fromEntries(after.roles.map(({ role, metadataVersion }) => [role, metadataVersion])),
  }
}

/** As many as go; a role that comes to be has as many as have to sign. */
const keysToMake = (repository: Repository, { role, add, remove, threshold = 1 }: RoleEdit): number =>
  isNewRole(repository, role) ? Math.max(0, threshold - add.length) : remove.length

const rotatedRole = (role: string, before: Repository, after: Repository): Rotated['roles'] => {
  const [old, now] = [before, after].map(({ roles }) => roles.find((state) => state.role === role))
  if (now === undefined) return []
  const removed = (old?.keyIds ?? []).filter((keyId) => !now.keyIds.includes(keyId))
  return [{ role, keyIds: now.keyIds, removed, threshold: now.threshold }]
}

const keyNamed = (wanted: string, present: readonly string[], where: string): string => {
  const found = /^[0-9a-f]{8,64}$/.test(wanted) ? present.filter((keyId) => keyId.startsWith(wanted)) : []
  const [keyId, ...others] = found
  if (keyId !== undefined && others.length === 0) return keyId
  throw new UpdateError('USAGE', `${JSON.stringify(wanted)} names ${found.length} keys of ${where}`, {
    hint: `give at least ${KEY_ID_SHOWN} digits of one of ${present.map((id) => id.slice(0, KEY_ID_SHOWN)).join(', ')}`,
  })
}
