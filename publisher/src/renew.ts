// Keeps a repository from expiring: snapshot and timestamp are signed anew once half of their life is over, other roles
// when somebody asks for it. What the metadata says stays as it is.
import { applyChange } from './apply-change.ts'
import type { KeySource } from './keys/signer.ts'
import { isInterrupted } from './repository/commit.ts'
import { lockRepository, openRepository, type Repository } from './repository.ts'
import { assertRole } from './sign/role-keys.ts'
import type { Change } from './sign.ts'

const DAY_MS = 24 * 60 * 60 * 1000
export const ONLINE_ROLES = ['snapshot', 'timestamp'] as const

export interface RenewOptions {
  readonly keys: KeySource
  readonly now: Date
}

export interface Renewal {
  /** Roles that were signed anew; empty if none was due. */
  readonly renewed: readonly string[]
  /** The repository as it is now. */
  readonly repository: Repository
  /** When `renewOnlineRoles` will next have something to do. */
  readonly nextDue: Date
}

/**
 * Renews the roles that live short and need no person: snapshot and timestamp, whichever is past half of its life.
 *
 * Errors: LOCKED while somebody publishes (who renews both anyway: try again later); REPOSITORY_INVALID, KEY_MISSING,
 *         PASSPHRASE_MISSING, PASSPHRASE_WRONG, DISK_FULL, PERMISSION, IO.
 */
export const renewOnlineRoles = async (directory: string, options: RenewOptions): Promise<Renewal> => {
  // Taking the lock completes it.
  if (await isInterrupted(directory)) (await lockRepository(directory))[Symbol.dispose]()
  const repository = await open(directory, options)
  // Reading needs no lock, and most of the time there is nothing to do.
  if (onlineRolesDue(repository, options.now).length === 0) return renewal(repository, [])
  return await renewUnderLock(directory, options, (current) => onlineRolesDue(current, options.now))
}

/**
 * Renews `roles`, due or not, and with them snapshot and timestamp.
 *
 * Errors: USAGE for a role that the repository does not have; otherwise as `renewOnlineRoles`.
 */
export const renewRoles = (directory: string, roles: readonly string[], options: RenewOptions): Promise<Renewal> =>
  renewUnderLock(directory, options, (repository) => {
    for (const role of roles) assertRole(repository, role)
    return [...new Set([...roles, ...ONLINE_ROLES])]
  })

const renewUnderLock = async (
  directory: string,
  options: RenewOptions,
  choose: (repository: Repository) => readonly string[],
): Promise<Renewal> => {
  const decide = (repository: Repository): Change | undefined => {
    const roles = choose(repository)
    return roles.length === 0 ? undefined : renewalOf(repository, roles)
  }
  const { after, signed } = await applyChange(directory, decide, options)
  return renewal(after, signed)
}

const open = async (directory: string, { keys }: RenewOptions): Promise<Repository> =>
  openRepository(directory, { fingerprints: await keys.rootFingerprints() })

/** The change that signs the same contents once more. */
export const renewalOf = ({ edition }: Repository, roles: readonly string[]): Change => ({
  root: roles.includes('root') ? edition.root.metadata.signed : undefined,
  targets: roles.includes('targets') ? edition.targets.metadata.signed : undefined,
  products: new Map(
    [...edition.products].flatMap(([name, { metadata }]) => (roles.includes(name) ? [[name, metadata.signed]] : [])),
  ),
  snapshot: roles.includes('snapshot'),
})

const onlineRolesDue = (repository: Repository, now: Date): readonly string[] =>
  ONLINE_ROLES.filter((role) => dueAt(repository, role) <= now)

/** Half of the role's life before it expires. */
const dueAt = ({ roles, settings }: Repository, role: (typeof ONLINE_ROLES)[number]): Date => {
  const expires = roles.find((state) => state.role === role)?.expires ?? new Date(0)
  return new Date(expires.getTime() - (settings.expiryDays[role] * DAY_MS) / 2)
}

const renewal = (repository: Repository, renewed: readonly string[]): Renewal => ({
  renewed,
  repository,
  nextDue: new Date(Math.min(...ONLINE_ROLES.map((role) => dueAt(repository, role).getTime()))),
})
