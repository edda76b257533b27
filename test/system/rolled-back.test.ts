// A release that does not work on a machine is left again by itself, is not tried again, and the next good one is installed;
// also when the agent is killed in the middle of finding out.
import { chmod, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { AgentEvent } from '../../core/src/control/api.ts'
import { digestOfTree } from '../../scripts/demo/build.ts'
import { changeSettings, openStage, type Stage, type StageAgent } from '../../scripts/demo/stage.ts'
import { processesNaming } from '../support/processes.ts'
import { makeSmallBuild } from '../support/small-build.ts'
import { cursorOf, isIn, told } from '../support/told.ts'

let directory: string
let stage: Stage
const digests: Record<string, string> = {}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  stage = await openStage({ directory: join(directory, 's'), product: 'acme' })
  await stage.init()
  await publish('1.0.0', 'exit 0')
  await stage.startOrigin()
}, 60_000)

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  expect(processesNaming(directory)).toEqual([])
  await rm(directory, { recursive: true, force: true })
})

/** Publishes a release whose program tests itself with `script`. */
const publish = async (version: string, script: string): Promise<void> => {
  const build = await makeSmallBuild(join(directory, version), Number(version.replaceAll('.', '')))
  await writeFile(join(build, 'bin/acme'), `#!/bin/sh\n${script}\n`)
  await chmod(join(build, 'bin/acme'), 0o755)
  digests[version] = await digestOfTree(build)
  await stage.publish(build, version)
}

const agentWithProbe = async (name: string): Promise<StageAgent> => {
  const agent = await stage.agent(name)
  const probe = '"probe": { "command": ["bin/acme", "--self-test"], "attempts": 2, "intervalSeconds": 0 }'
  await changeSettings(agent, (text) => text.replace('"source": "demo"', `"source": "demo", ${probe}`))
  return agent
}

const isIdle = (event: AgentEvent) => event.kind === 'idle'
const versionsOf = async ({ home }: StageAgent) => (await readdir(join(home, 'products/acme/versions'))).sort()

test('a bad release is rolled back and not tried again; the next good one is installed', async () => {
  const agent = await agentWithProbe('a')
  await agent.start()
  await agent.whenInstalled('1.0.0')

  const before = await cursorOf(agent)
  await publish('1.1.0', 'echo "cannot open the database"; exit 3')
  await told(agent, before, isIn('1.1.0', 'rolled-back'))
  expect(await digestOfTree(agent.installedPath)).toBe(digests['1.0.0'])
  expect(await versionsOf(agent)).toEqual(['1.0.0'])
  expect(await readdir(join(agent.home, 'staging'))).toEqual([])
  const says =
    'the probe "bin/acme --self-test" of 1.1.0 failed at each of 2 attempts, at last: it ended with exit code 3, and said last: cannot open the database'
  expect(await agent.productStatus()).toMatchObject({
    installed: { version: '1.0.0' },
    available: { version: '1.1.0' },
    update: { version: '1.1.0', state: 'rolled-back', error: { code: 'PROBE_FAILED', detail: says } },
    trust: { level: 'attention', findings: [{ code: 'release-unhealthy', message: says }] },
  })

  const { cursor } = await agent.client.check()
  await told(agent, cursor, isIdle)
  await told(agent, await cursorOf(agent), isIdle) // And once more by itself.
  const updates = (await agent.client.history('acme')).updates.map(({ version, state }) => `${version} ${state}`)
  expect(updates).toEqual(['1.1.0 rolled-back', '1.0.0 committed'])
  const { stdout } = await agent.run(['why', 'acme'])
  expect(stdout).toContain('acme: rolled back (1.1.0)')
  expect(stdout).toMatch(/NO {3}bad-mark: 1\.1\.0 is marked bad on this machine since .*: the probe/)

  await publish('1.2.0', 'exit 0')
  await agent.whenInstalled('1.2.0')
  expect(await digestOfTree(agent.installedPath)).toBe(digests['1.2.0'])
  expect((await agent.productStatus())?.trust.findings).toEqual([])
  await agent.stop()
}, 240_000)

test('a person goes back, the agent stays there, and goes on when it is told to, or when something newer comes', async () => {
  const agent = await agentWithProbe('d')
  await agent.start()
  await agent.whenInstalled('1.2.0')
  await publish('1.2.1', 'exit 0')
  await agent.whenInstalled('1.2.1')

  const before = await cursorOf(agent)
  const { exitCode, stdout, stderr } = await agent.run(['rollback', 'acme', '--json'])
  expect({ exitCode, stdout: stdout.trim(), stderr }).toEqual({
    exitCode: 0,
    stdout: '{"product":"acme","version":"1.2.0","previous":"1.2.1"}',
    stderr: '',
  })
  expect(await digestOfTree(agent.installedPath)).toBe(digests['1.2.0'])
  await told(agent, before, isIdle)
  await told(agent, await cursorOf(agent), isIdle)
  expect((await agent.productStatus())?.installed?.version).toBe('1.2.0')
  expect((await agent.run(['why', 'acme'])).stdout).toContain('a person went back from 1.2.1 to 1.2.0')
  expect((await agent.run(['history', 'acme'])).stdout).toMatch(/1\.2\.1 +rolled-back .*a person went back/)

  expect((await agent.run(['retry', 'acme'])).stdout).toBe('no longer marked bad: acme 1.2.1; it is looked at now\n')
  await agent.whenInstalled('1.2.1')
  expect((await agent.run(['rollback', 'acme', '1.2.0'])).exitCode).toBe(0)
  await publish('1.2.2', 'exit 0')
  await agent.whenInstalled('1.2.2')
  expect(await digestOfTree(agent.installedPath)).toBe(digests['1.2.2'])
  await agent.stop()
}, 240_000)

test('a first installation that does not work leaves nothing installed, and the command says why', async () => {
  await publish('1.3.0', 'kill -ABRT $$')
  const agent = await agentWithProbe('b')
  const { exitCode, stderr } = await agent.run(['install', 'acme'])
  expect({ exitCode, stderr }).toMatchObject({
    exitCode: 8,
    stderr: expect.stringContaining('it was ended by SIGABRT'),
  })
  expect(await readdir(join(agent.home, 'products/acme'))).toEqual(['versions'])
  expect(await versionsOf(agent)).toEqual([])
  expect(await readdir(join(agent.home, 'staging'))).toEqual([])
}, 60_000)

test('an agent that is killed while it probes finds out at its next start', async () => {
  const hangs = join(directory, 'hangs')
  const agent = await agentWithProbe('c')
  await agent.start()
  // The newest is bad, the one before it is good: the machine ends there.
  await agent.whenInstalled('1.2.2')

  await writeFile(hangs, '')
  let before = await cursorOf(agent)
  await publish('1.4.0', `while [ -e ${hangs} ]; do sleep 0.05; done; exit 0`)
  await told(agent, before, isIn('1.4.0', 'probing'))
  await agent.running().kill()
  expect(await digestOfTree(agent.installedPath)).toBe(digests['1.4.0'])
  await rm(hangs)
  await agent.start()
  await agent.whenInstalled('1.4.0')

  await writeFile(hangs, '')
  before = await cursorOf(agent)
  await publish('1.5.0', `while [ -e ${hangs} ]; do sleep 0.05; done; exit 0`)
  for (let times = 1; times <= 3; times += 1) {
    await told(agent, before, isIn('1.5.0', 'probing'))
    before = await cursorOf(agent)
    await agent.running().kill()
    await agent.start()
  }
  await told(agent, before, isIn('1.5.0', 'rolled-back'))
  expect(await digestOfTree(agent.installedPath)).toBe(digests['1.4.0'])
  expect((await agent.productStatus())?.update?.error?.detail).toBe('the agent ended 3 times while it probed 1.5.0')
  await rm(hangs)
  await agent.stop()
}, 180_000)
