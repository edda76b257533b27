// An agent whose database is damaged, cut off or gone: it goes on with what is installed and with the second copy of what must
// not be forgotten. No older version comes in by that, nothing that is held is updated, and no unprobed version stays.
import { existsSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { openStore } from '@updraft/agent/store'
import { parseProduct } from '@updraft/core/names'
import type { Fault } from '../support/faults.ts'
import { type Floors, faultsIn, floorsOf, runningVersion } from '../support/home-check.ts'
import { NEW, OLD, OLDER, openUpdateStage, type Start, type UpdateStage } from '../support/update-stage.ts'

const args = ['run', '--once']
const IN_PLACE: Fault = { point: 'activating rename products/acme/current', when: 'after', action: 'kill' }

let stage: UpdateStage
let floors: Floors
beforeAll(async () => {
  stage = await openUpdateStage()
}, 180_000)
afterAll(async () => await stage[Symbol.asyncDispose]())

const databaseOf = (home: string): string => join(home, 'state/agent.db')
const look = (home: string, fault?: Fault) => stage.hosts.run({ home, args, fault })
const running = (home: string) => runningVersion(home, [OLDER, OLD, NEW], stage.digestOf)

/** A home in which `NEW` was installed in good order. */
const updated = async (start: Start = { from: 'old', isWell: true }): Promise<string> => {
  const home = await stage.home(start)
  expect(await look(home)).toMatchObject({ exitCode: 0 })
  floors = floorsOf(home)
  return home
}

const gone = (home: string): void => {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${databaseOf(home)}${suffix}`, { force: true })
}

const DAMAGE: Readonly<Record<string, (home: string) => void>> = {
  'cut in the middle': (home) => truncateSync(databaseOf(home), statSync(databaseOf(home)).size >> 1),
  'cut to nothing': (home) => truncateSync(databaseOf(home), 0),
  'with a page of something else': (home) => {
    const bytes = readFileSync(databaseOf(home))
    writeFileSync(databaseOf(home), bytes.fill(0xa5, 4_096, 8_192))
  },
  gone,
}

describe('a database', () => {
  test.each(Object.keys(DAMAGE))(
    '%s: the installed version is taken up as it is, with those before it, and shared',
    async (name) => {
      const home = await updated()
      DAMAGE[name]?.(home)
      const next = await look(home)
      expect(next).toMatchObject({ exitCode: 0, stderr: expect.stringContaining(`nothing was known of ${NEW}`) })
      expect(next).not.toMatchObject({ stderr: expect.stringContaining('downloading') })
      expect(existsSync(`${databaseOf(home)}.damaged`)).toBe(name !== 'gone')
      expect(
        await faultsIn(home, { current: NEW, kept: [OLD, NEW], shared: [NEW], digestOf: stage.digestOf, floors }),
      ).toEqual([])
      expect(await look(home)).toMatchObject({ exitCode: 0 })
    },
  )

  test('gone while a version was in place that had yet to be probed: it is probed, and left for the one before it', async () => {
    const home = await stage.home({ from: 'old', isWell: false })
    expect(await look(home, IN_PLACE)).toBe('killed')
    expect(await running(home)).toBe(NEW)
    gone(home)
    expect(await look(home)).toMatchObject({ exitCode: 8 })
    expect(await running(home)).toBe(OLD)
    expect(await look(home)).toMatchObject({ exitCode: 0 })
    expect(
      await faultsIn(home, { current: OLD, kept: [OLDER, OLD], shared: [OLD], digestOf: stage.digestOf, floors }),
    ).toEqual([])
  })

  test('gone while the owner had the product held: it stays at its version', async () => {
    const home = await stage.home({ from: 'old', isWell: true })
    {
      using store = openStore(join(home, 'state'))
      store.wishes.hold(parseProduct('acme'), { since: '2026-01-01T00:00:00.000Z', until: undefined })
    }
    gone(home)
    expect(await look(home)).toMatchObject({ exitCode: 0 })
    expect(await running(home)).toBe(OLD)
  })

  test('gone with its second copy damaged: the agent ends and says so, and nothing has changed', async () => {
    const home = await updated()
    gone(home)
    truncateSync(join(home, 'state/remembered.json'), 20)
    expect(await look(home)).toMatchObject({
      exitCode: 8,
      stderr: expect.stringContaining('remembered.json is damaged'),
    })
    expect(existsSync(databaseOf(home))).toBe(false)
    expect(await running(home)).toBe(NEW)
  })
})

test.each([0, 1, 5, 30, 32 + 24 + 4_096, 50_000, -1, -5_000])(
  'a log that is cut at %i bytes, or so far from its end, costs its last steps and no more',
  async (at) => {
    const home = await stage.home({ from: 'old', isWell: true })
    expect(await look(home, IN_PLACE)).toBe('killed')
    const log = `${databaseOf(home)}-wal`
    truncateSync(log, at < 0 ? statSync(log).size + at : Math.min(at, statSync(log).size))
    expect([OLD, NEW]).toContain(await running(home))
    expect(await look(home)).toMatchObject({ exitCode: 0 })
    expect(await faultsIn(home, { current: NEW, kept: [OLD, NEW], digestOf: stage.digestOf, floors })).toEqual([])
  },
)

// The last one: from here on the origin is another.
test('an attacker who replays older metadata to an agent that lost its database, and its cache, is refused', async () => {
  const home = await updated()
  gone(home)
  rmSync(join(home, 'state/metadata'), { recursive: true })
  await stage.rollBackOrigin()
  expect(await look(home)).toMatchObject({ exitCode: 6, stderr: expect.stringContaining('was trusted before') })
  expect(await running(home)).toBe(NEW)
  expect(floorsOf(home)).toEqual(floors)
}, 60_000)
