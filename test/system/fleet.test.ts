// Thirty real agents through three releases. The second one is bad: its probe fails on every third machine. It is staged at
// 10 %, and withdrawn by `yank`. Who saw it are the machines of its first 10 % and nobody else, and all end on the third. Takes 50 s of
// processor time, most of it for starting thirty agents.
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { cohortOf } from '@updraft/agent/plan/rollout'
import type { ProductStatus } from '@updraft/core/control/api'
import { parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { digestOfTree } from '../../scripts/demo/build.ts'
import { runForJson } from '../../scripts/demo/program.ts'
import { changeSettings, openStage, type Stage, type StageAgent } from '../../scripts/demo/stage.ts'
import { look } from '../support/looking.ts'
import { processesNaming } from '../support/processes.ts'
import { makeSmallBuild, pseudoText } from '../support/small-build.ts'

const MACHINES = 30
const [GOOD, BAD, BETTER] = ['1.0.0', '1.1.0', '1.2.0'] as const
/** 10 % in the cohorts of a rollout. */
const FIRST = 1_000
const WAIT_MS = 200_000

let directory: string
let stage: Stage
const digests: Record<string, string> = {}
const machines: Machine[] = []

interface Machine {
  readonly agent: StageAgent
  readonly id: string
  /** The bad release does not work here. */
  readonly isWeak: boolean
}

const publisher = (command: string, ...args: string[]): Promise<unknown> =>
  runForJson('updraft-publisher', [command, ...args, '--repo', stage.repository])

/** The program is its own probe: it does not work where there is a file `weak` in the folder that it is told. */
const publish = async (version: string, ...options: string[]): Promise<void> => {
  const build = await makeSmallBuild(join(directory, version), Number(version.replaceAll('.', '')))
  await writeFile(join(build, 'lib/large.txt'), pseudoText(600_000, Number(version.replaceAll('.', '')) + 1))
  await writeFile(join(build, 'bin/probe'), version === BAD ? '#!/bin/sh\ntest ! -e "$1/weak"\n' : '#!/bin/sh\n')
  await chmod(join(build, 'bin/probe'), 0o755)
  digests[version] = await digestOfTree(build)
  await publisher('publish', build, '--product', 'acme', '--version', version, ...options)
}

const isFirst = (id: string, version: string): boolean =>
  cohortOf(id, { product: parseProduct('acme'), version: parseReleaseVersion(version) }) < FIRST

/** Three of the thirty are in the first 10 % of the bad release; of those one is weak, as of all machines every third. */
const machineIds = (): readonly string[] => {
  const ids = Array.from({ length: 1_000 }, (_, number) => number.toString(16).padStart(64, '0'))
  const first = ids.filter((id) => isFirst(id, BAD)).slice(0, MACHINES / 10)
  return [...first, ...ids.filter((id) => !isFirst(id, BAD)).slice(0, MACHINES - first.length)]
}

const openMachine = async (id: string, number: number): Promise<Machine> => {
  const agent = await stage.agent(`m${number}`)
  const probe = { command: ['bin/probe', agent.home], attempts: 1 }
  await changeSettings(agent, (text) =>
    text
      .replace('"checkIntervalSeconds": 2', '"checkIntervalSeconds": 86400')
      .replace('"source": "demo"', `"source": "demo", "probe": ${JSON.stringify(probe)}`),
  )
  await writeFile(join(agent.home, 'state', 'machine-id'), `${id}\n`, { mode: 0o600 })
  const isWeak = number % 3 === 0
  if (isWeak) await writeFile(join(agent.home, 'weak'), '')
  await agent.start()
  await agent.whenInstalled(GOOD, { timeoutMs: WAIT_MS })
  return { agent, id, isWeak }
}

/** Every machine looks once, and has installed or left what it wants when this resolves. */
const lookAll = (): Promise<readonly ProductStatus[]> =>
  Promise.all(machines.map(({ agent }) => look(agent, 'acme', WAIT_MS)))

const installedOn = (statuses: readonly ProductStatus[], version: string): readonly number[] =>
  statuses.flatMap(({ installed }, number) => (installed?.version === version ? [number] : []))

const numbersOf = (holds: (machine: Machine) => boolean): readonly number[] =>
  machines.flatMap((machine, number) => (holds(machine) ? [number] : []))

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  await mkdir(join(directory, 's'))
  stage = await openStage({ directory: join(directory, 's'), product: 'acme' })
  await stage.init()
  await publish(GOOD)
  await stage.startOrigin()
  // A few at a time: what takes a processor here is starting, not updating.
  const waiting = [...machineIds().entries()]
  const openSome = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [number, id] = next
      machines[number] = await openMachine(id, number)
    }
  }
  await Promise.all(Array.from({ length: 4 }, openSome))
}, 300_000)

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  expect(processesNaming(directory)).toEqual([])
  await rm(directory, { recursive: true, force: true })
})

test('a bad release that is staged at 10 % is seen by those machines only, and none keeps it once it is withdrawn', async () => {
  await publish(BAD, '--rollout', '10%')
  const staged = await lookAll()
  const seen = numbersOf(({ id }) => isFirst(id, BAD))
  expect(seen).toHaveLength(MACHINES / 10)
  expect(installedOn(staged, BAD)).toEqual(seen.filter((number) => machines[number]?.isWeak === false))
  // Where it does not work it was left again at once, by the machine itself.
  const left = staged.flatMap(({ update }, number) => (update?.state === 'rolled-back' ? [number] : []))
  expect(left).toEqual(seen.filter((number) => machines[number]?.isWeak))
  expect(left.length).toBeGreaterThan(0)

  await publisher('yank', 'acme', BAD, '--instead', GOOD, '--reason', 'does not start on some machines')
  expect(installedOn(await lookAll(), GOOD)).toHaveLength(MACHINES)
}, 240_000)

test('the release after it reaches its first 10 %, then everybody, and nobody is stuck', async () => {
  await publish(BETTER, '--rollout', '10%')
  expect(installedOn(await lookAll(), BETTER)).toEqual(numbersOf(({ id }) => isFirst(id, BETTER)))
  await publisher('rollout', 'acme', BETTER, '100%')
  const statuses = await lookAll()
  expect(installedOn(statuses, BETTER)).toHaveLength(MACHINES)
  expect(statuses.flatMap(({ trust }) => trust.findings)).toEqual([])
  for (const { agent } of machines) {
    expect(await digestOfTree(agent.installedPath)).toBe(digests[BETTER])
    expect(await readdir(join(agent.home, 'staging'))).toEqual([])
  }
}, 240_000)

test('what each machine remembers says the same, and how little the origin had to send', async () => {
  const histories = await Promise.all(machines.map(({ agent }) => agent.client.history('acme')))
  const tried = (version: string) =>
    histories.flatMap(({ updates }, number) => (updates.some((update) => update.version === version) ? [number] : []))
  expect(tried(BAD)).toEqual(numbersOf(({ id }) => isFirst(id, BAD)))
  expect([tried(GOOD), tried(BETTER)].map(({ length }) => length)).toEqual([MACHINES, MACHINES])
  expect(histories.flatMap(({ updates }) => updates).filter(({ state }) => state === 'failed')).toEqual([])

  for (const version of [GOOD, BAD, BETTER]) {
    const updates = histories.flatMap(({ updates }) => updates.filter((update) => update.version === version))
    const sum = (from: 'origin' | 'peers') => updates.reduce((bytes, update) => bytes + update.bytes[from], 0)
    process.stderr.write(
      `fleet: ${version}: ${tried(version).length} of ${MACHINES} machines; ${sum('origin')} bytes from the origin, ${sum('peers')} from peers\n`,
    )
    expect(sum('origin')).toBeGreaterThan(0)
  }
}, 60_000)
