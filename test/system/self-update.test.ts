// The agent as a product of itself, with real agents, real releases and the starter as they ship: a good version takes over,
// goes on sharing and updating; one that does not come up, in whichever way, ends in the old one, which says so.
import { readdirSync, readFileSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { Status } from '@updraft/core/control/api'
import { type ControlClient, controlClient } from '@updraft/core/control/client'
import { homeOf } from '@updraft/core/control/home'
import type { Plugin } from 'esbuild'
import { openStage, type Stage } from '../../scripts/demo/stage.ts'
import { packageProgram, packageStarter } from '../../scripts/package.ts'
import { processesNaming } from '../support/processes.ts'
import { type Program, startProgram } from '../support/programs.ts'

const PRODUCT = 'updraft-agent'

let directory: string
let stage: Stage
let starter: string
/** Agents as files: the one of these sources, and one that knows a migration more, with which it comes up, or does not. */
let agents: { readonly plain: string; readonly newer: string; readonly broken: string }

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  const [plain, newer, broken] = await Promise.all([
    packageProgram('updraft-agent', join(directory, 'plain')),
    packageProgram('updraft-agent', join(directory, 'newer'), [withMigrations(TOMORROW)]),
    packageProgram('updraft-agent', join(directory, 'broken'), [
      withMigrations(TOMORROW, 'CREATE TABLE day_after (day TEXT) NONSENSE'),
    ]),
  ])
  agents = { plain, newer, broken }
  starter = await packageStarter(join(directory, 'starter'))
  stage = await openStage({ directory: join(directory, 's'), product: PRODUCT })
  await stage.init()
  await publish('1.0.0', await readFile(agents.plain, 'utf8'))
  await stage.startOrigin()
}, 120_000)

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  expect(processesNaming(directory)).toEqual([])
  await rm(directory, { recursive: true, force: true })
})

const TOMORROW = 'CREATE TABLE tomorrow (day TEXT) STRICT'

/** What the next versions of the agent add to its database. */
const withMigrations = (...sql: readonly string[]): Plugin => ({
  name: 'with-migration',
  setup: ({ onLoad }) => {
    onLoad({ filter: /store[/\\]schema\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8')
      const more = text.replace(/\n\]\n/, `\n${sql.map((each) => `  ${JSON.stringify(each)},\n`).join('')}]\n`)
      if (more === text) throw new Error('no list of migrations')
      return { contents: more, loader: 'ts' }
    })
  },
})

const publish = async (version: string, program: string): Promise<void> => {
  const build = join(directory, 'builds', version)
  await mkdir(build, { recursive: true })
  await writeFile(join(build, 'updraft-agent.mjs'), program)
  await stage.publish(build, version)
}

interface SelfUpdating extends AsyncDisposable {
  readonly home: string
  readonly client: ControlClient
  readonly starter: () => Program
  start(): void
  /** The starter anew, which gives versions so long to show that they are well. */
  restart(healthSeconds?: string): Promise<void>
  /** Resolves with the first status for which `holds`. */
  when(what: string, holds: (status: Status) => boolean): Promise<Status>
}

/** A machine whose agent runs below the starter, first from the outside, then as a product. */
const machine = async (name: string, starts = '2'): Promise<SelfUpdating> => {
  const agent = await stage.agent(name)
  let running: Program | undefined
  const stop = async () => {
    running?.child.kill('SIGTERM')
    await running?.ended
  }
  const start = (healthSeconds = '60') => {
    const waits = ['--health-seconds', healthSeconds, '--proving-seconds', '1', '--pause-seconds', '0']
    const options = ['--starts', starts, ...waits]
    const folder = join(agent.home, 'products', PRODUCT)
    running = startProgram(starter, [...options, '--fallback', agents.plain, folder, '--', 'run'], {
      environment: agent.environment,
    })
  }
  const status = () => agent.client.status().catch(() => undefined)
  start()
  return {
    home: agent.home,
    client: controlClient(homeOf(agent.environment).socketPath),
    starter: () => running as Program,
    start: () => start(),
    restart: async (healthSeconds) => {
      await stop()
      start(healthSeconds)
    },
    when: async (what, holds) => {
      const deadlineMs = Date.now() + 90_000
      for (let last = await status(); Date.now() < deadlineMs; last = await status()) {
        if (last !== undefined && holds(last)) return last
        await new Promise((resolve) => setTimeout(resolve, 50)) // Agents come and go: there is no one to listen to.
      }
      throw new Error(`${name}: not within 90 s: ${what}; ${JSON.stringify(await status())}`)
    },
    [Symbol.asyncDispose]: stop,
  }
}

const own = ({ products }: Status) => products.find(({ name }) => name === PRODUCT)
const isAt = (version: string) => (status: Status) =>
  own(status)?.installed?.version === version &&
  own(status)?.update?.state === 'committed' &&
  (own(status)?.seeding.releases ?? 0) > 0
const isLeft = (version: string) => (status: Status) =>
  own(status)?.update?.state === 'rolled-back' && own(status)?.bad?.some((mark) => mark.version === version) === true
const currentOf = ({ home }: SelfUpdating) => readlink(join(home, 'products', PRODUCT, 'current'))
const provedOf = async ({ home }: SelfUpdating) =>
  JSON.parse(await readFile(join(home, 'products', PRODUCT, 'starter.json'), 'utf8')).good

const CRASHES = 'process.stderr.write("cannot start\\n"); process.exit(7)\n'
const HANGS = "process.on('SIGTERM', () => {})\nsetInterval(() => {}, 1000)\n"

test('good versions take over, bad ones are left in whichever way they fail, and what is good goes on', async () => {
  await using one = await machine('a')
  const first = await one.when('the first version runs as a product', isAt('1.0.0'))
  const pid = first.agent.pid

  // (a) A good one takes over, with another database, and goes on sharing and updating.
  const before = await one.client.status()
  await publish('1.1.0', await readFile(agents.newer, 'utf8'))
  const second = await one.when('the next version has taken over', isAt('1.1.0'))
  expect(second.agent.pid).not.toBe(pid)
  expect(own(second)).toMatchObject({ update: { version: '1.1.0', state: 'committed' }, bad: [] })
  expect(second.cursor).toBeGreaterThan(before.cursor)
  const history = await one.client.history(PRODUCT)
  expect(history.updates[0]?.steps.map(({ state }) => state)).toEqual(
    expect.arrayContaining(['activating', 'probing', 'committed']),
  )
  while ((await provedOf(one)) !== '1.1.0') await new Promise((resolve) => setTimeout(resolve, 50))

  // (b), (c), (d): each ends in the old one, told, and not tried again until a newer one comes.
  const bad = [
    ['1.2.0', CRASHES, 'it ended with exit code 7'],
    ['1.3.0', HANGS, 'it gave no sign of good health within 2 s'],
    ['1.4.0', await readFile(agents.broken, 'utf8'), 'it ended with exit code 1'],
  ] as const
  for (const [version, program, why] of bad) {
    if (program === HANGS) await one.restart('2') // The others have all the time that they need.
    await publish(version, program)
    const status = await one.when(`${version} is left`, isLeft(version))
    if (program === HANGS) await one.restart()
    const reason = `the agent ${version} did not come up: ${why}, the last of 2 starts`
    expect(own(status)).toMatchObject({
      installed: { version: '1.1.0' },
      available: { version },
      update: { version, state: 'rolled-back', error: { code: 'PROBE_FAILED', detail: reason } },
      trust: { findings: [{ code: 'release-unhealthy', message: reason }] },
    })
    expect(own(status)?.bad?.at(-1)).toMatchObject({ version, by: 'start', reason })
    expect(await currentOf(one)).toBe('versions/1.1.0')
    const { agent, cursor } = await one.when('the old one runs', () => true)
    await one.client.check({ product: PRODUCT })
    for await (const { event } of one.client.events(cursor, { signal: AbortSignal.timeout(30_000) })) {
      if (event.kind === 'idle') break
    }
    expect((await one.client.status()).agent.pid).toBe(agent.pid) // It was looked at, and not tried again.
  }

  // What is newer is taken all the same.
  await publish('1.5.0', await readFile(agents.newer, 'utf8'))
  expect(own(await one.when('the next good one has taken over', isAt('1.5.0')))?.trust.findings).toEqual([])
  expect((await one.client.history(PRODUCT)).updates.map(({ version, state }) => `${version} ${state}`)).toEqual([
    '1.5.0 committed',
    '1.4.0 rolled-back',
    '1.3.0 rolled-back',
    '1.2.0 rolled-back',
    '1.1.0 committed',
    '1.0.0 committed',
  ])

  // By hand, and to one that does not know the newer one's tables.
  await one.client.rollback(PRODUCT, {})
  const back = await one.when(
    'the one before runs',
    (status) => isAt('1.1.0')(status) || own(status)?.update?.state === 'rolled-back',
  )
  expect(own(back)?.bad?.map(({ version }) => version)).toContain('1.5.0')
}, 240_000)

test('killed at each step of taking over, the new version runs in the end', async () => {
  await using one = await machine('b', '9')
  const newest = own(await one.when('something runs', (status) => own(status)?.installed !== undefined))?.available
    ?.version
  await one.when('the newest runs', isAt(newest ?? ''))
  while ((await provedOf(one)) !== newest) await new Promise((resolve) => setTimeout(resolve, 50))
  await publish('2.0.0', await readFile(agents.newer, 'utf8'))
  const record = () => readFile(join(one.home, 'products', PRODUCT, 'starter.json'), 'utf8')
  const steps: readonly (readonly [what: string, isReached: () => Promise<boolean>])[] = [
    ['it is in place', async () => (await currentOf(one)) === 'versions/2.0.0'],
    ['it is tried', async () => (await record()).includes('"trying":"2.0.0"')],
    ['it answers', async () => (await one.client.status().catch(() => undefined))?.agent !== undefined],
    [
      'it is committed',
      async () => isAt('2.0.0')(await one.client.status().catch(() => ({ products: [] }) as object as Status)),
    ],
  ]
  for (const [what, isReached] of steps) {
    const deadlineMs = Date.now() + 60_000
    while (!(await isReached())) {
      if (Date.now() > deadlineMs) throw new Error(`not within 60 s: ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    one.starter().child.kill('SIGKILL')
    await one.starter().ended
    for (const pid of agentsOf(one.home)) process.kill(pid, 'SIGKILL')
    one.start()
  }
  const status = await one.when('the new one runs', isAt('2.0.0'))
  expect(own(status)?.bad).toEqual([])
  while ((await provedOf(one)) !== '2.0.0') await new Promise((resolve) => setTimeout(resolve, 50))
}, 240_000)

/** Processes that the starter of this home has started. */
const agentsOf = (home: string): readonly number[] =>
  readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((pid) => {
      try {
        const below = `UPDRAFT_STARTED_BELOW=${join(home, 'products', PRODUCT)}\0`
        return readFileSync(`/proc/${pid}/environ`, 'utf8').includes(below) ? [Number(pid)] : []
      } catch {
        return [] // It has ended, or belongs to somebody else.
      }
    })
