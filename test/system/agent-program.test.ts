// The agent as a process: its command line, its exit codes, two on one home, stopped and killed.
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { openStore } from '@updraft/agent/store'
import { controlClient } from '@updraft/core/control/client'
import { parseProduct } from '@updraft/core/names'
import { type TemporaryHome, temporaryHome } from '../support/fake-agent-parts.ts'
import { describeWith, needsRoot } from '../support/needs.ts'
import { processesNaming } from '../support/processes.ts'
import { type Ended, type Program, runToEnd, startProgram } from '../support/programs.ts'

const PROGRAM = join(import.meta.dirname, '../support/fake-agent.ts')
const VERSION = JSON.parse(readFileSync(join(import.meta.dirname, '../../agent/package.json'), 'utf8')).version

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

describe('the command line', () => {
  test('--version is that of the package', async () => {
    expect(await run(['--version'])).toEqual({ code: 0, stdout: `${VERSION}\n`, stderr: '' })
  })

  test.each([['run'], ['install'], ['status'], ['trust', 'add']])(
    '%s %s --help shows an example',
    async (...command) => {
      const { code, stdout } = await run([...command.filter((word) => typeof word === 'string'), '--help'])
      expect(code).toBe(0)
      expect(stdout).toMatch(/^ {2}\$ updraft-agent /m)
    },
  )

  const refused: readonly (readonly [name: string, args: readonly string[], code: number, says: string])[] = [
    ['an unknown command', ['frobnicate'], 2, "unknown command 'frobnicate'"],
    ['an unknown option', ['run', '--twice'], 2, "unknown option '--twice'"],
    ['a missing argument', ['install'], 2, "missing required argument 'product'"],
    ['a product name that is none', ['install', 'Acme'], 2, 'product name "Acme" is not allowed'],
    ['a channel name that is none', ['install', 'acme', '--channel', 'B C'], 2, 'channel "B C" is not allowed'],
    ['a source that is not trusted', ['install', 'acme', '--source', 'ghost'], 6, 'source "ghost" is not trusted'],
  ]
  test.each(refused)('%s is refused, and nothing is written', async (_, args, code, says) => {
    const ended = await run(args)
    expect(ended.code).toBe(code)
    expect(ended.stderr).toContain(says)
    expect(readdirSync(home.root)).toEqual([])
  })

  test('a failure with --json is one JSON object on standard output', async () => {
    const { code, stdout, stderr } = await run(['install', 'Acme', '--json'])
    expect([code, stderr]).toEqual([2, ''])
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'PRODUCT_INVALID', hint: expect.any(String) } })
  })
})

describe('install', () => {
  test('without a running agent does it by itself, subscribes, and leaves nothing running', async () => {
    const { code, stdout, stderr } = await run(['install', 'acme'])
    expect(code).toBe(0)
    expect(stdout).toContain('installed acme 1.0.0')
    expect(stdout).toContain('60 B from peers, 40 B from the origin, 100 B reused')
    expect(stderr).toContain('updraft-agent run')
    expect(readFileSync(join(home.root, 'agent.json'), 'utf8')).toContain('"source": "main"')
    expect(existsSync(home.socketPath)).toBe(false)
    expect(JSON.parse((await run(['install', 'acme', '--json'])).stdout)).toMatchObject({
      product: 'acme',
      new: false,
      installed: { version: '1.0.0' },
    })
  })

  test('with a running agent lets that do it, and follows it', async () => {
    await using agent = start(['run'])
    await agent.said('runs on')
    const { code, stdout, stderr } = await run(['install', 'acme', '--json'])
    expect([code, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toMatchObject({ new: true, installed: { version: '1.0.0' }, bytes: { peers: 60 } })
    expect(await run(['install', 'acme'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('nothing newer fits'),
    })
  })

  test.each([
    ['by itself', false],
    ['by the agent', true],
  ])('fails with the reason and its exit code, %s', async (_, withAgent) => {
    await using agent = withAgent ? start(['run'], 'unreachable') : undefined
    await agent?.said('runs on')
    const { code, stderr } = await run(['install', 'acme'], 'unreachable')
    expect(code).toBe(7)
    expect(stderr).toContain('updraft-agent: nobody is there\n  hint: try again later')
    expect(stderr).not.toContain('    at ')
  })

  test('says so when the agent stops in the middle', async () => {
    await using agent = start(['run'], 'stuck')
    await agent.said('runs on')
    await using install = start(['install', 'acme'])
    await agent.said('stuck')
    agent.child.kill('SIGTERM')
    const { code, stderr } = await install.ended
    expect(code).toBe(9)
    expect(stderr).toContain('the agent stopped before acme was installed')
  })

  test('stopped by Ctrl-C ends with 130, and the update stays open', async () => {
    await using install = start(['install', 'acme'], 'stuck')
    await install.said('stuck')
    install.child.kill('SIGINT')
    expect(await install.ended).toMatchObject({ code: 130 })
    using store = openStore(home.stateDirectory)
    expect(store.journal.open(parseProduct('acme'))).toMatchObject({ state: 'downloading' })
  })
})

describe('status', () => {
  test('without an agent shows what it last knew, and ends with 9', async () => {
    expect(await run(['status'])).toMatchObject({ code: 9, stdout: expect.stringContaining('No agent is running') })
    await run(['install', 'acme'])
    const { code, stdout } = await run(['status'])
    expect(code).toBe(9)
    expect(stdout).toMatch(/^acme +1\.0\.0 +1\.0\.0 +up to date +trusted/m)
    expect(JSON.parse((await run(['status', '--json'])).stdout)).toMatchObject({
      agent: null,
      products: [{ name: 'acme', installed: { version: '1.0.0' } }],
    })
  })

  test('of an agent that was killed is read as it left it', async () => {
    await using agent = start(['run'], 'stuck')
    await agent.said('runs on')
    await using install = start(['install', 'acme'])
    await agent.said('stuck')
    agent.child.kill('SIGKILL')
    await Promise.all([agent.ended, install.ended])
    expect(await run(['status'])).toMatchObject({
      code: 9,
      stdout: expect.stringContaining('interrupted at downloading'),
    })
  })

  test('with an agent is what that says, and ends with 0', async () => {
    await using agent = start(['run'])
    await agent.said('runs on')
    const { code, stdout } = await run(['status', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual(await controlClient(home.socketPath).status())
    expect(await run(['status'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`process ${agent.child.pid}`),
    })
  })

  test('of a damaged database says what to do, and leaves it as it is', async () => {
    mkdirSync(home.stateDirectory)
    writeFileSync(join(home.stateDirectory, 'agent.db'), 'torn')
    const { code, stderr } = await run(['status'])
    expect(code).toBe(8)
    expect(stderr).toMatch(/is damaged: .*\n {2}hint: /)
    expect(readFileSync(join(home.stateDirectory, 'agent.db'), 'utf8')).toBe('torn')
  })
})

describe('run', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    'ends with 0 on %s, in the middle of an update, and leaves nothing',
    async (signal) => {
      writeFileSync(join(home.root, 'agent.json'), '{"products": {"acme": {"source": "main"}}}')
      await using agent = start(['run'], 'stuck')
      await agent.said('stuck')
      agent.child.kill(signal)
      const { code, stdout, stderr } = await agent.ended
      expect([code, stdout]).toEqual([0, ''])
      expect(stderr).toContain('agent stops')
      expect(readdirSync(home.root).sort()).toEqual(['agent.json', 'state'])
      expect(readdirSync(home.stateDirectory).sort()).toEqual(['agent.db', 'agent.lock', 'remembered.json'])
    },
  )

  test('a second one on the same home says so and ends with 4; the first goes on', async () => {
    await using first = start(['run'])
    await first.said('runs on')
    const { code, stderr } = await run(['run'])
    expect(code).toBe(4)
    expect(stderr).toContain(`an agent is already running on ${home.root}`)
    expect(stderr).toContain('UPDRAFT_HOME')
    expect(first.child.exitCode).toBeNull()
    await controlClient(home.socketPath).status()
  })

  test('after a kill the next one takes over home and socket at once', async () => {
    await using first = start(['run'])
    await first.said('runs on')
    first.child.kill('SIGKILL')
    await first.ended
    expect(existsSync(home.socketPath)).toBe(true)
    await using second = start(['run'])
    await second.said('runs on')
    expect((await controlClient(home.socketPath).status()).agent.pid).toBe(second.child.pid)
  })

  test('--once ends with the code of what failed, or with 0', async () => {
    writeFileSync(join(home.root, 'agent.json'), '{"products": {"acme": {"source": "main"}}}')
    expect(await run(['run', '--once'], 'unreachable')).toMatchObject({ code: 7 })
    expect(await run(['run', '--once'])).toMatchObject({ code: 0 })
  })

  test('--log-json logs one JSON object per line', async () => {
    writeFileSync(join(home.root, 'agent.json'), '{"products": {"acme": {"source": "main"}}}')
    const { stderr } = await run(['run', '--once', '--log-json'])
    const lines = stderr
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(lines.find(({ message }) => message === 'installed 1.0.0')).toMatchObject({
      level: 'info',
      product: 'acme',
      version: '1.0.0',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
    })
  })

  test('settings that cannot be understood end it with 2, with their place', async () => {
    writeFileSync(join(home.root, 'agent.json'), '{\n  "chanel": 1\n}')
    const { code, stderr } = await run(['run'])
    expect(code).toBe(2)
    expect(stderr).toContain(`${join(home.root, 'agent.json')}:2:3: chanel is not a setting`)
  })

  test('a home whose path is too long for a socket ends it with 2', async () => {
    const { code, stderr } = await runToEnd(PROGRAM, ['run'], {
      environment: { UPDRAFT_HOME: join(home.root, 'x'.repeat(100)) },
    })
    expect(code).toBe(2)
    expect(stderr).toContain('set UPDRAFT_HOME to a shorter path')
    expect(readdirSync(home.root)).toEqual([])
  })

  test('a file where a folder should be ends it with 8', async () => {
    writeFileSync(home.stateDirectory, '')
    expect(await run(['run'])).toMatchObject({ code: 8, stderr: expect.stringContaining(home.stateDirectory) })
  })
})

describeWith([needsRoot], 'another user', () => {
  const NOBODY = 65_534

  test('cannot run on a home that is not writable, and is told which folder', async () => {
    chmodSync(home.root, 0o755)
    const { code, stderr } = await runToEnd(PROGRAM, ['run'], { environment: environment('1.0.0'), uid: NOBODY })
    expect(code).toBe(8)
    expect(stderr).toContain(home.root)
    expect(readdirSync(home.root)).toEqual([])
  })

  test("cannot ask somebody else's agent", async () => {
    chmodSync(home.root, 0o755)
    await using agent = start(['run'])
    await agent.said('runs on')
    const { code, stderr } = await runToEnd(PROGRAM, ['status'], { environment: environment('1.0.0'), uid: NOBODY })
    expect(code).toBe(8)
    expect(stderr).toContain('is not open to this user')
  })
})
