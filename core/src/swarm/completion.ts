// When a torrent is done, and when to stop hoping: the promise that `whenDone` gives, and its stall timer.
import { fromFileSystem, UpdateError } from '../errors.ts'
import type { SwarmTorrent } from './swarm.ts'

export interface Completion {
  readonly isDone: boolean
  readonly whenDone: SwarmTorrent['whenDone']
  done(): void
  /** The first outcome counts. */
  fail(error: unknown): void
  /** Something came that brings the end nearer: a verified piece, or a block that may become part of one. */
  progress(what: 'piece' | 'block'): void
  /** A piece was bad: until the next good one, blocks alone are no progress. */
  setback(): void
}

export interface CompletionOptions {
  readonly now: () => number
  /** What is lacking, for the message of a stall. */
  readonly describe: () => string
}

type Outcome = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly error: unknown }

export const createCompletion = ({ now, describe }: CompletionOptions): Completion => {
  const waiting = new Set<(outcome: Outcome) => void>()
  let outcome: Outcome | undefined
  let progressAt = now()
  let isDoubtful = false

  const settle = (first: Outcome): void => {
    outcome ??= first
    for (const settleWaiter of [...waiting]) settleWaiter(outcome)
  }

  const whenDone: SwarmTorrent['whenDone'] = ({ stallTimeoutMs, signal }) =>
    new Promise((resolve, reject) => {
      const since = now()
      let timer: NodeJS.Timeout | undefined

      const finish = (result: Outcome): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        waiting.delete(finish)
        if (result.kind === 'done') resolve()
        else reject(result.error)
      }
      const onAbort = (): void => finish({ kind: 'failed', error: aborted(signal?.reason) })
      const watch = (): void => {
        const leftMs = Math.max(since, progressAt) + stallTimeoutMs - now()
        if (leftMs <= 0) finish({ kind: 'failed', error: stalled(stallTimeoutMs, describe()) })
        else timer = setTimeout(watch, leftMs)
      }

      if (outcome !== undefined) return finish(outcome)
      if (signal?.aborted) return onAbort()
      waiting.add(finish)
      signal?.addEventListener('abort', onAbort)
      watch()
    })

  return {
    get isDone() {
      return outcome?.kind === 'done'
    },
    whenDone,
    done: () => settle({ kind: 'done' }),
    fail: (error) => settle({ kind: 'failed', error: fromFileSystem(error, 'the swarm failed') }),
    progress: (what) => {
      if (what === 'piece') isDoubtful = false
      if (!isDoubtful) progressAt = now()
    },
    setback: () => {
      isDoubtful = true
    },
  }
}

const aborted = (reason: unknown): UpdateError =>
  new UpdateError('ABORTED', 'the download was interrupted', { cause: reason })

const stalled = (stallTimeoutMs: number, lack: string): UpdateError =>
  new UpdateError('SWARM_STALLED', `nothing useful came for ${stallTimeoutMs / 1000} s: ${lack}`, {
    hint: 'check that a tracker, a peer or a web seed of the release can be reached from this machine',
  })
