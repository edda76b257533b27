// A thousand looks of one agent: nothing new, a source that comes and goes, now and then a release. Nothing grows with their
// number. `npm run bench:agent -- --cycles 10000` is the same for longer.
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { LIMITS } from '@updraft/core/limits'
import { type Cycling, openCycling } from '../support/cycling.ts'

const RELEASES = 4
const CYCLES = 1_000
const MIB = 1024 * 1024

let cycling: Cycling

beforeAll(async () => {
  cycling = await openCycling(RELEASES)
}, 60_000)
afterAll(async () => await cycling[Symbol.asyncDispose]())

test('a thousand looks leave neither rows, files, handles nor memory behind', async () => {
  const run = async (cycles: number): Promise<void> => {
    for (let cycle = 0; cycle < cycles; cycle += 1) await cycling.cycle(cycle % 2 === 0 ? 'unreachable' : 'same')
  }
  for (let number = 0; number < RELEASES; number += 1) expect(await cycling.cycle('new')).toBe(`1.${number}.0`)
  await run(CYCLES / 5) // What is kept of the past is full then, except for the events.
  const before = cycling.taken()
  await run(CYCLES)
  const after = cycling.taken()
  process.stderr.write(`many cycles: ${JSON.stringify({ before, after })}\n`)

  const { event: eventsBefore = 0, ...rowsBefore } = before.rows
  const { event: eventsAfter = 0, ...rowsAfter } = after.rows
  expect(rowsAfter).toEqual(rowsBefore)
  expect(eventsAfter).toBeLessThanOrEqual(LIMITS.controlEventsKept + 100)
  expect(eventsAfter).toBeGreaterThan(eventsBefore) // It is they that are kept, up to there.
  expect(after.homeFiles).toBe(before.homeFiles)
  expect(after.openFiles).toBeLessThan(before.openFiles + 10) // Of a thousand. jest has files of its own.
  expect(after.databaseBytes).toBeLessThan(4 * MIB)
  expect(after.heapBytes - before.heapBytes).toBeLessThan(16 * MIB)
}, 240_000)
