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

/** Errors: ABORTED. */
export const throwIfAborted = (signal: AbortSignal | undefined): void => {
  if (signal?.aborted) throw new UpdateError('ABORTED', 'the operation was interrupted', { cause: signal.reason })
}
