// What is fuzzed: a parser that meets bytes from outside, with inputs to begin from and what has to hold for every other one.
// Used under coverage guidance by `npm run fuzz`, and for a moment each by fuzz.test.ts.
import { type ErrorCode, isUpdateError } from '@updraft/core/errors'

export interface Target {
  /** Who the bytes come from, and what reads them, for the list of targets. */
  readonly what: string
  /** Put in by mutations: magic, keywords, names of fields. */
  readonly words?: readonly (string | Uint8Array)[]
  open(): Promise<OpenTarget>
}

export interface OpenTarget extends AsyncDisposable {
  readonly seeds: readonly Uint8Array[]
  /** Throws if anything happens that must not; a refusal that the parser documents is none. */
  attempt(bytes: Uint8Array): void | Promise<void>
}

/** A target that holds nothing open. */
export const plainTarget = (
  target: Omit<Target, 'open'> & Pick<OpenTarget, 'attempt'> & { readonly seeds: () => readonly Uint8Array[] },
): Target => ({
  ...target,
  open: async () => ({ seeds: target.seeds(), attempt: target.attempt, [Symbol.asyncDispose]: async () => {} }),
})

/** The result of `work`, or undefined if it refuses with one of `codes`; whatever else it throws is a defect. */
export const unlessRefused = <T>(codes: readonly ErrorCode[], work: () => T): T | undefined => {
  try {
    return work()
  } catch (error) {
    if (isUpdateError(error) && codes.includes(error.code)) return undefined
    throw error
  }
}

export const unlessRejected = async <T>(
  codes: readonly ErrorCode[],
  work: () => Promise<T>,
): Promise<T | undefined> => {
  try {
    return await work()
  } catch (error) {
    if (isUpdateError(error) && codes.includes(error.code)) return undefined
    throw error
  }
}

/** What turns JSON into something that nobody expects. */
export const JSON_WORDS = [
  'null',
  'true',
  '{}',
  '[]',
  '-1',
  '1.5',
  '1e999',
  '\\ud800',
  '\\u0000',
  '"__proto__":',
] as const

/** The first byte of an input chooses between ways to read the rest. */
export const chosen = (bytes: Uint8Array): { readonly choice: number; readonly rest: Uint8Array } => ({
  choice: bytes[0] ?? 0,
  rest: bytes.subarray(1),
})

export const choosing = (choice: number, rest: string | Uint8Array): Buffer =>
  Buffer.concat([Buffer.from([choice]), Buffer.from(rest as Uint8Array)])

/** Cuts bytes into pieces, by a number that says how, so that readers of streams meet every boundary. */
export function* inPieces(bytes: Uint8Array, how: number): Iterable<Uint8Array> {
  const step = how === 0 ? bytes.length : (how % 61) + 1
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step)
}
