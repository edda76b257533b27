// Watches a folder for exported files, and has each imported once, as soon as it is there whole. Reads the folder and nothing
// else: it never moves, changes or removes a file of its owner, and remembers elsewhere which ones it has seen.
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode, isUpdateError, messageOf, systemCodeOf } from '@updraft/core/errors'
import { type FSWatcher, watch } from 'chokidar'
import { oneAtATime } from '../alone.ts'
import type { Imports } from '../imports.ts'
import type { Settings } from '../settings.ts'
import { openLedger } from './ledger.ts'

export interface ImportFolderOptions {
  readonly stateDirectory: string
  readonly imports: Pick<Imports, 'add' | 'whenDone' | 'refused'>
  readonly onWarning: (message: string) => void
  /** How long a file has to stay as it is before it counts as copied. */
  readonly stableMs?: number
}

export interface ImportFolder extends AsyncDisposable {
  /** Watches the folder that these settings name, and no other one any more. */
  apply(settings: Pick<Settings, 'importFolder' | 'checkIntervalSeconds'>): Promise<void>
}

/** What else lies in the folder is none of our business. */
const SUFFIX = '.tar'

const STABLE_MS = 2_000
const POLL_MS = 100

export const openImportFolder = (options: ImportFolderOptions): ImportFolder => {
  let open: Watching | undefined
  const close = async (): Promise<void> => {
    await open?.[Symbol.asyncDispose]()
    open = undefined
  }
  const alone = oneAtATime()
  return {
    apply: ({ importFolder, checkIntervalSeconds }) =>
      alone('folder', async () => {
        if (open?.folder === importFolder && open?.intervalSeconds === checkIntervalSeconds) return
        await close()
        if (importFolder !== undefined) open = await watchFolder(importFolder, checkIntervalSeconds, options)
      }),
    [Symbol.asyncDispose]: () => alone('folder', close),
  }
}

interface Watching extends AsyncDisposable {
  readonly folder: string
  readonly intervalSeconds: number
}

const watchFolder = async (
  folder: string,
  intervalSeconds: number,
  { stateDirectory, imports, onWarning, stableMs = STABLE_MS }: ImportFolderOptions,
): Promise<Watching> => {
  const ledger = await openLedger(join(stateDirectory, 'imported.json'))
  const there = new Set<string>()
  const pending = new Set<string>()
  let closed = false
  let isWorking = false
  /** What is in the folder was told once, so that its order is known. */
  let isListed = false
  let saving: Promise<void> | undefined
  let resting: NodeJS.Timeout | undefined

  /** Imports what is pending, the file that was written first before the others: its metadata is the older one. */
  const work = async (): Promise<void> => {
    while (pending.size > 0 && !closed) {
      const files = await Promise.all([...pending].map(async (path) => ({ path, found: await look(path) })))
      // The watcher does not wait for what it finds when it begins; a copy from before a restart may still go on.
      const rested = files.filter(({ found }) => found === undefined || !isFresh(found.modifiedMs, stableMs))
      const [next] = rested.toSorted((a, b) => (a.found?.modifiedMs ?? 0) - (b.found?.modifiedMs ?? 0))
      if (next === undefined) {
        if (!closed) resting = setTimeout(() => void wake(), stableMs)
        return
      }
      pending.delete(next.path)
      if (next.found === undefined || ledger.has(next.path, next.found.identity)) continue
      const isSettled = await importFile(next.path, imports)
      if (isSettled) saving = ledger.add(next.path, next.found.identity)
      await saving
    }
  }

  const wake = async (): Promise<void> => {
    if (isWorking) return
    isWorking = true
    clearTimeout(resting)
    try {
      await work()
    } catch (error) {
      onWarning(`the import folder ${folder}: ${messageOf(error)}`)
    } finally {
      isWorking = false
    }
  }

  const take = (path: string): void => {
    there.add(path)
    pending.add(path)
    if (isListed) void wake()
  }

  let watcher: FSWatcher | undefined
  /** A folder that is not there, as that of a stick which is not plugged in, is looked for again. */
  const begin = async (): Promise<boolean> => {
    if (watcher !== undefined || closed || !(await isFolder(folder))) return watcher !== undefined
    const begun = watchFiles(folder, stableMs)
    watcher = begun
    isListed = false
    begun.on('ready', () => {
      isListed = true
      void wake()
    })
    begun.on('add', take)
    begun.on('change', take)
    begun.on('unlink', (path) => {
      there.delete(path)
      pending.delete(path)
    })
    begun.on('unlinkDir', (path) => {
      if (path !== folder || watcher !== begun) return
      watcher = undefined
      void begun.close()
    })
    begun.on('error', (error) => onWarning(`the import folder ${folder} is not watched: ${messageOf(error)}`))
    return true
  }

  // What could not be imported yet, for a full disk or by policy, is tried again.
  const again = async (): Promise<void> => {
    await begin()
    for (const path of there) pending.add(path)
    await wake()
  }
  const timer = setInterval(() => void again(), intervalSeconds * 1_000)
  if (!(await begin())) onWarning(`the import folder ${folder} is not there`)
  return {
    folder,
    intervalSeconds,
    [Symbol.asyncDispose]: async () => {
      // An import that is under way is ended by whoever ends the looks.
      closed = true
      clearInterval(timer)
      clearTimeout(resting)
      await watcher?.close()
      await saving
    },
  }
}

const watchFiles = (folder: string, stableMs: number): FSWatcher =>
  watch(folder, {
    depth: 0,
    followSymlinks: false,
    // A file counts once its length has not changed for so long; one that stalls is refused as cut off, and taken when it goes on.
    awaitWriteFinish: { stabilityThreshold: stableMs, pollInterval: POLL_MS },
    ignored: (path, stats) => path !== folder && stats !== undefined && !(stats.isFile() && path.endsWith(SUFFIX)),
  })

/** Whether there is nothing more to be done with this file. */
const importFile = async (path: string, imports: ImportFolderOptions['imports']): Promise<boolean> => {
  try {
    await imports.add(path)
    return (await imports.whenDone(path)) === 'settled'
  } catch (error) {
    if (!isUpdateError(error)) throw error
    imports.refused(path, error)
    return hasCode(error, 'EXPORT_INVALID') || hasCode(error, 'LIMIT_EXCEEDED')
  }
}

/** A time in the future is that of another clock, and says nothing. */
const isFresh = (modifiedMs: number, stableMs: number): boolean => {
  const ageMs = Date.now() - modifiedMs
  return ageMs >= 0 && ageMs < stableMs
}

interface Found {
  /** Another one whenever the file was written to or replaced. */
  readonly identity: string
  readonly modifiedMs: number
}

const look = async (path: string): Promise<Found | undefined> => {
  try {
    const stats = await lstat(path)
    if (!stats.isFile()) return undefined
    return { identity: `${stats.ino}:${stats.size}:${stats.mtimeMs}`, modifiedMs: stats.mtimeMs }
  } catch (error) {
    if (systemCodeOf(error) === undefined) throw error
    return undefined // It went before it was its turn.
  }
}

const isFolder = async (path: string): Promise<boolean> => {
  try {
    return (await lstat(path)).isDirectory()
  } catch {
    return false // The caller says so.
  }
}
