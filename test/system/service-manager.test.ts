// The agent under a service manager: a real process, a real notify socket, a real socket that is handed over.
import { existsSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { controlClient } from '@updraft/core/control/client'
import { type TemporaryHome, temporaryHome } from '../support/fake-agent-parts.ts'
import { describeWith, needsProgram } from '../support/needs.ts'
import { listenForNotify } from '../support/notify-listener.ts'
import { whenGone } from '../support/processes.ts'
import { type Program, startCommand, startProgram } from '../support/programs.ts'

const PROGRAM = join(import.meta.dirname, '../support/fake-agent.ts')
const STARTER = join(import.meta.dirname, '../../agent/bin/updraft-starter.mjs')
const SUBSCRIBED = '{"products": {"acme": {"source": "main"}}}'

let home: TemporaryHome
let notifySocket: string

beforeEach(() => {
  home = temporaryHome()
  notifySocket = join(home.root, 'notify.sock')
})
afterEach(async () => {
  await whenGone(home.root) // One that tells the manager something outlives an agent that a test has killed.
  home[Symbol.dispose]()
})

const start = (environment: Readonly<Record<string, string>>, cycle = '1.0.0'): Program =>
  startProgram(PROGRAM, ['run'], {
    environment: { UPDRAFT_HOME: home.root, FAKE_CYCLE: cycle, NOTIFY_SOCKET: notifySocket, ...environment },
  })
const subscribe = () => writeFileSync(join(home.root, 'agent.json'), SUBSCRIBED)

describeWith([needsProgram('systemd-notify'), needsProgram('python3')], 'sd_notify', () => {
  test('is told that the agent is ready once its socket answers, what it does, and that it stops', async () => {
    await using manager = await listenForNotify(notifySocket)
    await using agent = start({})
    await manager.hears('READY')
    expect((await controlClient(home.socketPath).status()).agent.pid).toBe(agent.child.pid)
    await manager.hears('STATUS', 'subscribed to no product')
    subscribe()
    await manager.hears('STATUS', '1 product; no update under way')
    agent.child.kill('SIGTERM')
    expect(await agent.ended).toMatchObject({ code: 0 })
    await manager.hears('STOPPING')
    expect(manager.heard.at(-1)?.message).toEqual({ STOPPING: '1', STATUS: 'stops' })
    expect(manager.heard.filter(({ message }) => 'WATCHDOG' in message)).toEqual([]) // Nobody asked for it.
  })

  test('is told of a reload before and after it, on the clock that it compares with', async () => {
    await using manager = await listenForNotify(notifySocket)
    await using _agent = start({})
    await manager.hears('READY')
    const before = process.hrtime.bigint() / 1_000n
    subscribe()
    await manager.hears('READY', '1', 2)
    const heard = manager.heard.map(({ message }) => message).filter((message) => !('STATUS' in message))
    expect(heard.map((message) => Object.keys(message))).toEqual([
      ['READY'],
      ['RELOADING', 'MONOTONIC_USEC'],
      ['READY'],
    ])
    const at = BigInt(heard[1]?.MONOTONIC_USEC ?? 0)
    expect(at > before && at <= process.hrtime.bigint() / 1_000n).toBe(true)
  })

  test('gets signs of life, none while the event loop is blocked, and again when it is free', async () => {
    await using manager = await listenForNotify(notifySocket)
    await using agent = start({ WATCHDOG_USEC: '400000' }, 'blocked')
    await manager.hears('WATCHDOG', '1', 3)
    subscribe()
    await agent.said('free')
    const pings = () => manager.heard.filter(({ message }) => 'WATCHDOG' in message)
    await manager.hears('WATCHDOG', '1', pings().length + 2)
    agent.child.kill('SIGTERM')
    const { stderr } = await agent.ended
    const [, blockedAt, freeAt] = (/blocked (\d+)\nfree (\d+)/.exec(stderr) ?? []).map(Number)
    if (blockedAt === undefined || freeAt === undefined) throw new Error(stderr)
    // What was on its way when it began still arrives, and that is one at most: a message is sent when the last was read.
    const [, ...between] = pings().filter(({ atMs }) => atMs > blockedAt && atMs < freeAt)
    expect(between).toEqual([])
    expect(pings().some(({ atMs }) => atMs > freeAt)).toBe(true)
  })

  test('gets no sign of life any more when the store is gone, and the log says why', async () => {
    await using manager = await listenForNotify(notifySocket)
    await using agent = start({ WATCHDOG_USEC: '400000' }, 'lost')
    await manager.hears('WATCHDOG', '1', 2)
    subscribe()
    await agent.said('lost')
    await agent.said('the store does not answer')
    await manager.caughtUp()
    const before = manager.heard.filter(({ message }) => 'WATCHDOG' in message).length
    agent.child.kill('SIGTERM')
    await agent.ended
    await manager.caughtUp()
    expect(manager.heard.filter(({ message }) => 'WATCHDOG' in message).length).toBeLessThanOrEqual(before + 1)
  })
})

test('a manager that nobody can reach costs one line in the log and nothing else', async () => {
  await using agent = start({ WATCHDOG_USEC: '100000' })
  await agent.said('the service manager cannot be told anything')
  await controlClient(home.socketPath).status()
  agent.child.kill('SIGTERM')
  const { code, stderr } = await agent.ended
  expect(code).toBe(0)
  expect(stderr.match(/cannot be told anything/g)).toHaveLength(1)
})

describeWith(
  [needsProgram('systemd-socket-activate'), needsProgram('systemd-notify'), needsProgram('python3')],
  'through the starter',
  () => {
    test('the socket, the news and the signals reach the agent that it runs', async () => {
      await using manager = await listenForNotify(notifySocket)
      await using launcher = startCommand('systemd-socket-activate', [
        `--listen=${home.socketPath}`,
        ...[`UPDRAFT_HOME=${home.root}`, 'FAKE_CYCLE=1.0.0', `NOTIFY_SOCKET=${notifySocket}`].map(
          (each) => `--setenv=${each}`,
        ),
        process.execPath,
        '--disable-warning=ExperimentalWarning',
        STARTER,
        ...['--fallback', PROGRAM, join(home.root, 'products/updraft-agent'), '--', 'run'],
      ])
      await launcher.said('Listening on')
      const inode = statSync(home.socketPath).ino
      const { agent } = await controlClient(home.socketPath).status()
      expect(agent.pid).not.toBe(launcher.child.pid)
      expect(statSync(home.socketPath).ino).toBe(inode)
      await manager.hears('READY')
      launcher.child.kill('SIGTERM')
      expect((await launcher.ended).code).toBe(0)
      await manager.hears('STOPPING')
      expect(manager.heard.at(-1)?.message).toEqual({ STOPPING: '1', STATUS: 'stops' })
    })
  },
)

describeWith([needsProgram('systemd-socket-activate')], 'socket activation', () => {
  test('the agent answers on the socket that was handed over, first the one who woke it, and leaves it in its place', async () => {
    await using launcher = startCommand('systemd-socket-activate', [
      `--listen=${home.socketPath}`,
      `--setenv=UPDRAFT_HOME=${home.root}`,
      '--setenv=FAKE_CYCLE=1.0.0',
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      PROGRAM,
      'run',
    ])
    await launcher.said('Listening on')
    const inode = statSync(home.socketPath).ino
    expect((await controlClient(home.socketPath).status()).apiVersion).toBe(1)
    await launcher.said('runs on')
    launcher.child.kill('SIGTERM')
    await launcher.ended
    expect(existsSync(home.socketPath)).toBe(true)
    expect(statSync(home.socketPath).ino).toBe(inode)
  })
})
