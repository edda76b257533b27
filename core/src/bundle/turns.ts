// Long loops on the main thread: how they let everything else have its turn.
import { setImmediate } from 'node:timers/promises'
import { UpdateError } from '../errors.ts'

/** How long a loop may keep the event loop to itself. */
const TURN_MS = 8

/**
 * Makes a function to be awaited once per round of a long loop: it returns at once until the turn is over, then lets the
 * event loop run.
 *
 * Errors: ABORTED, from the function.
 */
export const takeTurns = (signal?: AbortSignal) => {
  let endsAt = performance.now() + TURN_MS
  return async (): Promise<void> => {
    if (performance.now() < endsAt) return
    throwIfAborted(signal)
    await setImmediate()
    endsAt = performance.now() + TURN_MS
  }
}

/** Work that can be left alone for a while wherever it yields. */
export type Steps<Result> = Generator<undefined, Result, undefined>

/** How many rows of a long table are one step. */
export const STEP_ROWS = 1024

/** Does all of it at once. */
export const atOnce = <Result>(steps: Steps<Result>): Result => {
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
  }
}

/** Lets the event loop run in between. Errors: ABORTED, and those of the work. */
export const inTurns = async <Result>(steps: Steps<Result>, signal?: AbortSignal): Promise<Result> => {
  const turn = takeTurns(signal)
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
    await turn()
  }
}

/** Errors: ABORTED. */
export const throwIfAborted = (signal: AbortSignal | undefined): void => {
  if (signal?.aborted) throw new UpdateError('ABORTED', 'the operation was interrupted', { cause: signal.reason })
}
