// What a publisher signs and an owner wants, against real agents: a staged rollout reaches one machine before the other, a yank
// brings both back, and its end brings them forward, holds and approvals wait for their person, and a time that was named is kept.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { cohortOf } from '@updraft/agent/plan/rollout'
import { openStore } from '@updraft/agent/store'
import type { ProductStatus } from '@updraft/core/control/api'
import { parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { digestOfTree } from '../../scripts/demo/build.ts'
import { runForJson } from '../../scripts/demo/program.ts'
import { changeSettings, openStage, type Stage, type StageAgent } from '../../scripts/demo/stage.ts'
import { whenDecided } from '../support/looking.ts'
import { processesNaming } from '../support/processes.ts'
import { makeSmallBuild } from '../support/small-build.ts'

let directory: string
let stage: Stage
let early: StageAgent
let late: StageAgent
const digests: Record<string, string> = {}

const publisher = (command: string, ...args: string[]): Promise<unknown> =>
  runForJson('updraft-publisher', [command, ...args, '--repo', stage.repository])

const publish = async (version: string, ...options: string[]): Promise<void> => {
  const build = await makeSmallBuild(join(directory, version), Number(version.replaceAll('.', '')))
  digests[version] = await digestOfTree(build)
  await publisher('publish', build, '--product', 'acme', '--version', version, ...options)
}

/** The first id whose cohorts for both releases are such. */
const machineIdWith = (holds: (cohort: number) => boolean): string => {
  const cohorts = (id: string) =>
    ['1.1.0', '1.3.0'].map((version) =>
      cohortOf(id, { product: parseProduct('acme'), version: parseReleaseVersion(version) }),
    )
  for (let number = 0; ; number += 1) {
    const id = number.toString(16).padStart(64, '0')
    if (cohorts(id).every(holds)) return id
  }
}

const openAgent = async (name: string, holds: (cohort: number) => boolean): Promise<StageAgent> => {
  const agent = await stage.agent(name)
  await writeFile(join(agent.home, 'state', 'machine-id'), `${machineIdWith(holds)}\n`, { mode: 0o600 })
  await agent.start()
  await agent.whenInstalled('1.0.0')
  return agent
}

const isRefused =
  (rule: string, version: string) =>
  ({ available, decision }: ProductStatus): boolean =>
    available?.version === version && decision.some((said) => said.rule === rule && !said.passed)

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  stage = await openStage({ directory: join(directory, 's'), product: 'acme' })
  await stage.init()
  await publish('1.0.0')
  await stage.startOrigin()
  early = await openAgent('early', (cohort) => cohort < 1_000)
  late = await openAgent('late', (cohort) => cohort >= 1_000)
}, 60_000)

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  expect(processesNaming(directory)).toEqual([])
  await rm(directory, { recursive: true, force: true })
})

test('10 % of a rollout reach one machine; the other waits, and why says until when', async () => {
  await publish('1.1.0', '--rollout', '10%', '100%@2h')
  await early.whenInstalled('1.1.0')
  const waiting = await whenDecided(late, isRefused('rollout', '1.1.0'))
  expect(waiting.installed?.version).toBe('1.0.0')
  const { stdout } = await late.run(['why', 'acme'])
  expect(stdout).toMatch(
    /^ {2}NO {3}rollout: 1\.1\.0 is open to 10 % of machines; this one is at [\d.]+ %, and is let in at .+ UTC; looked at again in 1 h \(/m,
  )
}, 60_000)

test('at 100 % it reaches both', async () => {
  await publisher('rollout', 'acme', '1.1.0', '100%')
  await late.whenInstalled('1.1.0')
  expect(await digestOfTree(late.installedPath)).toBe(digests['1.1.0'])
}, 60_000)

const floorsOf = ({ home }: StageAgent) => {
  using store = openStore(join(home, 'state'), { readOnly: true })
  return store.floors.read('demo')
}

test('a yank brings both back to the older version, which is shared again; no floor sinks', async () => {
  const agents = [early, late]
  const before = agents.map(floorsOf)
  const cursors = await Promise.all(agents.map(async (agent) => (await agent.client.status()).cursor))
  await publisher('yank', 'acme', '1.1.0', '--instead', '1.0.0', '--reason', 'loses settings')
  for (const [index, agent] of agents.entries()) {
    await agent.whenInstalled('1.0.0')
    expect(await digestOfTree(agent.installedPath)).toBe(digests['1.0.0'])
    const status = await whenDecided(agent, ({ trust }) => trust.findings.length === 0)
    expect(status).toMatchObject({ installed: { version: '1.0.0' }, available: { version: '1.0.0' } })
    const { stdout } = await agent.run(['events', '--after', String(cursors[index]), '--json'])
    expect(stdout).toContain('"code":"release-yanked"')
    expect(stdout).toMatch(/1\.1\.0 was withdrawn at .+ UTC: loses settings/)
    for (const [role, version] of Object.entries(before[index] ?? {})) {
      expect(floorsOf(agent)[role]).toBeGreaterThanOrEqual(version)
    }
  }
}, 60_000)

test('a yank that is taken back brings it to them again, but for a machine that has left it for reasons of its own', async () => {
  await publisher('yank', 'acme', '1.1.0', '--undo')
  for (const agent of [early, late]) {
    await agent.whenInstalled('1.1.0')
    expect(await digestOfTree(agent.installedPath)).toBe(digests['1.1.0'])
  }
  expect((await late.run(['rollback', 'acme'])).exitCode).toBe(0)
  const left = await whenDecided(late, isRefused('bad-mark', '1.1.0'))
  expect(left).toMatchObject({ installed: { version: '1.0.0' }, trust: { findings: [] } })
}, 60_000)

test('a held machine stays until it is let go; one that asks its owner waits for the approval', async () => {
  expect((await early.run(['hold', 'acme', '3d'])).exitCode).toBe(0)
  await changeSettings(late, (text) => text.replace('"source": "demo"', '"source": "demo", "approval": "required"'))
  await publish('1.2.0')
  const held = await whenDecided(early, isRefused('not-held', '1.2.0'))
  await whenDecided(late, isRefused('approved', '1.2.0'))
  expect(held.installed?.version).toBe('1.1.0')
  expect((await late.run(['why', 'acme'])).stdout).toContain('waits for: updraft-agent approve acme 1.2.0')

  expect((await early.run(['unhold', 'acme'])).stdout).toBe('acme is no longer held\n')
  await early.whenInstalled('1.2.0')
  expect((await late.run(['approve', 'acme'])).stdout).toBe('acme 1.2.0 is approved\n')
  await late.whenInstalled('1.2.0')
}, 60_000)

test('the scheduler wakes when a rule said so, long before the next regular look', async () => {
  await changeSettings(late, (text) =>
    text
      .replace('"approval": "required"', '"approval": "automatic"')
      .replace('"checkIntervalSeconds": 2', '"checkIntervalSeconds": 60'),
  )
  const askLate = async (holds: (status: ProductStatus) => boolean) => {
    await late.client.check({ product: 'acme' })
    return await whenDecided(late, (status) => isRefused('rollout', '1.3.0')(status) && holds(status))
  }
  await publish('1.3.0', '--rollout', '0%')
  const beganMs = performance.now()
  await publisher('rollout', 'acme', '1.3.0', '1%')
  await askLate(({ decision }) => decision.some(({ detail }) => detail.includes('open to 1 %')))
  // The same once more, and with time to spare on a machine that is busy.
  const opensInMs = Math.max(12_000, 4 * (performance.now() - beganMs))
  const opensAt = new Date(Date.now() + opensInMs)
  await publisher('rollout', 'acme', '1.3.0', '1%', `100%@${opensAt.toISOString()}`)
  const hasAppointment = ({ nextCheckAt }: ProductStatus) => Date.parse(nextCheckAt ?? '') >= opensAt.getTime()
  const waiting = await askLate(hasAppointment)
  expect(Date.parse(waiting.nextCheckAt ?? '')).toBeLessThanOrEqual(opensAt.getTime() + 6_100)
  await late.whenInstalled('1.3.0', { timeoutMs: opensInMs + 18_000 })
}, 120_000)

test('a hold that comes while an update is fetched keeps it from being put in place; it waits, and goes on from there', async () => {
  await early.whenInstalled('1.3.0')
  await changeSettings(early, (text) => text.replace('"network": {', '"network": { "downloadLimitBytes": 8192,'))
  await early.client.check({ product: 'acme' }) // For which it reads the settings first.
  const signal = AbortSignal.timeout(50_000)
  const { cursor } = await early.client.status({ signal })
  await publish('1.4.0')
  const states: string[] = []
  for await (const { event } of early.client.events(cursor, { signal })) {
    if (event.kind !== 'update' || event.update.version !== '1.4.0') continue
    if (states.length === 0) await early.client.wish('acme', { kind: 'hold' })
    if (states.at(-1) !== event.update.state) states.push(event.update.state)
    if (event.update.state === 'waiting') break
  }
  expect(states).toEqual(['downloading', 'verifying', 'waiting'])
  const waiting = await whenDecided(early, isRefused('not-held', '1.4.0'))
  expect(waiting).toMatchObject({ installed: { version: '1.3.0' }, update: { version: '1.4.0', state: 'waiting' } })
  expect(await digestOfTree(early.installedPath)).toBe(digests['1.3.0'])
  await early.run(['unhold', 'acme'])
  const update = await early.whenInstalled('1.4.0')
  // The same update went on, and nothing was fetched a second time.
  expect(update).toMatchObject({ startedAt: waiting.update?.startedAt, bytes: { peers: 0, origin: 0 } })
}, 90_000)
