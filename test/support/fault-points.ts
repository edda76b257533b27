// The points at which something can go wrong in an agent's process, and the one at which it does, in all threads. What leads
// here is wrapped in fault-disk.ts.
import fs from 'node:fs'
import { join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads'
import type { Fault, FaultCode, Point, RunOrder } from './faults.ts'

/** What is about to happen to a path. */
export interface Operation {
  readonly name: string
  readonly path: unknown
  readonly changes?: boolean
  /** It fails when the disk is full. */
  readonly takesSpace?: boolean
  /** What of it is done when the process ends in the middle. */
  readonly half?: (() => void) | undefined
}

const ORDER = 'fault-order'
const SHARED = 'fault-shared'
const STATES = ['starting', 'checking', 'downloading', 'verifying', 'waiting', 'activating', 'probing', 'committed']
STATES.push('rolled-back', 'failed')

/** What all threads see: the number of the state, 1 once the disk counts as full, 1 once the point of the fault was met. */
const shared = new Int32Array((getEnvironmentData(SHARED) as SharedArrayBuffer) ?? new SharedArrayBuffer(12))
setEnvironmentData(SHARED, shared.buffer as SharedArrayBuffer)

let order = getEnvironmentData(ORDER) as RunOrder | undefined
const append = fs.appendFileSync

/** From here on this order counts, also in threads that are started later. */
export const orderFault = (next: RunOrder): void => {
  order = next
  setEnvironmentData(ORDER, next as never)
  Atomics.store(shared, 1, 0)
  Atomics.store(shared, 2, 0)
  enterState('starting')
}

export const enterState = (state: string): void => {
  const number = STATES.indexOf(state)
  if (number === -1) throw new TypeError(`the state ${state} is not one that fault-points.ts knows`)
  Atomics.store(shared, 0, number)
}

/** Whether the point of the order's fault was met. */
export const isFaultMet = (): boolean => Atomics.load(shared, 2) === 1

export const stateNow = (): string => STATES[Atomics.load(shared, 0)] ?? ''

/** Does `work`, unless it is to fail or to be the last that this process does. `failureOf` makes the error for it. */
export const act = <T>(
  operation: Operation,
  work: () => T,
  failureOf: (code: FaultCode, operation: Operation) => Error = systemFailure,
): T => {
  const due = dueAt(operation)
  if (due === undefined) return work()
  if (due.action !== 'kill') throw failureOf(due.action, operation)
  if (due.when === 'during') operation.half?.()
  if (due.when === 'after') {
    const result: unknown = work()
    if (result instanceof Promise) return result.then(endNow, endNow) as T
  }
  return endNow()
}

/** The fault of the order, if it is due now. */
const dueAt = ({ name, path, changes = false, takesSpace = false, half }: Operation): Fault | undefined => {
  const place = order && placeOf(order.home, path)
  if (order === undefined || place === undefined) return undefined
  const point: Point = { name: `${stateAt(place)} ${name} ${place}`, changes, takesSpace, hasHalf: half !== undefined }
  const { fault, record, meanwhile } = order
  if (meanwhile?.point === point.name) {
    using database = new DatabaseSync(join(order.home, 'state/agent.db'))
    database.exec(meanwhile.sql)
  }
  if (record !== undefined) append(record, `${JSON.stringify(point)}\n`)
  if (fault?.action === 'ENOSPC' && takesSpace && Atomics.load(shared, 1) === 1) return fault
  if (fault?.point !== point.name) return undefined
  Atomics.store(shared, 2, 1)
  if (fault.action === 'ENOSPC') Atomics.store(shared, 1, 1)
  return fault
}

/** Verifying begins while the download goes on, so for what both do the state would be a matter of luck. */
const stateAt = (place: string): string => {
  const state = stateNow()
  const isShared = /^staging\/[^/]*\/(tree$|tree\/|[^/]*\/(index|pack\.frames\/[^/]*)$)/.test(place)
  return isShared && (state === 'downloading' || state === 'verifying') ? 'fetching' : state
}

/** Undefined outside the agent's home. */
const placeOf = (home: string, path: unknown): string | undefined => {
  const place = relative(home, String(path))
  if (place === '' || place.startsWith('..')) return undefined
  return place
    .replaceAll(/[0-9a-f]{12,}/g, '*')
    .replace(/\bscratch-[^/]*/, 'scratch-*')
    .replace(/(^|\/)\.([^/]*)\.\*\.tmp$/, '$1$2.tmp')
    .replace(/(\/tree|\/versions\/[^/]*|\/copy-\*|\/scratch-\*)\/.*/, '$1/*')
}

const systemFailure = (code: FaultCode, { name, path }: Operation): Error => {
  const errno = { ENOSPC: -28, EACCES: -13, EIO: -5 }[code]
  return Object.assign(new Error(`${code}: injected, ${name} '${path}'`), { code, errno, syscall: name, path })
}

const endNow = (): never => {
  process.kill(process.pid, 'SIGKILL')
  for (;;); // Until the signal has come.
}
