// Every parser of bytes from outside, over inputs that broke it once and for half a second of new ones; without coverage guidance,
// which `npm run fuzz` has. A failure names its seed: `UPDRAFT_FUZZ_SEED=N` repeats it.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { fuzz } from './loop.ts'
import { randomOf } from './random.ts'
import { TARGETS } from './targets.ts'

const SECONDS = 0.5
/** On a slow machine it takes longer. */
const ATTEMPTS_MIN = 8
const SEED = Number(process.env.UPDRAFT_FUZZ_SEED ?? crypto.getRandomValues(new Uint32Array(1))[0])

const fixturesOf = (name: string): readonly (readonly [file: string, bytes: Buffer])[] => {
  const folder = join(import.meta.dirname, '../fixtures/fuzz', name)
  return existsSync(folder) ? readdirSync(folder).map((file) => [file, readFileSync(join(folder, file))] as const) : []
}

describe.each(Object.keys(TARGETS))('%s', (name) => {
  test('refuses what is malformed as documented, and keeps its promises for the rest', async () => {
    const target = TARGETS[name]
    if (target === undefined) throw new Error(name)
    await using open = await target.open()
    for (const [file, bytes] of fixturesOf(name)) {
      try {
        await open.attempt(bytes)
      } catch (error) {
        throw new Error(`fixture ${file}: ${(error as Error).message}`, { cause: error })
      }
    }
    const end = performance.now() + SECONDS * 1000
    let count = 0
    const attempts = await fuzz(open, {
      words: target.words,
      random: randomOf(SEED),
      isOver: () => performance.now() > end && count >= ATTEMPTS_MIN,
      onAttempt: () => {
        count += 1
      },
      onCrash: (input, error) => {
        throw new Error(`seed ${SEED}, input ${Buffer.from(input).toString('base64').slice(0, 4_000)}`, {
          cause: error,
        })
      },
    })
    expect(attempts).toBeGreaterThanOrEqual(ATTEMPTS_MIN)
  })
})
