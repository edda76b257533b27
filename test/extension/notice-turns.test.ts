// Who may speak: worse at once, milder once the one before was closed or has been there long enough.
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { createTurns } from '../../extension/src/notice-turns.ts'

const TURN_MS = 8_000
const [WORSE, SAME, MILDER] = [0, 1, 2]
const neverClosed = () => new Promise<void>(() => {})

beforeEach(() => void jest.useFakeTimers())
afterEach(() => void jest.useRealTimers())

test('while one is open, only a worse one is told', () => {
  const turns = createTurns(TURN_MS)
  void turns.take(SAME, neverClosed)
  expect([WORSE, SAME, MILDER].map(turns.isFreeFor)).toEqual([true, false, false])
})

test('one that nobody closes keeps nothing from being told for longer than its turn', async () => {
  const turns = createTurns(TURN_MS)
  const turn = turns.take(WORSE, neverClosed)
  await jest.advanceTimersByTimeAsync(TURN_MS - 1)
  expect(turns.isFreeFor(MILDER)).toBe(false)
  await jest.advanceTimersByTimeAsync(1)
  await turn
  expect(turns.isFreeFor(MILDER)).toBe(true)
})

test('one that is closed is over at once', async () => {
  const turns = createTurns(TURN_MS)
  await turns.take(WORSE, async () => {})
  expect(turns.isFreeFor(MILDER)).toBe(true)
  expect(jest.getTimerCount()).toBe(0)
})

test('one that fails is over as well, and says why', async () => {
  const turns = createTurns(TURN_MS)
  await expect(turns.take(WORSE, () => Promise.reject(new Error('no window')))).rejects.toThrow('no window')
  expect(turns.isFreeFor(MILDER)).toBe(true)
})

test('a worse one that spoke in between leaves the other its turn', async () => {
  const turns = createTurns(TURN_MS)
  void turns.take(SAME, neverClosed)
  await turns.take(WORSE, async () => {})
  expect([WORSE, SAME].map(turns.isFreeFor)).toEqual([true, false])
})

test('at the end nothing is waited for', async () => {
  const turns = createTurns(TURN_MS)
  const turn = turns.take(SAME, neverClosed)
  turns[Symbol.dispose]()
  await turn
  expect(jest.getTimerCount()).toBe(0)
})
