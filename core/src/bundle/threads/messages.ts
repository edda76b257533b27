// What the main thread and its workers say to each other.
import { isUpdateError, messageOf, systemCodeOf, UpdateError } from '../../errors.ts'
import type { JobKind, JobOf } from './jobs.ts'

export interface Order {
  readonly kind: JobKind
  readonly job: JobOf<JobKind>
}

export type Answer =
  | { readonly kind: 'progress'; readonly bytes: number }
  | { readonly kind: 'done'; readonly result: unknown }
  | { readonly kind: 'failed'; readonly failure: Failure }

/** An error as plain data: copying one from thread to thread would lose its code. */
export interface Failure {
  readonly code: string | undefined
  readonly isUpdateError: boolean
  readonly message: string
  readonly hint: string | undefined
  readonly stack: string | undefined
}

export const failureOf = (error: unknown): Failure => ({
  code: systemCodeOf(error),
  isUpdateError: isUpdateError(error),
  message: messageOf(error),
  hint: isUpdateError(error) ? error.hint : undefined,
  stack: Error.isError(error) ? error.stack : undefined,
})

export const errorOf = (failure: Failure): Error => {
  const { code, message, hint, stack } = failure
  const error = failure.isUpdateError
    ? new UpdateError(code as UpdateError['code'], message, hint === undefined ? {} : { hint })
    : Object.assign(new Error(message), code === undefined ? {} : { code })
  if (stack !== undefined) error.stack = stack
  return error
}
