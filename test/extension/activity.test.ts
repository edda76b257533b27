// Rates made of counters that come, go and begin again.
import { expect, test } from '@jest/globals'
import type { Transfer } from '@updraft/core/control/api'
import {
  peersIn,
  readingOf,
  SAMPLES_MAX,
  type Sample,
  sampleBetween,
  withSample,
} from '../../extension/src/activity.ts'

const transfer = (name: string, peers: number, changes: Partial<Transfer> = {}): Transfer => ({
  name,
  haveBytes: 0,
  totalBytes: 1_000,
  bytes: { peers, origin: 2 * peers, reused: 0 },
  uploadedBytes: 3 * peers,
  peers: { origin: 1, complete: 2, partial: 3, webSeeds: 4 },
  ...changes,
})

test('a rate is what was gained, by the time that it took', () => {
  const before = readingOf([transfer('a', 1_000)], 10_000)
  const after = readingOf([transfer('a', 3_000)], 12_000)
  expect(sampleBetween(before, after)).toEqual({ at: 12, peers: 1_000, origin: 2_000, upload: 3_000 })
})

test('what has just joined brings nothing from before', () => {
  const after = readingOf([transfer('a', 0), transfer('b', 5_000)], 1_000)
  expect(sampleBetween(readingOf([transfer('a', 0)], 0), after)).toMatchObject({ peers: 0, upload: 0 })
})

test('a counter that began again counts from zero, and never falls', () => {
  const [before, after] = [readingOf([transfer('a', 9_000)], 0), readingOf([transfer('a', 500)], 1_000)]
  expect(sampleBetween(before, after)).toMatchObject({ peers: 500 })
})

test('a clock that was set back gives no sample', () => {
  expect(sampleBetween(readingOf([], 2_000), readingOf([], 1_000))).toBeUndefined()
})

test('only the last ten minutes are kept', () => {
  const sample: Sample = { at: 0, peers: 0, origin: 0, upload: 0 }
  let samples: readonly Sample[] = []
  for (let at = 0; at < SAMPLES_MAX + 5; at += 1) samples = withSample(samples, { ...sample, at })
  expect(samples).toHaveLength(SAMPLES_MAX)
  expect(samples[0]?.at).toBe(5)
})

test('peers are counted by kind over everything', () => {
  expect(peersIn([transfer('a', 0), transfer('b', 0)])).toEqual({ origin: 2, complete: 4, partial: 6, webSeeds: 8 })
})
