import { expect, test } from '@jest/globals'
import { coalesce } from '../../extension/src/coalesce.ts'

/** Resolves after each run; so a test waits for runs and never for time. */
const countedRuns = () => {
  let runs = 0
  let wake = (): void => {}
  return {
    run: () => {
      runs += 1
      wake()
    },
    runs: () => runs,
    reach: async (count: number) => {
      while (runs < count) await new Promise<void>((resolve) => (wake = resolve))
    },
  }
}

test('the first request runs at once', () => {
  const counted = countedRuns()
  using coalesced = coalesce(counted.run, 10_000)
  coalesced.request()
  expect(counted.runs()).toBe(1)
})

test('many requests close together make two runs: the first at once, and one after the last', async () => {
  const counted = countedRuns()
  using coalesced = coalesce(counted.run, 20)
  for (let i = 0; i < 100; i++) coalesced.request()
  await counted.reach(2)
  expect(counted.runs()).toBe(2)
})

test('two runs never overlap', async () => {
  let running = 0
  let most = 0
  const counted = countedRuns()
  using coalesced = coalesce(async () => {
    running += 1
    most = Math.max(most, running)
    await new Promise(setImmediate)
    coalesced.request()
    running -= 1
    counted.run()
  }, 0)
  coalesced.request()
  coalesced.request()
  await counted.reach(3)
  expect(most).toBe(1)
})

test('nothing runs after it was disposed', async () => {
  const counted = countedRuns()
  const coalesced = coalesce(counted.run, 1)
  coalesced.request()
  coalesced.request()
  coalesced[Symbol.dispose]()
  coalesced.request()
  await new Promise((resolve) => setTimeout(resolve, 20)) // Nothing can be waited for: the rule is that nothing happens.
  expect(counted.runs()).toBe(1)
})
