// Notices that a repository has changed, whichever process changed it. Looks at one file once a second: `timestamp.json`
// is replaced last in every change, a look costs nothing, and unlike notifications it works on every file system.
import { stat } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { systemCodeOf } from '@updraft/core/errors'

export interface WatchOptions {
  readonly file: string
  /**
   * Called once at the beginning and after every change, never twice at a time. Resolves to false if it did not get
   * through: then it is called again after `retryMs`, changed or not. Must not throw.
   */
  readonly onChange: (signal: AbortSignal) => Promise<boolean>
  readonly pollMs?: number | undefined
  readonly retryMs?: number | undefined
}

const POLL_MS = 1_000
const RETRY_MS = 300_000

/** Begins to watch. Disposing of it aborts the call under way and waits for its end. */
export const watchFile = ({ file, onChange, pollMs = POLL_MS, retryMs = RETRY_MS }: WatchOptions): AsyncDisposable => {
  const stopped = new AbortController()
  const { signal } = stopped

  const watch = async (): Promise<void> => {
    while (!signal.aborted) {
      const seen = await markOf(file)
      const retryAt = (await onChange(signal)) ? Number.POSITIVE_INFINITY : performance.now() + retryMs
      do await delay(pollMs, undefined, { signal })
      while ((await markOf(file)) === seen && performance.now() < retryAt)
    }
  }
  const ended = watch().catch((error: unknown) => {
    if (systemCodeOf(error) !== 'ABORT_ERR') throw error
  })
  return {
    [Symbol.asyncDispose]: async () => {
      stopped.abort()
      await ended
    },
  }
}

/** Another inode, size or time is another file. A file that cannot be looked at is a state as well. */
const markOf = async (file: string): Promise<string> => {
  try {
    const { ino, size, mtimeNs } = await stat(file, { bigint: true })
    return `${ino} ${size} ${mtimeNs}`
  } catch (error) {
    return systemCodeOf(error) ?? 'unreadable'
  }
}
