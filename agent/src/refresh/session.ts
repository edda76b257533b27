// One run of the TUF client workflow against one mirror, from the pinned root up, in a folder that is thrown away. Says
// which files were verified; commits nothing. The only place that runs tuf-js.
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { types } from 'node:util'
import { fromFileSystem, messageOf, systemCodeOf, UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import {
  type Metadata,
  parseMetadata,
  type SignedCommon,
  type SignedRoot,
  type SignedSnapshot,
  type SignedTargets,
  type SignedTimestamp,
  TOP_LEVEL_ROLES,
  type TopLevelRole,
} from '@updraft/core/trust/metadata'
import { assertMetadataPolicy } from '@updraft/core/trust/policy'
import type { Authority } from '@updraft/core/trust/signatures'
import { TargetFile, Updater } from 'tuf-js'
import type { MetadataFiles } from './cache.ts'
import { failureOf } from './failures.ts'
import { fileNameOf, roleOfFile } from './file-names.ts'
import { type BelowFloor, type Floors, findBelowFloor, floorsFrom, type VerifiedSet } from './floors.ts'
import { readLargeTables } from './large-tables.ts'
import { openSourceFiles, type SourceFiles, type SourceFilesOptions } from './source-files.ts'

export interface SessionOptions extends Omit<SourceFilesOptions, 'authorityOf'> {
  /** An empty folder for tuf-js. */
  readonly scratch: string
  readonly pinnedRoot: Buffer
  /** Fingerprint of the pinned root. */
  readonly pin: string
  readonly floors: Floors
  readonly now: Date
}

export interface TopLevel {
  readonly root: Metadata<SignedRoot>
  readonly timestamp: Metadata<SignedTimestamp>
  readonly snapshot: Metadata<SignedSnapshot>
  readonly targets: Metadata<SignedTargets>
}

export interface Session {
  /** Metadata URL of the mirror in use. */
  readonly mirror: string
  /**
   * The top-level roles, verified and no older than what was ever accepted.
   *
   * Errors: SOURCE_UNREACHABLE; METADATA_UNTRUSTED, _ROLLBACK, _EXPIRED, _POLICY; LIMIT_EXCEEDED; ABORTED; DISK_FULL, IO.
   * Source: TUF 5.3 to 5.6.
   */
  refresh(): Promise<TopLevel>
  /** What the repository says of a target path, loading the roles that may say so. After `refresh`; the same errors. */
  find(path: string): Promise<TargetFile | undefined>
  /** Loads and verifies a role that targets.json delegates to. After `refresh`; the same errors. */
  load(role: string): Promise<void>
  /** The file of a delegated role as it lies before the library: verified if it was loaded or found, cached otherwise. */
  read(role: string): Metadata<SignedTargets> | undefined
  /** What was verified, as far as that got; what was cached before stays where nothing newer was. */
  files(): MetadataFiles
  /** The floors that `files` establishes. */
  floors(): Floors
  /** Who delivered what the last failure was about. */
  blamed(): string
}

/** Errors: STATE_DAMAGED if the pinned root is none. */
export const openSession = async (options: SessionOptions): Promise<Session> => {
  const { scratch, cached, mirrors, pin } = options
  await seed(options)
  const read = (role: string): Buffer | undefined => readIfThere(join(scratch, fileNameOf({ role })))
  const parsed = <Signed extends SignedCommon>(role: string): Metadata<Signed> | undefined => {
    const bytes = read(role)
    // Every file in the scratch folder passed the policy on its way there, so it has the shape of its role.
    return bytes && (parseMetadata(bytes, fileNameOf({ role })) as Metadata<Signed>)
  }
  const source = openSourceFiles({ ...options, authorityOf: (role) => authorityFrom(role, parsed) })
  readLargeTables()
  const updater = openUpdater(options, source)
  setReferenceTime(updater, options.now)
  takeTurnsBetweenRoles(updater)

  const accepted = new Map<string, Buffer>()
  let looked = 0
  let verified: VerifiedSet | undefined

  /**
   * Takes what the library kept: what it was given and did not keep, it did not believe. Each delivery is looked at once, when
   * the call that asked for it is over: with a thousand products, looking at all of them again would be a million times.
   */
  const acceptKept = (): void => {
    const rootVersion = parsed<SignedRoot>('root')?.signed.version ?? 0
    const fresh = source.deliveries.slice(looked)
    looked = source.deliveries.length
    for (const { file, role, bytes } of fresh) {
      const kept =
        role === 'root' ? (roleOfFile(file)?.version ?? 0) <= rootVersion : read(role)?.equals(bytes) === true
      if (kept) accepted.set(role === 'root' ? file : fileNameOf({ role }), bytes)
    }
  }

  const fail = (error: unknown): UpdateError =>
    source.failure?.error ??
    failureOf(error, {
      file: source.deliveries.at(-1)?.file ?? fileNameOf({ role: 'root' }),
      from: source.deliveries.at(-1)?.from ?? mirrors[0],
      expiresOf: (role) =>
        expiryOf(source.deliveries.findLast((delivery) => delivery.role === role)?.bytes ?? read(role)),
    })

  /** Compares with the floors, and forgets what lies below them and all that was built on it. */
  const judge = (complete: boolean): void => {
    const root = parsed<SignedRoot>('root')
    if (root === undefined) throw new TypeError('the TUF library lost its root')
    const known = (role: TopLevelRole) => complete || accepted.has(fileNameOf({ role }))
    verified = {
      pin,
      root,
      timestamp: known('timestamp') ? parsed('timestamp') : undefined,
      snapshot: known('snapshot') ? parsed('snapshot') : undefined,
      products: [],
    }
    // As long as the library still looks for roots, nobody has said that there are no newer ones.
    const below = complete || source.wanted !== 'root' ? findBelowFloor(options.floors, verified) : undefined
    if (below === undefined) return
    verified = truncate(verified, below)
    const doubtful = TOP_LEVEL_ROLES.slice(TOP_LEVEL_ROLES.indexOf(below.sayer))
    for (const role of doubtful) accepted.delete(fileNameOf({ role }))
    throw belowFloorError(below, mirrors[0])
  }

  return {
    mirror: mirrors[0],
    refresh: async () => {
      const failure = await updater.refresh().then(() => undefined, fail)
      acceptKept()
      // A rollback is the worse news: whoever replays old files also has reasons to leave some out.
      judge(failure === undefined)
      if (failure !== undefined) throw failure
      assertRootsWithinLimit(options.pinnedRoot, parsed('root'))
      return topLevel(parsed)
    },
    load: async (role) => {
      try {
        await loadDelegated(updater, role)
      } catch (error) {
        throw fail(error)
      } finally {
        acceptKept()
      }
    },
    find: async (path) => {
      try {
        const target: unknown = await updater.getTargetInfo(path)
        // For a path like `constructor` the library finds what every object has.
        return target instanceof TargetFile ? target : undefined
      } catch (error) {
        throw fail(error)
      } finally {
        acceptKept()
      }
    },
    read: (role) => parsed(role),
    files: () => new Map([...cached, ...accepted]),
    floors: () => {
      const products = [...cached.keys(), ...accepted.keys()].flatMap((file) => roleOfFile(file)?.role ?? [])
      return verified === undefined ? {} : floorsFrom({ ...verified, products })
    },
    blamed: () => source.failure?.from ?? source.deliveries.at(-1)?.from ?? mirrors[0],
  }
}

/** The library starts from the pinned root every time, and is given cached roots as if they came from the network. */
const seed = async ({ scratch, pinnedRoot, cached }: SessionOptions): Promise<void> => {
  try {
    await writeFile(join(scratch, 'root.json'), pinnedRoot)
    for (const [name, bytes] of cached) {
      if (roleOfFile(name)?.role !== 'root') await writeFile(join(scratch, name), bytes)
    }
  } catch (error) {
    throw fromFileSystem(error, `cannot write to ${scratch}`)
  }
}

const openUpdater = (options: SessionOptions, source: SourceFiles): Updater => {
  const { scratch, pinnedRoot, anyNames, mirrors } = options
  try {
    assertMetadataPolicy('root', parseMetadata(pinnedRoot, 'it'), { received: true, anyNames }, 'it')
    return new Updater({
      metadataDir: scratch,
      metadataBaseUrl: mirrors[0],
      fetcher: source,
      config: {
        maxRootRotations: LIMITS.rootRotationsMax,
        rootMaxLength: LIMITS.rootLengthBytes,
        timestampMaxLength: LIMITS.timestampLengthBytes,
        snapshotMaxLength: LIMITS.snapshotLengthBytes,
        targetsMaxLength: LIMITS.targetsLengthBytes,
      },
    })
  } catch (error) {
    throw new UpdateError('STATE_DAMAGED', `the pinned root is not usable: ${messageOf(error)}`, {
      cause: error,
      hint: 'compare the root with the publisher, then remove the source and add it again',
    })
  }
}

/**
 * TUF 5.6 for one role. Looking for a path would make tuf-js 6.0.2 verify targets.json again for each product, and match the
 * path with the patterns of all of them.
 */
const loadDelegated = (updater: Updater, role: string): Promise<unknown> => {
  const { loadTargets } = updater as unknown as { loadTargets?: (role: string, parent: string) => Promise<unknown> }
  if (loadTargets === undefined) throw new TypeError('tuf-js loads delegated roles by another name now')
  return loadTargets.call(updater, role, 'targets')
}

/**
 * With a thousand products, each of these takes a tenth of a second, and tuf-js 6.0.2 goes from one to the next without letting anything
 * else happen.
 */
const takeTurnsBetweenRoles = (updater: Updater): void => {
  const loaders = updater as unknown as Record<string, ((...args: unknown[]) => Promise<unknown>) | undefined>
  for (const name of ['loadTimestamp', 'loadSnapshot', 'loadTargets']) {
    const load = loaders[name]
    if (load === undefined) throw new TypeError(`tuf-js has no ${name} now`)
    loaders[name] = async (...args) => {
      await setImmediate()
      return await load.apply(updater, args)
    }
  }
}

/** TUF 5.1: one time for the whole run. tuf-js 6.0.2 takes the machine's clock and has no option for another. */
const setReferenceTime = (updater: Updater, now: Date): void => {
  const { trustedSet } = updater as unknown as { trustedSet?: { referenceTime?: unknown } }
  if (trustedSet === undefined || !types.isDate(trustedSet.referenceTime)) {
    throw new TypeError('tuf-js keeps its reference time elsewhere now')
  }
  trustedSet.referenceTime = now
}

type Parsed = <Signed extends SignedCommon>(role: string) => Metadata<Signed> | undefined

const topLevel = (parsed: Parsed): TopLevel => {
  const root = parsed<SignedRoot>('root')
  const timestamp = parsed<SignedTimestamp>('timestamp')
  const snapshot = parsed<SignedSnapshot>('snapshot')
  const targets = parsed<SignedTargets>('targets')
  if (root === undefined || timestamp === undefined || snapshot === undefined || targets === undefined) {
    throw new TypeError('the TUF library verified a file and did not keep it')
  }
  return { root, timestamp, snapshot, targets }
}

const authorityFrom = (role: string, parsed: Parsed): Authority | undefined => {
  if ((TOP_LEVEL_ROLES as readonly string[]).includes(role)) {
    const root = parsed<SignedRoot>('root')?.signed
    return root && { role: root.roles[role as TopLevelRole], keys: root.keys }
  }
  const delegations = parsed<SignedTargets>('targets')?.signed.delegations
  const delegated = delegations?.roles.find(({ name }) => name === role)
  return delegations && delegated && { role: delegated, keys: delegations.keys }
}

/** The roots stay, because each was verified by the one before it; of the rest, what comes before the offending file. */
const truncate = ({ pin, root, timestamp }: VerifiedSet, { sayer }: BelowFloor): VerifiedSet => ({
  pin,
  root,
  timestamp: sayer === 'snapshot' ? timestamp : undefined,
  products: [],
})

const belowFloorError = ({ sayer, role, version, floor }: BelowFloor, mirror: string): UpdateError =>
  new UpdateError(
    'METADATA_ROLLBACK',
    sayer === role
      ? `${role} version ${version} from ${mirror} is older than ${floor}, which was trusted before`
      : `${sayer}.json from ${mirror} lists ${role} ${version === undefined ? 'no longer' : `version ${version}`}, but version ${floor} was trusted before`,
    { hint: 'the server is behind, replays old files or hides new ones; what was trusted stays in force' },
  )

const assertRootsWithinLimit = (pinnedRoot: Buffer, root: Metadata<SignedRoot> | undefined): void => {
  const pinned = parseMetadata(pinnedRoot, 'the pinned root') as Metadata<SignedRoot>
  if ((root?.signed.version ?? 0) - pinned.signed.version < LIMITS.rootRotationsMax) return
  throw new UpdateError('LIMIT_EXCEEDED', `more than ${LIMITS.rootRotationsMax} roots follow the pinned one`, {
    hint: 'remove the source and add it again with a newer root',
  })
}

/** For a message only: the file may be anything. */
const expiryOf = (bytes: Buffer | undefined): string | undefined => {
  try {
    const expires: unknown = bytes && (parseMetadata(bytes, '') as Metadata).signed.expires
    return typeof expires === 'string' ? expires : undefined
  } catch {
    return undefined // Then the message does without a date.
  }
}

const readIfThere = (path: string): Buffer | undefined => {
  try {
    return readFileSync(path)
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined
    throw fromFileSystem(error, `cannot read ${path}`)
  }
}
