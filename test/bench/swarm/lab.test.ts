// The parts of the lab (`npm run bench:swarm`): its bound, its options, its table, and one tiny scenario in real namespaces.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { isUpdateError } from '@updraft/core/errors'
import { PROJECT } from '../../../scripts/steps.ts'
import { describeWith, needsProgram, needsRoot } from '../../support/needs.ts'
import { NODE } from '../processes.ts'
import { quantile } from '../samples.ts'
import { fluidBoundSeconds } from './bound.ts'
import { parseOptions } from './options.ts'
import type { RaceFigures } from './race.ts'
import { describeScenario, formatTable, type Row, rowOf } from './table.ts'

const scenarioOf = (...args: readonly string[]) => parseOptions(args).scenario
const MIB_BITS = 8 * 1024 * 1024

describe('the fluid lower bound', () => {
  const bound = (...args: readonly string[]): number => fluidBoundSeconds(scenarioOf(...args))

  test.each([
    ['the origin sends everything once', ['--size=64', '--agents=8'], (64 * MIB_BITS) / 50e6],
    ['an agent receives everything once', ['--size=64', '--down=20'], (64 * MIB_BITS) / 20e6],
    ['all together send everything to each', ['--agents=8', '--up=10'], (8 * 64 * MIB_BITS) / 130e6],
    ['seeds send as the origin does', ['--seeds=2', '--down=1000', '--agents=2'], (64 * MIB_BITS * 2) / 250e6],
    ['without peers the origin sends to each', ['--http-only', '--agents=8'], (8 * 64 * MIB_BITS) / 50e6],
    ['a fifth of the speeds takes five times as long', ['--scale=0.2'], (5 * 64 * MIB_BITS) / 50e6],
    ['a LAN gets one copy over its uplink', ['--groups=2'], (64 * MIB_BITS) / 20e6],
    ['who is late still receives everything', ['--late=1', '--late-after=60'], 60 + (64 * MIB_BITS) / 100e6],
  ])('%s', (_rule, args, seconds) => {
    expect(bound(...args)).toBeCloseTo(seconds, 6)
  })
})

describe('options', () => {
  const faultOf = (...args: readonly string[]): string => {
    try {
      parseOptions(args)
    } catch (error) {
      return isUpdateError(error) && error.code === 'USAGE' ? error.message : String(error)
    }
    return 'none'
  }

  test('are those of the issue if none are given', () => {
    const { scenario, runs, contestants } = parseOptions([])
    expect(scenario).toMatchObject({ agents: 8, sizeBytes: 64 * 1024 * 1024, pieceLength: 64 * 1024 })
    expect(scenario).toMatchObject({ origin: { up: 50e6 }, link: { up: 50e6, down: 100e6 }, churn: 0 })
    expect([runs, contestants]).toEqual([1, ['updraft', 'libtorrent', 'aria2', 'http']])
  })

  test.each([
    ['--agents=none', /--agents is a whole number from 1 to 64, not none/],
    ['--agents=1.5', /--agents is a whole number/],
    ['--churn=101', /--churn is a number from 0 to 100, not 101/],
    ['--up=-1', /--up|argument/],
    ['--piece-length=48', /--piece-length is a power of two/],
    ['--late=8', /--late 8 leaves no agent/],
    ['--groups=9', /--groups 9 leaves groups without an agent/],
    ['--only=updraft,bittyrant', /--only takes .*, not bittyrant/],
    ['--speed=3', /--speed/],
    ['surplus', /surplus/],
  ])('%s is refused', (argument, fault) => {
    expect(faultOf(argument)).toMatch(fault)
  })

  test('are refused together, each with its value', () => {
    expect(faultOf('--agents=0', '--runs=x', '--http-only', '--seeds=1').split('; ')).toHaveLength(3)
  })
})

describe('the table', () => {
  const agent = (seconds: number | undefined) => ({
    address: '10.77.1.1',
    seconds,
    restarts: 0,
    linkReceivedBytes: 0,
    cpuSeconds: 2,
    peakBytes: 1024 * 1024,
  })
  const run = (seconds: number, ...each: readonly (number | undefined)[]): RaceFigures => ({
    seconds,
    originSentBytes: 64 * 1024 * 1024 * 1.5,
    seedsSentBytes: 0,
    uplinkReceivedBytes: [],
    agents: each.map(agent),
  })
  const row = (...runs: readonly RaceFigures[]): Row => rowOf('updraft', runs, scenarioOf(), 10)

  test('has medians of the runs as ratios to the bound', () => {
    const { timeToBound, originSentToSize, p50Seconds, p99Seconds, cpuSecondsPerAgent, receivedToSize } = row(
      run(12, 11, 12),
      run(30, 20, 30),
      run(11, 10, 11),
    )
    expect([timeToBound, originSentToSize, p50Seconds, p99Seconds]).toEqual([1.2, 1.5, 11, 12])
    expect([cpuSecondsPerAgent, receivedToSize]).toEqual([2, undefined])
  })

  test('says of an agent that did not finish that it never did', () => {
    const text = formatTable([row(run(Number.POSITIVE_INFINITY, 10, undefined))])
    expect(text).toMatch(/updraft +never +never +never +10\.0 +never +never/)
    expect(text).not.toContain('received')
  })

  test('quantiles are values that were measured', () => {
    expect([0.5, 0.99, 1].map((share) => quantile([4, 1, 3, 2], share))).toEqual([2, 4, 4])
  })

  test('the line above it says what was run', () => {
    expect(describeScenario(scenarioOf('--poisoners=3', '--churn=20', '--scale=0.2'))).toBe(
      '8 agents with 10 up and 20 down, origin 10 Mbit/s, 64 MiB in pieces of 64 KiB, 3 poisoners, 20 % killed once',
    )
  })
})

const lab = (...args: readonly string[]) => [join(PROJECT, 'test/bench/swarm.bench.ts'), ...args]

test('an option that is wrong ends it with 2 and makes nothing', () => {
  const { status, stderr } = spawnSync(NODE[0], lab('--agents=0'), { encoding: 'utf8' })
  expect([status, stderr]).toEqual([2, expect.stringContaining('--agents is a whole number from 1 to 64, not 0')])
})

describeWith([needsRoot, needsProgram('ip'), needsProgram('tc')], 'in network namespaces', () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'updraft-lab-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))
  const namespacesOf = (pid: number | undefined): readonly string[] =>
    spawnSync('ip', ['netns', 'list'], { encoding: 'utf8' })
      .stdout.split('\n')
      .filter((line) => line.startsWith(`updraft-lab-${pid}-`))

  test('three agents with a poisoner, one killed and started again, end with the same bytes, and nothing is left', async () => {
    const json = join(folder, 'figures.json')
    const scenario = ['--agents=3', '--size=1', '--scale=0.4', '--churn=34', '--poisoners=1', '--dead=1']
    const child = spawn(NODE[0], lab(...scenario, '--only=updraft', `--json=${json}`), { stdio: 'ignore' })
    const [code] = await once(child, 'exit')
    expect(code).toBe(0)
    const { rows, races, boundSeconds } = JSON.parse(await readFile(json, 'utf8'))
    expect(rows).toMatchObject([{ name: 'updraft' }])
    expect(rows[0].seconds).toBeGreaterThan(boundSeconds)
    // The links count what was really sent: everything once at least, and not more often than there are agents and a restart.
    expect(rows[0].originSentToSize).toBeGreaterThan(1)
    expect(rows[0].originSentToSize).toBeLessThan(5)
    expect(races.updraft[0].poisoners).toMatchObject({ stillConnected: 0 })
    const agents: readonly { restarts: number; cpuSeconds: number; peakBytes: number }[] = races.updraft[0].agents
    expect(agents.map(({ restarts }) => restarts)).toEqual([1, 0, 0])
    for (const { cpuSeconds, peakBytes } of agents) expect(Math.min(cpuSeconds, peakBytes)).toBeGreaterThan(0)
    expect(namespacesOf(child.pid)).toEqual([])
  })

  test('of two LANs, each brings in less than two copies for its three agents', async () => {
    const json = join(folder, 'lans.json')
    const child = spawn(
      NODE[0],
      lab('--agents=6', '--groups=2', '--size=1', '--scale=0.4', '--only=updraft', `--json=${json}`),
      {
        stdio: 'ignore',
      },
    )
    expect((await once(child, 'exit'))[0]).toBe(0)
    const { rows } = JSON.parse(await readFile(json, 'utf8'))
    expect(rows[0].uplinkToSize).toBeGreaterThan(0.95)
    expect(rows[0].uplinkToSize).toBeLessThan(2)
  })

  test('interrupted, it takes everything down and says so', async () => {
    const child = spawn(NODE[0], lab('--agents=2', '--size=64', '--scale=0.1', '--only=updraft'), {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let said = ''
    child.stderr?.on('data', (bytes: Buffer) => {
      said += bytes
    })
    while (namespacesOf(child.pid).length < 4) await new Promise((resolve) => setTimeout(resolve, 20))
    child.kill('SIGINT')
    const [code] = await once(child, 'exit')
    expect([code, said]).toEqual([130, expect.stringContaining('SIGINT: everything is taken down')])
    expect(namespacesOf(child.pid)).toEqual([])
  })
})
