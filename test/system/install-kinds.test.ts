// Kinds beyond the folder, with real processes: a file at a place of its own through good and bad releases, and a command over
// which the agent is killed.
import { chmod, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { changeSettings, openStage, type Stage } from '../../scripts/demo/stage.ts'
import { processesNaming } from '../support/processes.ts'
import { makeSmallBuild } from '../support/small-build.ts'
import { cursorOf, isIn, told } from '../support/told.ts'

let directory: string
let bin: string
let stage: Stage

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  bin = join(directory, 'bin')
  await mkdir(bin)
  stage = await openStage({ directory: join(directory, 's'), product: 'acme' })
  await stage.init()
  await publish('1.0.0')
  await stage.startOrigin()
}, 60_000)

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  expect(processesNaming(directory)).toEqual([])
  await rm(directory, { recursive: true, force: true })
})

const publish = async (version: string, selfTest = 0): Promise<void> => {
  const build = await makeSmallBuild(join(directory, version), Number(version.replaceAll('.', '')))
  await writeFile(join(build, 'bin/acme'), `#!/bin/sh\n# ${version}\nexit ${selfTest}\n`)
  await chmod(join(build, 'bin/acme'), 0o755)
  await stage.publish(build, version)
}

test('a file follows good releases, stays at the old one for a bad one, and whoever changes it is noticed', async () => {
  const agent = await stage.agent('a')
  const place = join(bin, 'acme')
  await writeFile(place, 'mine')
  const words = ['install', 'acme', '--kind', 'file', '--path', place, '--from', 'bin/acme']
  const refused = await agent.run(words)
  expect({ exitCode: refused.exitCode, stderr: refused.stderr }).toMatchObject({
    exitCode: 4,
    stderr: expect.stringContaining(`${place} was not put there by this agent`),
  })
  expect(await readFile(place, 'utf8')).toBe('mine')
  expect((await agent.run([...words, '--replace'])).exitCode).toBe(0)
  expect(await readFile(place, 'utf8')).toContain('# 1.0.0')
  expect((await readdir(bin)).sort()).toEqual(['acme', 'acme.before-updraft'])

  const probe = '"probe": { "command": ["bin/acme"], "attempts": 1 }'
  await changeSettings(agent, (text) => text.replace('"source": "demo"', `"source": "demo", ${probe}`))
  await agent.start()
  await publish('1.1.0')
  await agent.whenInstalled('1.1.0')
  expect(await readFile(place, 'utf8')).toContain('# 1.1.0')
  const before = await cursorOf(agent)
  await publish('1.2.0', 3)
  await told(agent, before, isIn('1.2.0', 'rolled-back'))
  expect(await readFile(place, 'utf8')).toContain('# 1.1.0')
  expect(await agent.productStatus()).toMatchObject({
    use: { kind: 'file', place, version: '1.1.0' },
    bad: [{ version: '1.2.0', by: 'probe', reason: expect.stringContaining('exit code 3') }],
  })
  const { stdout } = await agent.run(['status'])
  expect(stdout).toContain(`acme is in use as file ${place}`)
  expect(stdout).toMatch(/acme: not tried again on this machine, .*\n {2}1\.2\.0, marked by probe .* ago: the probe/)
  expect((await agent.run(['why', 'acme'])).stdout).toContain(`in use     as file, ${place}`)

  expect((await agent.run(['verify', 'acme'])).exitCode).toBe(0)
  expect((await agent.run(['doctor'])).stdout).toMatch(new RegExp(`ok +use of acme: as file, ${place}`))
  const target = await readlink(place)
  await rm(place)
  await symlink('/bin/true', place)
  const proof = await agent.run(['verify', 'acme'])
  expect(proof.exitCode).toBe(6)
  expect(proof.stdout).toContain(`not-in-use: ${place} leads to /bin/true`)
  const examined = await agent.run(['doctor'])
  expect({ exitCode: examined.exitCode, stdout: examined.stdout }).toMatchObject({
    exitCode: 8,
    stdout: expect.stringContaining(`${place} leads to /bin/true`),
  })
  await rm(place)
  await symlink(target, place)
  await agent.stop()
}, 240_000)

test('an agent that is killed while a command brings a version into use runs it again, and ends with the new version', async () => {
  const agent = await stage.agent('b')
  await changeSettings(agent, (text) =>
    text.replace('"source": "demo"', '"source": "demo", "versionRange": "<1.2.0 || >=1.3.0"'),
  )
  const log = join(directory, 'log')
  const hangs = join(directory, 'hangs')
  const setup = join(directory, 'setup')
  const text = `echo "$UPDRAFT_PREVIOUS>$UPDRAFT_VERSION" >> ${log}\nwhile [ -e ${hangs} ]; do sleep 0.05; done`
  await writeFile(setup, `#!/bin/sh\n${text}\n`)
  await chmod(setup, 0o755)
  const installed = await agent.run(['install', 'acme', '--kind', 'command', '--command', setup, '--json'])
  expect(JSON.parse(installed.stdout)).toMatchObject({ new: true, use: { kind: 'command', version: '1.1.0' } })
  await agent.start()
  await writeFile(hangs, '')
  const before = await cursorOf(agent)
  await publish('1.3.0')
  await told(agent, before, isIn('1.3.0', 'activating'))
  while ((await readFile(log, 'utf8')).split('\n').length < 3) await new Promise((resolve) => setTimeout(resolve, 20))
  await agent.running().kill()
  await agent.start()
  while ((await readFile(log, 'utf8')).split('\n').length < 4) await new Promise((resolve) => setTimeout(resolve, 20))
  // What was run by the agent that was killed is gone: one at a time.
  expect(processesNaming(setup)).toHaveLength(1)
  await rm(hangs)
  await agent.whenInstalled('1.3.0')
  expect((await readFile(log, 'utf8')).trim().split('\n')).toEqual(['>1.1.0', '1.1.0>1.3.0', '1.1.0>1.3.0'])

  // What an agent that was killed has not taken away any more, the next one does, without an update.
  await agent.stop()
  await mkdir(join(agent.home, 'products/acme/versions/1.0.9'))
  await agent.start()
  await told(agent, await cursorOf(agent), (event) => event.kind === 'idle')
  expect((await readdir(join(agent.home, 'products/acme/versions'))).sort()).toEqual(['1.1.0', '1.3.0'])
  await agent.stop()
}, 240_000)
