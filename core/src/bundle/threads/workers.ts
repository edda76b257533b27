// Worker threads for chunking, hashing and compressing, so that the main thread's event loop stays free. Results depend
// on the jobs alone, never on how many threads there are or which is faster.
import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { UpdateError } from '../../errors.ts'
import type { JobKind, JobOf, Report, ResultOf } from './jobs.ts'
import { type Answer, errorOf, type Order } from './messages.ts'

export interface Workers extends AsyncDisposable {
  /** How many jobs run at once. */
  readonly count: number
  /** Runs a job as soon as a thread is free. Errors: what the job throws; ABORTED. */
  run<Kind extends JobKind>(kind: Kind, job: JobOf<Kind>, onProgress?: Report): Promise<ResultOf<Kind>>
}

export interface WorkersOptions {
  /** Threads at most; without it one for each core, up to four. */
  readonly count?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** Each thread holds up to 80 MB while it compresses; with four of them a disk or a network is the next limit anyway. */
const COUNT_MAX = 4

/**
 * Threads are started when there is work for them, and are gone when the pool is disposed of.
 *
 * An aborted signal stops them at once, in the middle of what they do.
 */
export const openWorkers = ({ count, signal }: WorkersOptions = {}): Workers => {
  const limit = count ?? Math.min(availableParallelism(), COUNT_MAX)
  const threads: Thread[] = []
  const waiting: Task[] = []
  let stopped: Error | undefined

  const stop = (reason: Error): void => {
    stopped ??= reason
    for (const task of waiting.splice(0)) task.reject(stopped)
    for (const thread of threads) thread.stop(stopped)
  }
  const abort = (): void => stop(new UpdateError('ABORTED', 'the operation was interrupted', { cause: signal?.reason }))
  if (signal?.aborted) abort()
  signal?.addEventListener('abort', abort, { once: true })

  const idleThread = (): Thread | undefined => {
    const idle = threads.find((thread) => thread.isIdle())
    if (idle !== undefined || threads.length === limit) return idle
    const started = startThread(dispatch, stop)
    threads.push(started)
    return started
  }
  const dispatch = (): void => {
    while (waiting.length > 0) {
      const thread = idleThread()
      const task = thread === undefined ? undefined : waiting.shift()
      if (thread === undefined || task === undefined) return
      thread.start(task)
    }
  }
  return {
    count: limit,
    run: <Kind extends JobKind>(kind: Kind, job: JobOf<Kind>, onProgress?: Report) =>
      new Promise<ResultOf<Kind>>((resolve, reject) => {
        if (stopped !== undefined) return reject(stopped)
        waiting.push({ order: { kind, job }, resolve: resolve as (result: unknown) => void, reject, onProgress })
        dispatch()
      }),
    [Symbol.asyncDispose]: async () => {
      signal?.removeEventListener('abort', abort)
      stop(new UpdateError('ABORTED', 'the worker threads have been closed'))
      await Promise.all(threads.map((thread) => thread.terminated()))
    },
  }
}

interface Task {
  readonly order: Order
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
  readonly onProgress: Report | undefined
}

interface Thread {
  isIdle(): boolean
  start(task: Task): void
  stop(reason: Error): void
  terminated(): Promise<unknown>
}

const startThread = (onIdle: () => void, onBroken: (error: Error) => void): Thread => {
  const worker = newWorker()
  let task: Task | undefined
  let end: Promise<unknown> | undefined
  worker.on('message', (answer: Answer) => {
    if (answer.kind === 'progress') return task?.onProgress?.(answer.bytes)
    const finished = task
    task = undefined
    if (answer.kind === 'done') finished?.resolve(answer.result)
    else finished?.reject(errorOf(answer.failure))
    onIdle()
  })
  worker.on('error', onBroken)
  return {
    isIdle: () => task === undefined && end === undefined,
    start: (next) => {
      task = next
      worker.postMessage(next.order)
    },
    stop: (reason) => {
      task?.reject(reason)
      task = undefined
      end ??= worker.terminate()
    },
    terminated: async () => await end,
  }
}

/** What a job needs is typed arrays, outside of the heap. Without a limit V8 takes 48 MB of each thread for young objects. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 6 }

/**
 * In a program that ships as one file there is no worker.ts beside it: then esbuild's `define` puts the whole worker, itself
 * bundled as CommonJS, into this name.
 */
declare const UPDRAFT_WORKER_SOURCE: string | undefined

const newWorker = (): Worker =>
  typeof UPDRAFT_WORKER_SOURCE === 'string'
    ? new Worker(UPDRAFT_WORKER_SOURCE, { eval: true, resourceLimits: RESOURCE_LIMITS })
    : new Worker(new URL('./worker.ts', import.meta.url), { resourceLimits: RESOURCE_LIMITS })
