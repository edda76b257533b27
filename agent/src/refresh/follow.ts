// Follows one source: takes its lock, tries its mirrors until one is sound, and makes lasting whatever was verified, also
// when a later step failed. Trust is decided in session.ts.

import { throwIfAborted } from '@updraft/core/bundle/turns'
import { ERROR_CODES, isUpdateError, UpdateError } from '@updraft/core/errors'
import { makeDirectory } from '@updraft/core/files/atomic'
import { takeLock } from '@updraft/core/files/lock'
import { LIMITS } from '@updraft/core/limits'
import { type Metadata, parseMetadata, type SignedSnapshot } from '@updraft/core/trust/metadata'
import type { Ask } from '../ask.ts'
import type { PeerSource } from '../peer-source.ts'
import { type CacheDisk, type MetadataFiles, openCache } from './cache.ts'
import { roleOfFile } from './file-names.ts'
import type { VersionFloors } from './floors.ts'
import { findFresher } from './fresher.ts'
import { openSession, type Session, type TopLevel } from './session.ts'
import { soundFiles } from './sound-files.ts'
import { CACHE } from './source-files.ts'

/** What is followed, and from where. */
export interface Followable {
  readonly name: string
  /** Metadata URLs in the order in which they are tried, each with a slash at its end. */
  readonly metadataUrls: readonly string[]
  readonly rootBytes: Buffer
  /** Fingerprint of the root. */
  readonly pin: string
}

export interface FollowOptions {
  /** The cache of this one source. */
  readonly directory: string
  readonly floors: VersionFloors
  readonly now: () => Date
  readonly ask?: Ask | undefined
  readonly peers?: PeerSource | undefined
  readonly signal?: AbortSignal | undefined
  /** For one file. */
  readonly timeoutMs?: number | undefined
  readonly disk?: CacheDisk | undefined
  /** Names need not follow the grammar of products. Only for foreign repositories; see PolicyContext. */
  readonly anyNames?: boolean | undefined
}

/** What one mirror yielded. `flaw` is why another one is worth asking; the first result counts if none does better. */
export interface Attempt<Result> {
  readonly result: Result
  readonly flaw?: UpdateError | undefined
}

/** A mirror that was passed over, and why. */
export interface SkippedMirror {
  readonly url: string
  readonly error: UpdateError
}

export interface Followed<Result> {
  readonly result: Result
  readonly changed: boolean
  readonly skipped: readonly SkippedMirror[]
  /** What the mirrors have failed with, where another machine was of use instead. */
  readonly sourceError?: UpdateError | undefined
}

/**
 * Runs `use` on top of verified top-level metadata, and keeps what was verified.
 *
 * Errors: of the session; if several mirrors failed, the first that is about trust. LOCKED, STATE_DAMAGED.
 */
export const followSource = async <Result>(
  source: Followable,
  options: FollowOptions,
  use: (session: Session, topLevel: TopLevel) => Promise<Attempt<Result>>,
): Promise<Followed<Result>> => {
  await makeDirectory(options.directory, 0o700)
  using _lock = takeLock(options.directory, 'refresh.lock')
  const cache = await openCache(options.directory, options.disk)
  const before = await cache.read()
  const now = options.now()

  let committed = before
  let known = await soundFiles(before, source.rootBytes, {
    anyNames: options.anyNames ?? false,
    signal: options.signal,
  })
  const skipped: SkippedMirror[] = []
  let flawed: { readonly result: Result; readonly url: string } | undefined

  const keep = async (session: Session): Promise<void> => {
    known = listedFiles(session.files())
    // Floors first: a kill between the two leaves a cache that is older than the floors, which is then refreshed. The
    // other way round, deleting the cache would delete the memory of it.
    options.floors.raise(source.name, session.floors())
    if (sameFiles(committed, known)) return
    await cache.commit(known)
    committed = known
  }

  const tryMirrors = async (mirrors: readonly [string, ...string[]], ask = options.ask): Promise<Outcome<Result>> => {
    await using scratch = await cache.openScratch()
    const session = await openSession({
      scratch: scratch.path,
      pinnedRoot: source.rootBytes,
      pin: source.pin,
      mirrors,
      cached: known,
      floors: options.floors.read(source.name),
      now,
      anyNames: options.anyNames ?? false,
      timeoutMs: options.timeoutMs ?? LIMITS.metadataTimeoutMs,
      ask,
      signal: options.signal,
    })
    try {
      const topLevel = await session.refresh()
      return { kind: 'done', version: topLevel.timestamp.signed.version, ...(await use(session, topLevel)) }
    } catch (error) {
      if (!isAboutSource(error)) throw error
      return { kind: 'failed', from: session.blamed(), error }
    } finally {
      await keep(session)
    }
  }

  const untried = (): readonly string[] =>
    source.metadataUrls.filter((url) => skipped.every((mirror) => mirror.url !== url))

  /** A mirror that lags behind, or is held back, is sound until its timestamp expires: so the others are asked as well. */
  const withFresher = async (result: Result, version: number, used: string): Promise<Followed<Result>> => {
    const others = untried().filter((url) => url !== used)
    const { timeoutMs = LIMITS.metadataTimeoutMs, ask, signal } = options
    const fresher = await findFresher(others, version, { timeoutMs, ask, signal })
    if (fresher !== undefined) {
      const outcome = await tryMirrors([fresher, ...others.filter((url) => url !== fresher), used])
      if (outcome.kind === 'failed') skipped.push({ url: fresher, error: outcome.error })
      else if (outcome.flaw === undefined)
        return { result: outcome.result, changed: !sameFiles(before, known), skipped }
    }
    return { result, changed: !sameFiles(before, known), skipped }
  }

  /**
   * What other machines have, if it is of version `atLeast`. They are no mirrors: strangers who lag behind or lie are no news
   * about the source, so what is wrong with them is told to nobody but them.
   */
  const tryPeers = async (
    atLeast: number,
    search: boolean,
  ): Promise<Extract<Outcome<Result>, { readonly kind: 'done' }> | undefined> => {
    const { peers, signal } = options
    if (peers === undefined) return undefined
    for (const url of await peers.find(atLeast, { search, signal })) {
      const outcome = await tryMirrors([url], peers.ask)
      if (outcome.kind === 'done' && outcome.flaw === undefined) return outcome
      throwIfAborted(signal)
      const { error = undefined } = outcome.kind === 'failed' ? outcome : { error: outcome.flaw }
      if (error !== undefined) peers.disappointed(url, error)
    }
    return undefined
  }

  /** A machine that says it has something newer than the mirrors is believed as far as it goes. */
  const orNewer = async (followed: Followed<Result>): Promise<Followed<Result>> => {
    const newer = await tryPeers(timestampVersionOf(known) + 1, false)
    return newer === undefined ? followed : { ...followed, result: newer.result, changed: !sameFiles(before, known) }
  }

  for (;;) {
    const [primary, ...others] = untried()
    if (primary === undefined) break
    const outcome = await tryMirrors([primary, ...others])
    if (outcome.kind === 'done') {
      const { result, flaw, version } = outcome
      if (flaw === undefined) return await orNewer(await withFresher(result, version, primary))
      flawed ??= { result, url: primary }
      skipped.push({ url: primary, error: flaw })
    } else if (outcome.from === CACHE) {
      // A damaged root in the cache is no reason to stop: all of them are fetched again.
      known = withoutRoots(known)
    } else {
      skipped.push({ url: outcome.from, error: outcome.error })
    }
  }
  if (flawed === undefined) {
    const sourceError = worstOf(skipped, source.name)
    const heard = await tryPeers(timestampVersionOf(known), true)
    if (heard === undefined) throw sourceError
    return { result: heard.result, changed: !sameFiles(before, known), skipped, sourceError }
  }
  const { result, url } = flawed
  return { result, changed: !sameFiles(before, known), skipped: skipped.filter((mirror) => mirror.url !== url) }
}

type Outcome<Result> =
  | ({ readonly kind: 'done'; readonly version: number } & Attempt<Result>)
  | { readonly kind: 'failed'; readonly from: string; readonly error: UpdateError }

/** Something that another mirror may do better; a full disk or an interruption is not. */
export const isAboutSource = (error: unknown): error is UpdateError => {
  if (!isUpdateError(error)) return false
  const { exit } = ERROR_CODES[error.code]
  return exit === 'untrusted' || exit === 'unreachable'
}

/** What a mirror says is worse news than a mirror that says nothing. */
const worstOf = (skipped: readonly SkippedMirror[], name: string): UpdateError => {
  const errors = skipped.map(({ error }) => error)
  return (
    errors.find(({ code }) => ERROR_CODES[code].exit === 'untrusted') ??
    errors[0] ??
    new UpdateError('STATE_DAMAGED', `the source ${name} has no address`)
  )
}

/** Of the cache; 0 if there is none. */
const timestampVersionOf = (files: MetadataFiles): number => {
  const timestamp = files.get('timestamp.json')
  return timestamp === undefined ? 0 : (parseMetadata(timestamp, 'timestamp.json') as Metadata).signed.version
}

/** Without files of roles that the snapshot no longer lists. */
const listedFiles = (files: MetadataFiles): MetadataFiles => {
  const snapshot = files.get('snapshot.json')
  if (snapshot === undefined) return files
  const { meta } = (parseMetadata(snapshot, 'snapshot.json') as Metadata<SignedSnapshot>).signed
  const isListed = (name: string) => {
    const { role = '' } = roleOfFile(name) ?? {}
    return ['root', 'timestamp', 'snapshot'].includes(role) || Object.hasOwn(meta, `${role}.json`)
  }
  return new Map([...files].filter(([name]) => isListed(name)))
}

const withoutRoots = (files: MetadataFiles): MetadataFiles =>
  new Map([...files].filter(([name]) => roleOfFile(name)?.role !== 'root'))

const sameFiles = (a: MetadataFiles, b: MetadataFiles): boolean =>
  a.size === b.size && [...a].every(([name, bytes]) => b.get(name)?.equals(bytes) === true)
