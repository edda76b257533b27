// The agent's commands that only look, as processes: what they tell of a running agent, and of one that does not run.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { controlClient } from '@updraft/core/control/client'
import { parseExposition } from '../support/exposition.ts'
import { type TemporaryHome, temporaryHome } from '../support/fake-agent-parts.ts'
import { processesNaming } from '../support/processes.ts'
import { type Ended, type Program, runToEnd, startProgram } from '../support/programs.ts'

const PROGRAM = join(import.meta.dirname, '../support/fake-agent.ts')
const SCHEMA = join(import.meta.dirname, '../../agent/agent.schema.json')

let home: TemporaryHome

beforeEach(() => {
  home = temporaryHome()
})
afterEach(() => {
  expect(processesNaming(home.root)).toEqual([])
  home[Symbol.dispose]()
})

const environment = (cycle: string) => ({ UPDRAFT_HOME: home.root, FAKE_CYCLE: cycle })
const run = (args: readonly string[], cycle = '1.0.0'): Promise<Ended> =>
  runToEnd(PROGRAM, args, { environment: environment(cycle) })
const start = (args: readonly string[], cycle = '1.0.0'): Program =>
  startProgram(PROGRAM, args, { environment: environment(cycle) })
const runningAgent = async (cycle?: string): Promise<Program> => {
  const agent = start(['run'], cycle)
  await agent.said('runs on')
  return agent
}

describe('every command that looks', () => {
  test.each(['why', 'history', 'events', 'settings schema', 'doctor', 'rollback', 'retry'])(
    '%s --help shows an example',
    async (command) => {
      const { code, stdout } = await run([...command.split(' '), '--help'])
      expect(code).toBe(0)
      expect(stdout).toMatch(/^ {2}\$ updraft-agent /m)
    },
  )

  test.each([
    [
      'why of a product that is not there',
      ['why', 'ghost'],
      3,
      'product ghost is neither in the settings nor installed',
    ],
    ['history of a product that is not there', ['history', 'ghost'], 3, 'product ghost is neither'],
    ['a name that is none', ['why', 'A B'], 2, 'product name "A B" is not allowed'],
    ['a limit that is none', ['history', '--limit', 'many'], 2, 'limit "many" is not a count'],
    ['a cursor that is none', ['events', '--after', 'now'], 2, 'cursor "now" is not a number'],
    ['following an agent that does not run', ['events', '--follow'], 9, 'no agent answers'],
    ['a rollback without an agent', ['rollback', 'acme'], 9, 'no agent answers'],
    ['a rollback to what is no version', ['rollback', 'acme', 'v1'], 2, 'version "v1" is not a semver version'],
    ['another try without an agent', ['retry', 'acme'], 9, 'no agent answers'],
  ] as const)('refuses %s', async (_, args, code, says) => {
    const ended = await run(args)
    expect(ended.code).toBe(code)
    expect(ended.stderr).toContain(says)
  })
})

describe('why', () => {
  test('shows the rules, of a running agent with the next look, and without one ends with 9', async () => {
    await run(['install', 'acme'])
    const offline = await run(['why', 'acme'])
    expect(offline.code).toBe(9)
    expect(offline.stdout).toContain('next look  when the agent runs again')
    await using _agent = await runningAgent()
    await run(['install', 'acme'])
    const { code, stdout } = await run(['why', 'acme'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^acme: up to date$/m)
    expect(stdout).toMatch(/^ {2}next look {2}in \d+ (min|h) \(/m)
    expect(stdout).toMatch(/^ {2}NO {3}newer: 1\.0\.0 is installed$/m)
    expect(JSON.parse((await run(['why', 'acme', '--json'])).stdout)).toMatchObject({
      running: true,
      product: { name: 'acme', decidedAt: expect.any(String), nextCheckAt: expect.any(String) },
      source: { name: 'main' },
    })
  })
})

describe('history', () => {
  test('is the same with and without a running agent', async () => {
    expect(await run(['history'])).toMatchObject({ code: 0, stdout: 'No update has been tried yet.\n' })
    await run(['install', 'acme'])
    await run(['install', 'acme'], '1.1.0')
    const offline = await run(['history', 'acme', '--json'])
    expect(offline.code).toBe(0)
    expect(JSON.parse(offline.stdout)).toMatchObject({
      histories: [
        {
          product: 'acme',
          updates: [
            { version: '1.1.0', state: 'committed', bytes: { peers: 60, origin: 40, reused: 100 } },
            { version: '1.0.0', state: 'committed' },
          ],
        },
      ],
    })
    await using _agent = await runningAgent('1.1.0')
    expect((await run(['history', 'acme', '--json'])).stdout).toBe(offline.stdout)
    expect((await run(['history', '--limit', '1'])).stdout.trim().split('\n')).toHaveLength(2)
  })
})

test('a rollback that has nowhere to go ends with 3, and so does one of an unknown product', async () => {
  await using _agent = await runningAgent()
  await run(['install', 'acme'])
  const nowhere = await run(['rollback', 'acme'])
  expect(nowhere.code).toBe(3)
  expect(nowhere.stderr).toContain('of acme, there is nothing to go back to from 1.0.0 on this machine')
  expect(await run(['rollback', 'acme', '0.9.0'])).toMatchObject({ code: 3 })
  expect(await run(['rollback', 'acme', '1.0.0'])).toMatchObject({ code: 2 })
  expect(await run(['rollback', 'ghost'])).toMatchObject({ code: 3 })
  expect(await run(['retry', 'ghost'])).toMatchObject({ code: 3 })
  expect((await run(['retry', 'acme'])).stdout).toBe('nothing of acme was marked bad; it is looked at now\n')
  expect(JSON.parse((await run(['retry', 'acme', '--json'])).stdout)).toEqual({ product: 'acme', lifted: [] })
})

test('metrics of a running agent tell what it installed, from where, and what it costs', async () => {
  await using _agent = await runningAgent()
  await run(['install', 'acme'])
  const text = await new Promise<string>((resolve, reject) => {
    const options = { socketPath: home.socketPath, path: '/metrics', headers: { host: 'localhost' }, agent: false }
    request(options, (response) => response.toArray().then((parts) => resolve(Buffer.concat(parts).toString()), reject))
      .on('error', reject)
      .end()
  })
  const { valueAt } = parseExposition(text)
  expect(valueAt('updraft_transferred_bytes_total', { product: 'acme', from: 'peers' })).toBe(60)
  expect(valueAt('updraft_update_state', { product: 'acme', state: 'committed' })).toBe(1)
  expect(valueAt('updraft_product_current', { product: 'acme' })).toBe(1)
  expect(valueAt('updraft_source_last_check_success', { source: 'main' })).toBe(1)
  expect(valueAt('updraft_metadata_expiry_timestamp_seconds', { source: 'main', role: 'timestamp' })).toBeGreaterThan(0)
  expect(valueAt('process_resident_memory_bytes')).toBeGreaterThan(10_000_000)
  expect(valueAt('process_cpu_seconds_total')).toBeGreaterThan(0)
})

test('settings schema prints the schema, whose name agent.json may say, and touches nothing', async () => {
  const { code, stdout } = await run(['settings', 'schema'])
  expect(code).toBe(0)
  expect(JSON.parse(stdout)).toEqual(JSON.parse(readFileSync(SCHEMA, 'utf8')))
  expect(readdirSync(home.root)).toEqual([])
  writeFileSync(join(home.root, 'agent.json'), '{"$schema": "./agent.schema.json"}')
  expect(await run(['status'])).toMatchObject({ code: 9, stderr: '' })
})

describe('doctor', () => {
  test('finds a machine with a running agent healthy, and changes nothing', async () => {
    mkdirSync(join(home.root, 'products/acme/current'), { recursive: true })
    await using _agent = await runningAgent()
    await run(['install', 'acme'])
    const { code, stdout, stderr } = await run(['doctor', '--json'])
    expect([code, stderr]).toEqual([0, ''])
    const { healthy, checks } = JSON.parse(stdout)
    expect(healthy).toBe(true)
    expect(checks.filter(({ level }: { level: string }) => level !== 'ok')).toEqual([])
    expect(await run(['doctor'])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ok {6}agent: version /m) })
  })

  test('without an agent ends with 9, creates nothing, and says what to do', async () => {
    const { code, stdout } = await run(['doctor'])
    expect(code).toBe(9)
    expect(stdout).toContain('no agent is running\n        hint: start it with: updraft-agent run')
    expect(readdirSync(home.root)).toEqual([])
  })

  test('tells every fault at once, and ends with the code of the first', async () => {
    const inTheWay = createServer().listen(0)
    await new Promise((resolve) => inTheWay.once('listening', resolve))
    const { port } = inTheWay.address() as AddressInfo
    mkdirSync(home.stateDirectory)
    writeFileSync(join(home.stateDirectory, 'agent.db'), 'torn')
    writeFileSync(join(home.root, 'agent.json'), `{"network": {"port": ${port}}}`)
    const { code, stdout } = await run(['doctor', '--json'])
    await new Promise((resolve) => inTheWay.close(resolve))
    expect(code).toBe(8)
    const wrong = JSON.parse(stdout).checks.filter(({ level }: { level: string }) => level === 'error')
    expect(wrong.map(({ name }: { name: string }) => name)).toEqual(['store', 'agent', 'port'])
    expect(readFileSync(join(home.stateDirectory, 'agent.db'), 'utf8')).toBe('torn')
  })

  test('says where settings are malformed, and looks at the rest all the same', async () => {
    await run(['install', 'acme'])
    writeFileSync(join(home.root, 'agent.json'), '{"products": []}')
    const { code, stdout } = await run(['doctor'])
    expect(code).toBe(2)
    expect(stdout).toMatch(/^ERROR {3}settings: .*agent\.json:1:14: /m)
    expect(stdout).toMatch(/^ERROR {3}store: .*current is recorded but not there$/m)
  })
})

describe('events', () => {
  test('are the same with and without a running agent, from the cursor on', async () => {
    expect(await run(['events'])).toEqual({ code: 0, stdout: '', stderr: '' })
    await run(['install', 'acme'])
    const offline = await run(['events', '--after', '0', '--json'])
    const events = offline.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(events.map(({ cursor }) => cursor)).toEqual(events.map((_, index) => index + 1))
    expect(events.map(({ event }) => event.kind)).toContain('installed')
    expect((await run(['events'])).stdout).toContain('acme: installed 1.0.0')

    await using _agent = await runningAgent()
    const online = await run(['events', '--after', '0', '--json'])
    expect(online.code).toBe(0)
    expect(online.stdout.startsWith(offline.stdout)).toBe(true)
  })

  test('that are no longer kept are a reset', async () => {
    await run(['install', 'acme'])
    for (const agent of [undefined, await runningAgent()]) {
      await using _ = agent
      const { code, stdout } = await run(['events', '--after', '999999', '--json'])
      expect(code).toBe(0)
      expect(JSON.parse(stdout)).toMatchObject({ event: { kind: 'reset' } })
    }
  })

  test('are followed until the agent stops, which ends with 9', async () => {
    await using agent = await runningAgent()
    await using following = start(['events', '--follow', '--json'])
    await controlClient(home.socketPath).status()
    writeFileSync(join(home.root, 'agent.json'), '{"products": {"acme": {"source": "main"}}}')
    await new Promise<void>((resolve) => {
      let heard = ''
      following.child.stdout?.on('data', (text) => {
        heard += text
        if (heard.includes('"kind":"installed"')) resolve()
      })
    })
    agent.child.kill('SIGTERM')
    const { code, stdout } = await following.ended
    expect(code).toBe(9)
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({ error: { code: 'AGENT_NOT_RUNNING' } })
  })

  test('end quietly when nobody reads them any more', async () => {
    await using _agent = await runningAgent()
    await run(['install', 'acme'])
    await using following = start(['events', '--follow'])
    await new Promise((resolve) => following.child.stdout?.once('data', resolve))
    following.child.stdout?.destroy()
    await run(['install', 'acme'])
    expect(await following.ended).toMatchObject({ code: 0, stderr: '' })
  })

  test('followed until Ctrl-C end with 130', async () => {
    await using _agent = await runningAgent()
    await run(['install', 'acme'])
    await using following = start(['events', '--follow'])
    await new Promise((resolve) => following.child.stdout?.once('data', resolve))
    following.child.kill('SIGINT')
    expect(await following.ended).toMatchObject({ code: 130 })
  })
})
