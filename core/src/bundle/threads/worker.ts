// The entry of a worker thread: takes one order at a time and answers it. It knows no job by name.
import { parentPort } from 'node:worker_threads'
import { isOwned } from '../memory.ts'
import { JOBS, type Report } from './jobs.ts'
import { type Answer, failureOf, type Order } from './messages.ts'

const answer = (message: Answer, transfer: readonly ArrayBuffer[] = []): void => {
  parentPort?.postMessage(message, transfer)
}

/** Progress is told in steps of this size: a message for each of a hundred thousand files would cost more than the files. */
const PROGRESS_BYTES = 1024 * 1024

parentPort?.on('message', ({ kind, job }: Order) => {
  let untold = 0
  const tell = (): void => {
    if (untold > 0) answer({ kind: 'progress', bytes: untold })
    untold = 0
  }
  try {
    const run = JOBS[kind] as (job: unknown, report: Report) => unknown
    const result = run(job, (bytes) => {
      untold += bytes
      if (untold >= PROGRESS_BYTES) tell()
    })
    tell()
    const { value, transfer } = prepare(result)
    answer({ kind: 'done', result: value }, transfer)
  } catch (error) {
    answer({ kind: 'failed', failure: failureOf(error) })
  }
})

/**
 * Large buffers move to the other thread. What lies in shared memory is cut out of it first: it would be sent with all that
 * is around it.
 */
const prepare = (result: unknown): { value: unknown; transfer: readonly ArrayBuffer[] } => {
  if (typeof result !== 'object' || result === null) return { value: result, transfer: [] }
  const transfer: ArrayBuffer[] = []
  const entries = Object.entries(result).map(([name, value]: [string, unknown]) => {
    if (!(value instanceof Uint8Array)) return [name, value]
    if (!isOwned(value)) return [name, new Uint8Array(value)]
    if (value.buffer instanceof ArrayBuffer) transfer.push(value.buffer)
    return [name, value]
  })
  return { value: Object.fromEntries(entries), transfer }
}
