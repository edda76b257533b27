// A background transfer on a link that others need as well: a link that is simulated, with a queue of 100 ms.
import { expect, test } from '@jest/globals'
import { createYielding } from '@updraft/core/swarm/yielding'

const CAPACITY = 2_500_000
const QUEUE_MS = 100
const TICK_MS = 200
/** Two clocks have nothing in common. */
const BASE_MS = -73_000

/** `foreground` is what others send at a moment, in bytes per second; undefined is all that they can, as TCP does. */
const simulate = (foreground: (seconds: number) => number | undefined, seconds: number) => {
  let time = 0
  let moved = 0
  let queuedMs = 0
  const peer = {}
  const yielding = createYielding({ now: () => time })
  const shares: number[] = []
  for (; time < seconds * 1_000; time += TICK_MS) {
    const others = foreground(time / 1_000)
    const wanted = Math.min(yielding.bytesPerSecond ?? Number.POSITIVE_INFINITY, 2 * CAPACITY)
    // TCP fills the queue and falls back to seven tenths of it, again and again.
    const pressed = others === undefined ? 70 + (((time / TICK_MS) * 7) % 30) : 0
    const excess = wanted + (others ?? 0) - CAPACITY
    queuedMs = Math.max(pressed, Math.max(0, Math.min(QUEUE_MS, queuedMs + (excess / CAPACITY) * TICK_MS)))
    const sent = Math.min(wanted, CAPACITY - Math.min(others ?? 0, CAPACITY * 0.9))
    moved += (sent * TICK_MS) / 1_000
    shares.push(sent / CAPACITY)
    yielding.sample(peer, BASE_MS + queuedMs)
    yielding.tick(moved)
  }
  /** On average between two moments. */
  return (from: number, until: number): number => {
    const some = shares.slice((from * 1_000) / TICK_MS, (until * 1_000) / TICK_MS)
    return some.reduce((sum, share) => sum + share, 0) / some.length
  }
}

test('it has the link to itself while nobody else is there', () => {
  expect(simulate(() => 0, 60)(10, 60)).toBeGreaterThan(0.75)
})

test('it makes room for who fills the link, and comes back afterwards', () => {
  const share = simulate((seconds) => (seconds >= 20 && seconds < 50 ? undefined : 0), 90)
  expect(share(10, 20)).toBeGreaterThan(0.75)
  expect(share(25, 50)).toBeLessThan(0.03)
  expect(share(70, 90)).toBeGreaterThan(0.75)
})

test('beside who needs a part of the link it takes the rest', () => {
  const share = simulate(() => CAPACITY / 2, 60)
  expect(share(20, 60)).toBeGreaterThan(0.35)
})

test('without measurements there is no limit', () => {
  let time = 0
  const yielding = createYielding({ now: () => time })
  for (; time < 10_000; time += TICK_MS) yielding.tick(time * 1_000)
  expect(yielding.bytesPerSecond).toBeUndefined()
})

test('answers that stay away are a queue', () => {
  let time = 0
  const yielding = createYielding({ now: () => time })
  const peer = {}
  for (; time < 1_000; time += TICK_MS) {
    yielding.sample(peer, 0)
    yielding.tick(time * 1_000)
  }
  for (; time < 3_400; time += TICK_MS) yielding.tick(time * 1_000)
  expect(yielding.bytesPerSecond).toBeLessThan(500_000)
})
