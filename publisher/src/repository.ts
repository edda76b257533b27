// A repository on disk as the rest of the publisher sees it: opened only if all its metadata verifies, locked by one
// writer at a time, changed only by adding files and replacing `timestamp.json`.
import { randomBytes } from 'node:crypto'
import { access, constants, readdir, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { fromFileSystem, systemCodeOf, UpdateError } from '@updraft/core/errors'
import { makeDirectory, readFileIfThere, renameDurably, writeFileAtomic } from '@updraft/core/files/atomic'
import { type Lock, takeLock } from '@updraft/core/files/lock'
import { LIMITS } from '@updraft/core/limits'
import { type Product, parseProduct, URGENT_ROLE } from '@updraft/core/names'
import type { TufRole } from '@updraft/core/trust/metadata'
import { commitFiles, completeInterrupted, forgetUnseen, isInterrupted } from './repository/commit.ts'
import {
  delegatedNames,
  type Edition,
  type EditionPart,
  fingerprintOf,
  metadataFileOf,
  readEdition,
  type SignedRole,
} from './repository/edition.ts'
import { readEditionPart, type WantedProducts } from './repository/edition-part.ts'
import { LOCK_NAME, layoutOf } from './repository/layout.ts'
import { type PublishedRelease, releasesOf } from './repository/releases.ts'
import { hasLeftovers, sweep } from './repository/sweep.ts'
import {
  type RepositorySettings,
  readRepositorySettings,
  SETTINGS_FILE,
  serializeRepositorySettings,
} from './repository-settings.ts'

export type { PublishedRelease, PublishedTorrent, StoredTarget } from './repository/releases.ts'

/** The current metadata of one role. */
export interface RoleState {
  readonly role: string
  readonly metadataVersion: number
  readonly expires: Date
  readonly keyIds: readonly string[]
  readonly threshold: number
}

/** A repository whose metadata was verified when it was opened. */
export interface Repository<Known extends EditionPart = Edition> {
  /** Absolute. */
  readonly directory: string
  readonly settings: RepositorySettings
  /** `sha256:<hex>` of `1.root.json`, byte for byte. */
  readonly fingerprint: string
  /** All of them. */
  readonly products: readonly Product[]
  /** Those of the products that `edition` has. */
  readonly releases: readonly PublishedRelease[]
  /** Root, targets, snapshot, timestamp, then one per product, and `urgent` where it was added. */
  readonly roles: readonly RoleState[]
  readonly edition: Known
}

/** A repository of which only some products were opened. */
export type RepositoryPart = Repository<EditionPart>

export interface OpenOptions {
  /** Fingerprints of which the first root must have one; none means that any will do. */
  readonly fingerprints?: readonly string[]
}

/**
 * Opens the repository in `directory` and verifies all its metadata. Expired metadata does open: see `roles`.
 *
 * Errors: REPOSITORY_INVALID with the file and why, SETTINGS_INVALID, LIMIT_EXCEEDED, IO, PERMISSION.
 */
export const openRepository = (directory: string, options: OpenOptions = {}): Promise<Repository> =>
  open(resolve(directory), readEdition, options)

/**
 * The same for a change to some products, for which it is enough that the others are intact. Where a change did not end well all is
 * opened, so that the next one can clear up.
 */
export const openProducts = async (
  directory: string,
  wanted: WantedProducts,
  options: OpenOptions = {},
): Promise<RepositoryPart> => {
  const absolute = resolve(directory)
  if (await hasLeftovers(absolute)) return await open(absolute, readEdition, options)
  return await open(absolute, (path) => readEditionPart(path, wanted), options)
}

const open = async <Known extends EditionPart>(
  directory: string,
  read: (directory: string) => Promise<Known>,
  { fingerprints = [] }: OpenOptions,
): Promise<Repository<Known>> => {
  const settings = await readRepositorySettings(directory)
  const edition = await read(directory).catch(async (error: unknown) => {
    throw (await isInterrupted(directory)) ? interrupted(directory, error) : error
  })
  const fingerprint = fingerprintOf(edition.roots[0])
  if (fingerprints.length > 0 && !fingerprints.includes(fingerprint)) {
    throw new UpdateError(
      'REPOSITORY_INVALID',
      `the first root of ${directory} is ${fingerprint}, but the keys belong to ${fingerprints.join(', ')}`,
      { hint: 'somebody may have replaced the repository: compare it with a backup before signing anything in it' },
    )
  }
  return repositoryOf(directory, settings, edition)
}

/** The same repository after a change to its metadata. */
export const withEdition = <Known extends EditionPart>(
  { directory, settings }: RepositoryPart,
  edition: Known,
): Repository<Known> => repositoryOf(directory, settings, edition)

/** What has to be known to sign these roles. Errors: TypeError for a role that the repository does not have. */
export const rolesNamed = ({ roles }: RepositoryPart, names: readonly string[]): readonly RoleState[] =>
  [...new Set(names)].map((name) => {
    const state = roles.find(({ role }) => role === name)
    if (state === undefined) throw new TypeError(`no role ${name}`)
    return state
  })

/**
 * Keeps every other writer out until it is disposed of. A change of keys that was interrupted is completed first.
 *
 * Errors: LOCKED, REPOSITORY_INVALID if there is no such directory, PERMISSION if nothing can be written there.
 */
export const lockRepository = async (directory: string): Promise<Lock> => {
  await readRepositorySettings(directory) // So that no lock file appears in a folder that is none of ours.
  try {
    await access(directory, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    throw fromFileSystem(error, `cannot write to ${directory}`)
  }
  const lock = takeLock(directory, LOCK_NAME)
  try {
    await completeInterrupted(directory)
    return lock
  } catch (error) {
    lock[Symbol.dispose]()
    throw error
  }
}

const interrupted = (directory: string, cause: unknown): UpdateError =>
  new UpdateError('REPOSITORY_INVALID', `a change of keys in ${directory} was interrupted`, {
    cause,
    hint: 'any command that signs in it completes it, such as: updraft-publisher renew DIR',
  })

/**
 * Runs `change` on a repository that is swept before and, if it fails, after: nothing half-done stays. Of a part only
 * metadata may change.
 */
export const changeRepository = async <Result>(
  repository: RepositoryPart,
  change: (stagingDirectory: string) => Promise<Result>,
): Promise<Result> => {
  await sweep(repository)
  const { staging } = layoutOf(repository.directory)
  try {
    await makeDirectory(staging)
    const result = await change(staging)
    await rm(staging, { recursive: true, force: true }).catch(() => {}) // It is done; the next writer sweeps.
    return result
  } catch (error) {
    // If the timestamp got through, or a root, the change is public and what it names must stay. The next writer sweeps again.
    const isUnseen = await forgetUnseen(repository.directory).catch(() => false)
    if (isUnseen && (await isUnchanged(repository))) await sweep(repository).catch(() => {})
    throw error
  }
}

/**
 * Errors: REPOSITORY_EXISTS if something is in the way of a new repository; PERMISSION, IO.
 */
export const assertNothingAt = async (directory: string): Promise<void> => {
  const names: readonly string[] = await readdir(directory).catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return []
    if (systemCodeOf(error) === 'ENOTDIR') throw occupied(directory, 'is not a folder', error)
    throw fromFileSystem(error, `cannot look into ${directory}`)
  })
  if (names.includes(SETTINGS_FILE)) {
    throw new UpdateError('REPOSITORY_EXISTS', `${directory} is a repository already`, {
      hint: 'add a product to it with: updraft-publisher product add NAME --repo DIR',
    })
  }
  if (names.length > 0) throw occupied(directory, 'is not empty')
}

const occupied = (directory: string, why: string, cause?: unknown): UpdateError =>
  new UpdateError('REPOSITORY_EXISTS', `there cannot be a repository at ${directory}: it ${why}`, { cause })

/**
 * Makes a new repository at `directory`, all of it or nothing.
 *
 * Errors: REPOSITORY_EXISTS, DISK_FULL, PERMISSION, IO.
 */
export const createRepository = async (
  directory: string,
  settings: RepositorySettings,
  metadata: readonly SignedRole[],
): Promise<void> => {
  const absolute = resolve(directory)
  await assertNothingAt(absolute)
  await makeDirectory(dirname(absolute))
  const staging = join(dirname(absolute), `.${basename(absolute)}.${randomBytes(6).toString('hex')}.tmp`)
  const layout = layoutOf(staging)
  try {
    for (const folder of [staging, layout.metadata, layout.targets, layout.bundles]) await makeDirectory(folder)
    await writeFileAtomic(join(staging, SETTINGS_FILE), serializeRepositorySettings(settings))
    await commitFiles(staging, { metadata })
    await renameDurably(staging, absolute)
  } catch (error) {
    await rm(staging, { recursive: true, force: true }).catch(() => {}) // Why it failed matters more.
    throw error
  }
}

const isUnchanged = async ({ directory, edition }: RepositoryPart): Promise<boolean> => {
  const file = join(layoutOf(directory).metadata, metadataFileOf(edition.timestamp))
  const bytes = await readFileIfThere(file, LIMITS.timestampLengthBytes).catch(() => undefined) // Unreadable: leave it.
  return bytes?.equals(edition.timestamp.bytes) ?? false
}

const repositoryOf = <Known extends EditionPart>(
  directory: string,
  settings: RepositorySettings,
  edition: Known,
): Repository<Known> => ({
  directory,
  settings,
  fingerprint: fingerprintOf(edition.roots[0]),
  products: delegatedNames(edition)
    .filter((name) => name !== URGENT_ROLE)
    .map(parseProduct),
  releases: releasesOf(directory, edition),
  roles: rolesOf(edition),
  edition,
})

const rolesOf = (edition: EditionPart): readonly RoleState[] => {
  const { root, targets, products, carried, snapshot, timestamp } = edition
  const demands = new Map<string, TufRole>([
    ...Object.entries(root.metadata.signed.roles),
    ...(targets.metadata.signed.delegations?.roles ?? []).map((role) => [role.name, role] as const),
  ])
  const opened = [root, targets, snapshot, timestamp, ...products.values()].map(({ role, metadata: { signed } }) => ({
    role,
    metadataVersion: signed.version,
    expires: new Date(signed.expires),
  }))
  const states = new Map([...opened, ...carried].map((state) => [state.role, state]))
  return ['root', 'targets', 'snapshot', 'timestamp', ...delegatedNames(edition)].flatMap((role) => {
    const { keyids: keyIds = [], threshold = 0 } = demands.get(role) ?? {}
    const state = states.get(role)
    return state === undefined
      ? []
      : [{ role, metadataVersion: state.metadataVersion, expires: state.expires, keyIds, threshold }]
  })
}
