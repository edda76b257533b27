// The fuzzing itself: takes an input, changes it, tries it, and keeps it if it ran through something new. Without coverage it
// keeps nothing, and every attempt begins at a seed.
import { setImmediate } from 'node:timers/promises'
import type { Coverage } from './coverage.ts'
import { mutate } from './mutate.ts'
import type { Random } from './random.ts'
import type { OpenTarget, Target } from './target.ts'

/** Longer inputs only make attempts slower. */
export const INPUT_BYTES_MAX = 512 * 1024

/** Attempts in one turn of the event loop. */
const TURN_ATTEMPTS = 64

export interface LoopOptions {
  readonly words: Target['words']
  readonly random: Random
  /** Asked before each attempt. */
  readonly isOver: () => boolean
  readonly coverage?: Coverage
  /** Inputs that were found by earlier runs. */
  readonly found?: readonly Uint8Array[]
  /** Told before the input is tried: if nothing more is heard, it is the one that hangs. */
  readonly onAttempt?: (input: Uint8Array) => void
  readonly onKept?: (input: Uint8Array) => void
  readonly onCrash: (input: Uint8Array, error: unknown) => void
}

/** Returns the number of attempts. */
export const fuzz = async (target: OpenTarget, options: LoopOptions): Promise<number> => {
  const { random, isOver, coverage, found = [], onAttempt, onKept, onCrash } = options
  const words = (options.words ?? []).map((word) => Buffer.from(word as Uint8Array))
  const corpus: Uint8Array[] = []
  let attempts = 0

  const attempt = async (input: Uint8Array): Promise<boolean> => {
    attempts += 1
    onAttempt?.(input)
    coverage?.clear()
    try {
      await target.attempt(input)
    } catch (error) {
      onCrash(input, error)
    }
    return coverage?.isNew() ?? false
  }

  for (const seed of [...target.seeds, ...found]) {
    await attempt(seed)
    corpus.push(seed)
  }
  while (!isOver()) {
    // Between awaits alone, nothing that libraries put off (`process.nextTick`) ever runs: node:zlib ends a stream that failed so,
    // and tens of thousands of them, with their buffers, took all the memory.
    if (attempts % TURN_ATTEMPTS === 0) await setImmediate()
    // What was found last is what is least explored.
    const from = random(2) === 0 ? corpus.length - 1 - random(Math.min(corpus.length, 16)) : random(corpus.length)
    const other = corpus[random(corpus.length)] ?? Buffer.alloc(0)
    const input = mutate(corpus[from] ?? Buffer.alloc(0), random, { words, other }, INPUT_BYTES_MAX)
    if (!(await attempt(input))) continue
    corpus.push(input)
    onKept?.(input)
  }
  return attempts
}
