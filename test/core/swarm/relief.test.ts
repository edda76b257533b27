// Who takes over what at the end of a download.
import { expect, test } from '@jest/globals'
import { planRelief, type Worker } from '@updraft/core/swarm/peers/relief'
import type { BlockClaim } from '@updraft/core/swarm/pieces/picker'

const MS_PER_BLOCK = 50

/** Was asked for `blocks`; 0 is a speed that is not known. */
const worker = (blocks: readonly number[], msPerBlock = MS_PER_BLOCK): Worker => ({
  claims: blocks.map((block) => ({ piece: { index: 0 }, block }) as unknown as BlockClaim),
  claimCount: blocks.length,
  bytesPerSecond: msPerBlock === 0 ? 0 : 1,
  delayMs: blocks.length * msPerBlock,
  delayPerBlockMs: msPerBlock,
})
const anything = () => true
const blocksOf = (moves: ReturnType<typeof planRelief>) => moves.map(({ claim }) => claim.block)
const upTo = (count: number) => Array.from({ length: count }, (_, block) => block)

test('an idle peer takes what was asked for last, while it needs half the time', () => {
  const [slow, idle] = [worker(upTo(12)), worker([])]
  const moves = planRelief([idle], [slow], anything)
  // After four, the slow one needs 400 ms, and a fifth from the other one would take 250.
  expect(blocksOf(moves)).toEqual([11, 10, 9, 8])
  expect(moves.every(({ from, to }) => from === slow && to === idle)).toBe(true)
})

test('several idle peers share it, and the slowest is relieved first', () => {
  const [slow, slower] = [worker(upTo(8)), worker(upTo(8), 100)]
  const idle = [worker([]), worker([])]
  const moves = planRelief(idle, [slow, slower], anything)
  expect(moves[0]?.from).toBe(slower)
  for (const to of idle) expect(moves.some((move) => move.to === to)).toBe(true)
  expect(new Set(moves.map(({ from, claim }) => `${from === slow} ${claim.block}`)).size).toBe(moves.length)
})

test('what comes soon is left to whoever was asked', () => {
  expect(planRelief([worker([])], [worker(upTo(3))], anything)).toEqual([])
  expect(planRelief([worker([], 500)], [worker(upTo(10))], anything)).toEqual([])
})

test('a peer of unknown speed gets one block', () => {
  expect(blocksOf(planRelief([worker([], 0)], [worker(upTo(20))], anything))).toEqual([19])
})

test('only what the peer has and may deliver is taken', () => {
  const even = (_: Worker, { block }: BlockClaim) => block % 2 === 0
  expect(blocksOf(planRelief([worker([])], [worker(upTo(12))], even))).toEqual([10, 8, 6, 4])
  const other = worker(upTo(6))
  const slowest = worker(upTo(12))
  const moves = planRelief([worker([])], [slowest, other], (_, claim) => [...other.claims].includes(claim))
  expect(moves.map(({ from }) => from)).toEqual([other, other])
})

test('with nobody idle, or nobody busy, nothing is moved', () => {
  expect(planRelief([], [worker(upTo(20))], anything)).toEqual([])
  expect(planRelief([worker([])], [], anything)).toEqual([])
})
