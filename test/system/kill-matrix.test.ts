// The kill matrix: an agent is ended by SIGKILL before, during and after everything that it does to its disk, in each state of
// an update, of the way back from a bad one, and of taking up either. What runs then is the old or the new version, whole; the
// next look ends as if nothing had happened, and leaves nothing behind.
//
// The points are not written down: each story is run once to its end, and recorded.
import { readFileSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from '@jest/globals'
import type { RunOrder, When } from '../support/faults.ts'
import { type Floors, faultsIn, floorsOf, runningVersion } from '../support/home-check.ts'
import { NEW, OLD, OLDER, openUpdateStage, type Start } from '../support/update-stage.ts'

const stage = await openUpdateStage()
afterAll(async () => await stage[Symbol.asyncDispose]())

interface Story {
  readonly name: string
  readonly start: Start
  /** What happened to the home before. */
  readonly before?: (home: string) => Promise<unknown>
  readonly run: Omit<RunOrder, 'home'>
  /** Whether this point belongs to the story, and not to one before it in the list. */
  readonly has: (point: string) => boolean
  /** False leaves out what another story does by half. */
  readonly halves?: boolean
  /** What happens to the home after the kill, and after a look that it may have ended well. */
  readonly after?: (home: string) => Promise<unknown>
  /** What is installed in the end. */
  readonly end: { readonly current: string; readonly kept: readonly string[] }
}

const LOOK = ['run', '--once']
const UPDATED = { current: NEW, kept: [OLD, NEW] }
const LEFT = { current: OLD, kept: [OLDER, OLD] }
const STAGED = 'staging/acme_1.1.0_any'

const killedAfter = (point: string) => async (home: string) => {
  expect(await stage.hosts.run({ home, args: LOOK, fault: { point, when: 'after', action: 'kill' } })).toBe('killed')
}

const STORIES: readonly Story[] = [
  {
    name: 'an update',
    start: { from: 'old', isWell: true },
    run: { args: LOOK },
    has: () => true,
    end: UPDATED,
  },
  {
    name: 'a first installation',
    start: { from: 'nothing', isWell: true },
    run: { args: LOOK },
    has: () => true,
    halves: false,
    end: { current: NEW, kept: [NEW] },
  },
  {
    name: 'an update that does not do well',
    start: { from: 'old', isWell: false },
    run: { args: LOOK },
    has: (point) => /^(probing|rolled-back)/.test(point),
    end: LEFT,
  },
  {
    name: 'a first installation that does not do well',
    start: { from: 'nothing', isWell: false },
    run: { args: LOOK },
    has: (point) => /^(probing|rolled-back)/.test(point),
    // What is offered besides it is older, and is not bad.
    end: { current: OLD, kept: [OLD] },
  },
  {
    name: 'an update from a file',
    start: { from: 'old', isWell: true },
    run: { args: ['import', stage.exportFile] },
    has: (point) => /^(downloading|fetching)/.test(point),
    end: UPDATED,
  },
  {
    name: 'taking up a version that was in place and not yet probed',
    start: { from: 'old', isWell: true },
    before: killedAfter('activating rename products/acme/current'),
    run: { args: LOOK },
    has: (point) => /journal|installed/.test(point),
    end: UPDATED,
  },
  {
    name: 'finishing an interrupted way back',
    start: { from: 'old', isWell: false },
    before: killedAfter('probing rename state/remembered.json'),
    run: { args: LOOK },
    has: (point) => /^checking .*(journal|products|staging)/.test(point),
    end: LEFT,
  },
  {
    name: 'an update that the owner has wait, fetched already',
    start: { from: 'old', isWell: true },
    run: {
      args: LOOK,
      meanwhile: {
        point: `fetching mkdir ${STAGED}/tree`,
        sql: `INSERT INTO hold VALUES ('acme', '2026-01-01', NULL)`,
      },
    },
    has: (point) => point.includes('waiting'),
    after: async (home) => {
      using database = new DatabaseSync(join(home, 'state/agent.db'))
      database.exec('DELETE FROM hold')
    },
    end: UPDATED,
  },
  {
    name: 'an update that is given up, because it is no longer wanted',
    start: { from: 'old', isWell: true },
    before: async (home) => {
      await killedAfter(`downloading rename ${STAGED}/acme_1.1.0_any/pack.frames`)(home)
      const settings = join(home, 'agent.json')
      const text = await readFile(settings, 'utf8')
      await writeFile(settings, text.replace('"source"', '"versionRange": "1.0.x", "source"'))
    },
    run: { args: LOOK },
    has: (point) => point.includes('failed') || point.includes('staging'),
    end: LEFT,
  },
]

/** Most of it is waiting for the cases before. */
const CASE_TIMEOUT_MS = 600_000

interface Case {
  readonly when: When
  readonly point: string
}

const killed = new Set<string>()

const recorded = async ({
  start,
  before,
  run,
  has,
  halves = true,
}: Story): Promise<{ cases: Case[]; floors: Floors }> => {
  const home = await stage.home(start)
  await before?.(home)
  const points = (await stage.pointsOf({ ...run, home })).filter(({ name, changes }) => changes && has(name))
  const cases = points.flatMap(({ name: point, hasHalf }, number): Case[] => [
    ...(number === 0 ? [{ when: 'before', point } as const] : []), // Before another one is after the one before it.
    ...(hasHalf && halves ? [{ when: 'during', point } as const] : []),
    { when: 'after', point },
  ])
  for (const { name } of points) killed.add(name.split(' ')[0] ?? '')
  return { cases, floors: floorsOf(home) }
}

for (const story of STORIES) {
  const { cases, floors } = await recorded(story)
  const { start, before, run, after, end } = story
  const { hosts, digestOf } = stage
  describe(story.name, () => {
    test.concurrent.each(cases)(
      'killed $when: $point',
      async ({ when, point }) => {
        const home = await stage.home(start)
        await before?.(home)
        expect(await hosts.run({ ...run, home, fault: { point, when, action: 'kill' } })).toBe('killed')
        const running = await runningVersion(home, [OLDER, OLD, NEW], digestOf)
        expect([start.from === 'old' ? OLD : 'nothing', NEW]).toContain(running)

        const next = { home, args: run.args }
        if (after !== undefined) {
          expect(await hosts.run(next)).toMatchObject({ exitCode: 0 })
          expect(await runningVersion(home, [OLDER, OLD, NEW], digestOf)).toBe(running)
          await after(home)
        }
        // What has yet to fail its probe does so in the first look; then there is another one.
        if (!start.isWell) await hosts.run(next)
        expect(await hosts.run(next)).toMatchObject({ exitCode: 0 })
        expect(await faultsIn(home, { ...end, digestOf, floors })).toEqual([])
        rmSync(home, { recursive: true })
      },
      CASE_TIMEOUT_MS,
    )
  })
}

test('an agent was killed in every state that the journal knows', () => {
  const sources = ['cycle.ts', 'report.ts'].map((name) =>
    readFileSync(join(import.meta.dirname, '../../agent/src', name), 'utf8'),
  )
  const journalled = sources.flatMap((text) =>
    [...text.matchAll(/(?:\bentering|journal\.enter|journal\.end)\([^\n]*, '([a-z-]+)'/g)].map(([, state]) => state),
  )
  expect(new Set(journalled).size).toBeGreaterThan(7)
  expect([...killed]).toEqual(expect.arrayContaining(journalled))
})
