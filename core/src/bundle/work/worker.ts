// The entry of a worker thread: takes one order at a time and answers it. It knows no job by name.
import { parentPort } from 'node:worker_threads'
import { JOBS, type JobKind, type Report } from './jobs.ts'
import { type Answer, failureOf, type Order } from './messages.ts'

const answer = (message: Answer, transfer: readonly ArrayBuffer[] = []): void => {
  parentPort?.postMessage(message, transfer)
}

parentPort?.on('message', ({ kind, job }: Order) => {
  try {
    const run = JOBS[kind] as (job: unknown, report: Report) => unknown
    const result = run(job, (bytes) => answer({ kind: 'progress', bytes }))
    answer({ kind: 'done', result }, buffersOf(result))
  } catch (error) {
    answer({ kind: 'failed', failure: failureOf(error) })
  }
})

/** Large buffers move to the other thread instead of being copied, if nothing else shares their memory. */
const buffersOf = (result: ReturnType<(typeof JOBS)[JobKind]> | unknown): ArrayBuffer[] =>
  Object.values(result ?? {}).flatMap((value: unknown) =>
    value instanceof Uint8Array && value.buffer instanceof ArrayBuffer && value.byteLength === value.buffer.byteLength
      ? [value.buffer]
      : [],
  )
