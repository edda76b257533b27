// Publishes what is dropped into a folder: each build once, when nobody has written to it for a while. What the folder holds and
// what the repository has is all the state there is, so that a restart goes on where it was.
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type ErrorCode, fromFileSystem, isUpdateError, UpdateError } from '@updraft/core/errors'
import { compareVersions, type Platform, type Product, type ReleaseVersion } from '@updraft/core/names'
import { type FSWatcher, watch } from 'chokidar'
import { type BuildNames, readBuildName } from './builds/build-name.ts'
import { treeState } from './builds/tree-state.ts'
import type { Published } from './publish/result.ts'
import type { Repository } from './repository.ts'

/** A file or folder that is to become a release. */
export interface Build {
  readonly path: string
  readonly version: ReleaseVersion
  readonly platform: Platform
}

export interface BuildsOptions {
  /** Where builds are dropped. */
  readonly folder: string
  readonly product: Product
  readonly names: BuildNames
  /** Where names do not tell. */
  readonly platform: Platform
  /** A build counts only if there is a file of its name and this ending beside it; undefined needs none. */
  readonly marker: string | undefined
  /** For so long nothing of a build may have changed. */
  readonly stableMs: number
  readonly pollMs?: number
  readonly signal: AbortSignal
  /** What is released already is not published again. */
  readonly released: () => Promise<Pick<Repository, 'releases'>>
  readonly publish: (build: Build) => Promise<Published>
  readonly onPublished: (build: Build, published: Published) => void
  /** Once for each state of a build that cannot be published. */
  readonly onRefused: (path: string, error: UpdateError) => void
}

const POLL_MS = 1_000
/** How long until something is tried again that may pass by itself, and until what nobody told us of is noticed. */
const AGAIN_MS = 30_000

/** What another process or person ends, without any change to the build. */
const PASSING: ReadonlySet<ErrorCode> = new Set<ErrorCode>(['LOCKED', 'BUILD_CHANGED', 'DISK_FULL', 'IO', 'PERMISSION'])

/**
 * Publishes until the signal is aborted.
 *
 * Errors: BUILD_MISSING if there is no such folder at the beginning; what a look at the repository throws.
 */
export const watchBuilds = async (options: BuildsOptions): Promise<void> => {
  const { folder, signal, pollMs = POLL_MS } = options
  const builds = openBuilds(options)
  await builds.look()
  const waker = wakeUps()
  await using watcher = watchTop(folder, waker.wake)
  void watcher
  while (!signal.aborted) {
    await waker.next(builds.isWaiting() ? pollMs : AGAIN_MS, signal)
    if (!signal.aborted) await builds.look()
  }
}

/** Publishes what is there and ends as soon as nothing is left to wait for. Gives how many builds were refused. */
export const publishBuilds = async (options: BuildsOptions): Promise<number> => {
  const { signal, pollMs = POLL_MS } = options
  let refused = 0
  const builds = openBuilds({
    ...options,
    onRefused: (path, error) => {
      refused += 1
      options.onRefused(path, error)
    },
  })
  await builds.look()
  while (builds.isWaiting()) {
    await delay(pollMs, undefined, { signal }).catch(() => signal.throwIfAborted())
    await builds.look()
  }
  return refused
}

/** What is known of something in the folder, by what it was like. */
interface Seen {
  readonly state: string
  readonly sinceMs: number
  readonly verdict: 'waiting' | 'done' | { readonly againAtMs: number }
}

const openBuilds = (options: BuildsOptions) => {
  const { folder, names, platform, marker, stableMs, signal, onRefused, onPublished } = options
  const seen = new Map<string, Seen>()

  const look = async (): Promise<void> => {
    const entries = await entriesOf(folder)
    for (const path of seen.keys()) if (!entries.some((name) => join(folder, name) === path)) seen.delete(path)
    const { releases } = await options.released()
    const ready: Build[] = []
    for (const name of entries) {
      const path = join(folder, name)
      const read = readBuildName(names, name)
      if (read === undefined || !isMarked(name, entries, marker)) continue
      if (!(await isStable(path))) continue
      if (isUpdateError(read)) {
        refuse(path, read)
        continue
      }
      const build = { path, version: read.version, platform: read.platform ?? platform }
      if (isReleased(releases, options.product, build)) settle(path, 'done')
      else ready.push(build)
    }
    // The lower version first: after the higher one it could not be published any more.
    for (const build of ready.sort((a, b) => compareVersions(a.version, b.version))) {
      signal.throwIfAborted()
      await publishOne(build)
    }
  }

  const isStable = async (path: string): Promise<boolean> => {
    const state = await treeState(path)
    if (state === undefined) return false
    const nowMs = performance.now()
    const before = seen.get(path)
    if (before?.state !== state) {
      seen.set(path, { state, sinceMs: nowMs, verdict: 'waiting' })
      return stableMs === 0
    }
    if (before.verdict === 'done') return false
    if (before.verdict !== 'waiting' && nowMs < before.verdict.againAtMs) return false
    return nowMs - before.sinceMs >= stableMs
  }

  const settle = (path: string, verdict: Seen['verdict']): void => {
    const known = seen.get(path)
    if (known !== undefined) seen.set(path, { ...known, verdict })
  }

  const refuse = (path: string, error: UpdateError): void => {
    settle(path, PASSING.has(error.code) ? { againAtMs: performance.now() + AGAIN_MS } : 'done')
    onRefused(path, error)
  }

  const publishOne = async (build: Build): Promise<void> => {
    try {
      const published = await options.publish(build)
      settle(build.path, 'done')
      onPublished(build, published)
    } catch (error) {
      if (!isUpdateError(error) || error.code === 'ABORTED') throw error
      refuse(build.path, error)
    }
  }

  return { look, isWaiting: () => [...seen.values()].some(({ verdict }) => verdict === 'waiting') }
}

/** Markers themselves are no builds. */
const isMarked = (name: string, entries: readonly string[], marker: string | undefined): boolean =>
  marker === undefined || (!name.endsWith(marker) && entries.includes(`${name}${marker}`))

const isReleased = (
  releases: Repository['releases'],
  product: Product,
  { version, platform }: Pick<Build, 'version' | 'platform'>,
): boolean =>
  releases.some(
    ({ release }) => release.product === product && release.version === version && release.platform === platform,
  )

/** What begins with a dot is how programs call what is not finished. */
const entriesOf = async (folder: string): Promise<readonly string[]> => {
  try {
    if (!(await stat(folder)).isDirectory()) throw new UpdateError('BUILD_MISSING', `${folder} is not a folder`)
    return (await readdir(folder)).filter((name) => !name.startsWith('.')).sort()
  } catch (error) {
    const failure = fromFileSystem(error, `cannot look into ${folder}`)
    if (isUpdateError(failure) && failure.code === 'IO') {
      throw new UpdateError('BUILD_MISSING', `there is no folder ${folder}`, { cause: error })
    }
    throw failure
  }
}

/** Only what is dropped is watched, and nothing below it: a build may have a hundred thousand files. */
const watchTop = (folder: string, wake: () => void): AsyncDisposable => {
  const watcher: FSWatcher = watch(folder, { depth: 0, followSymlinks: false, ignoreInitial: true })
  watcher.on('all', wake)
  watcher.on('error', wake) // Then every AGAIN_MS has to do.
  return { [Symbol.asyncDispose]: () => watcher.close() }
}

const wakeUps = () => {
  let awake: (() => void) | undefined
  let isDue = false
  return {
    wake: (): void => {
      isDue = true
      awake?.()
    },
    /** Resolves at the next wake-up, or after `timeoutMs`, or when the signal is aborted. */
    next: async (timeoutMs: number, signal: AbortSignal): Promise<void> => {
      const rested = new AbortController()
      const woken = new Promise<void>((resolve) => {
        awake = resolve
        if (isDue) resolve()
      })
      const either = AbortSignal.any([signal, rested.signal])
      await Promise.race([woken, delay(timeoutMs, undefined, { signal: either }).catch(() => {})])
      rested.abort()
      isDue = false
    },
  }
}
