// The fault grid: at everything that an agent does to its disk in an update, the disk is full, access is denied, or the disk
// does not answer. The agent says so with a code of the table, the old version goes on running, and once the fault is gone the
// next look updates and leaves nothing behind.
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, test } from '@jest/globals'
import { ERROR_CODES, type ErrorCode, EXIT_CODES } from '@updraft/core/errors'
import type { FaultCode, Point } from '../support/faults.ts'
import { faultsIn, floorsOf, runningVersion } from '../support/home-check.ts'
import { NEW, OLD, OLDER, openUpdateStage, type Start } from '../support/update-stage.ts'

const stage = await openUpdateStage()
afterAll(async () => await stage[Symbol.asyncDispose]())

interface Story {
  readonly name: string
  readonly start: Start
  readonly has: (point: string) => boolean
  readonly end: { readonly current: string; readonly kept: readonly string[] }
}

const args = ['run', '--once']
const STORIES: readonly Story[] = [
  {
    name: 'an update',
    start: { from: 'old', isWell: true },
    has: () => true,
    end: { current: NEW, kept: [OLD, NEW] },
  },
  {
    name: 'a first start',
    start: { from: 'nothing', isWell: true },
    has: (point) => point.startsWith('starting'),
    end: { current: NEW, kept: [NEW] },
  },
  {
    name: 'an update that does not do well',
    start: { from: 'old', isWell: false },
    has: (point) => /^(probing|rolled-back)/.test(point),
    end: { current: OLD, kept: [OLDER, OLD] },
  },
]

const allTold: unknown[] = []
const CODE_OF: Readonly<Record<FaultCode, ErrorCode>> = { ENOSPC: 'DISK_FULL', EACCES: 'PERMISSION', EIO: 'IO' }

/** Most of it is waiting for the cases before. */
const CASE_TIMEOUT_MS = 600_000

interface Case {
  readonly action: FaultCode
  readonly point: string
}

/** Of each kind of operation in each state all errors; of every third further place one of them, each in its turn. */
const casesOf = (points: readonly Point[]): readonly Case[] => {
  const seen = new Set<string>()
  return points.flatMap(({ name: point, takesSpace }, number): Case[] => {
    const kind = point.split(' ').slice(0, 2).join(' ')
    const actions: readonly FaultCode[] = takesSpace ? ['ENOSPC', 'EIO', 'EACCES'] : ['EIO', 'EACCES']
    const isNew = !seen.has(kind)
    seen.add(kind)
    const further = number % 3 === 0 ? [actions[(number / 3) % actions.length] as FaultCode] : []
    const chosen = isNew ? actions : further
    return chosen.map((action) => ({ action, point }))
  })
}

/** The code of the error that the last look ended with, as a person finds it in the history of events. */
const codeTold = (home: string): string | undefined => {
  using database = new DatabaseSync(join(home, 'state/agent.db'))
  const events = database.prepare('SELECT event FROM event ORDER BY cursor').all()
  return events.map(({ event }) => JSON.parse(String(event))).findLast(({ kind }) => kind === 'idle')?.error?.code
}

/** With a full disk nothing can be recorded either: then the log is where it is told. */
const codeLogged = (log: string): ErrorCode | undefined =>
  /cannot be recorded: .*no space left on the disk/.test(log) ? 'DISK_FULL' : undefined

for (const { name, start, has, end } of STORIES) {
  const { hosts, digestOf } = stage
  const sound = await stage.home(start)
  const points = (await stage.pointsOf({ home: sound, args })).filter((point) => has(point.name))
  const floors = floorsOf(sound)
  describe(name, () => {
    test.concurrent.each(casesOf(points))(
      '$action at: $point',
      async ({ action, point }) => {
        const home = await stage.home(start)
        const failed = await hosts.run({ home, args, fault: { point, when: 'before', action } })
        if (failed === 'killed') throw new Error('killed without an order')
        expect(failed).toMatchObject({ isFaultMet: true })
        const running = await runningVersion(home, [OLDER, OLD, NEW], digestOf)
        expect([start.from === 'old' ? OLD : 'nothing', NEW]).toContain(running)
        expect({
          ...failed,
          isTold: [EXIT_CODES.ok, EXIT_CODES.local].some((code) => code === failed.exitCode),
        }).toMatchObject({
          isTold: true,
        })
        const told = point.startsWith('starting') ? undefined : (codeTold(home) ?? codeLogged(failed.stderr))
        allTold.push(told)
        if (told !== undefined && told !== 'PROBE_FAILED') expect([CODE_OF[action], 'STATE_DAMAGED']).toContain(told)

        if (!start.isWell) await hosts.run({ home, args })
        expect(await hosts.run({ home, args })).toMatchObject({ exitCode: 0 })
        expect(await faultsIn(home, { ...end, digestOf, floors })).toEqual([])
        rmSync(home, { recursive: true })
      },
      CASE_TIMEOUT_MS,
    )
  })
}

// In a block of its own, so that it has its turn after the others.
describe('all of them together', () => {
  test('each of the errors was told, again and again, and is one of this machine', () => {
    for (const code of Object.values(CODE_OF)) {
      expect(ERROR_CODES[code].exit).toBe('local')
      expect(allTold.filter((told) => told === code).length).toBeGreaterThan(20)
    }
  })
})
