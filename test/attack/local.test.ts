// Attacks from the same machine on the agent's home: what another user could open or replace, and what lies about.
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { runProgram } from '../../scripts/demo/program.ts'
import { attackTest } from '../support/attack-row.ts'
import { sendEndlessly } from './hostile-origin.ts'
import { expectInstalled, openScene, type Scene } from './scene.ts'
import type { Look } from './victim.ts'

attackTest('other users', 'they open the state, and unverified bytes', async (saw) => {
  await using scene = await openScene({ first: null, stallTimeoutSeconds: 2 })
  const { servedPack } = await scene.release('1.0.0')
  const { files } = scene.repository
  const pack = files.get(servedPack) ?? Buffer.alloc(0)
  files.set(servedPack, pack.subarray(0, 20_000))
  const stalled = saw(await scene.victim.look())
  const modeOf = (path: string) => lstatSync(join(scene.victim.home, path)).mode & 0o077
  expect(stalled.files.filter((file) => file.startsWith('staging/')).length).toBeGreaterThan(0)
  for (const path of ['state', ...stalled.files.map((file) => join(file, '..'))]) expect(modeOf(path)).toBe(0)
  files.set(servedPack, pack)
  await scene.victim.configure({}, { stallTimeoutSeconds: 20 })
  expectInstalled(saw(await scene.victim.look()), scene, '1.0.0')
})

attackTest('foreign socket', 'something else answers on the control socket, without an end', async (saw) => {
  await using scene = await openScene()
  const { home, environment } = scene.victim
  const server = createServer((_, response) => sendEndlessly(response, () => {}))
  await new Promise<void>((listening) => server.listen(join(home, 'agent.sock'), listening))
  try {
    const startedAt = performance.now()
    const { exitCode, stdout } = await runProgram('updraft-agent', ['status', '--json'], { environment })
    const seconds = (performance.now() - startedAt) / 1000
    const { error } = JSON.parse(stdout) as { readonly error?: { readonly code: string } }
    saw({ did: `status: exit ${exitCode}, ${error?.code}, ${seconds.toFixed(1)} s`, left: 'nothing' })
    expect({ exitCode, code: error?.code }).toEqual({ exitCode: 7, code: 'CONTROL_INVALID' })
    expect(seconds).toBeLessThan(20)
  } finally {
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  }
})

/** Nothing was ever done in the home: the agent did not even make its database. */
const expectNotStarted = (look: Look, { victim }: Scene): void => {
  expect(look).toMatchObject({ exitCode: 8, installed: undefined, seeded: 0, files: [] })
  expect(look.stderr).toContain('may be written by everybody')
  expect(existsSync(join(victim.home, 'state/agent.db'))).toBe(false)
}

attackTest('writable parent', 'everybody may write in the folder above the home', async (saw) => {
  await using scene = await openScene()
  const above = join(scene.victim.home, '..')
  chmodSync(above, 0o777)
  expectNotStarted(saw(await scene.victim.look()), scene)
  chmodSync(above, 0o700)
  expectInstalled(saw(await scene.victim.look()), scene, '1.0.0')
})

attackTest('symlinked state', 'the state is a link to where everybody may write', async (saw) => {
  await using scene = await openScene()
  const state = join(scene.victim.home, 'state')
  const open = join(scene.directory, 'open')
  mkdirSync(open)
  chmodSync(open, 0o777)
  renameSync(state, join(open, 'state'))
  symlinkSync(join(open, 'state'), state)
  expectNotStarted(saw(await scene.victim.look()), scene)
  chmodSync(open, 0o755) // A link to a place of one's own is nobody's attack.
  expectInstalled(saw(await scene.victim.look()), scene, '1.0.0')
})

attackTest(
  'workspace',
  'settings and environment files lie in the folder in which the agent is started',
  async (saw) => {
    await using scene = await openScene()
    await using elsewhere = await openScene()
    const workspace = join(scene.directory, 'workspace')
    mkdirSync(join(workspace, '.config/updraft'), { recursive: true })
    const settings = readFileSync(join(elsewhere.victim.home, 'agent.json'))
    for (const file of ['agent.json', '.config/updraft/agent.json']) writeFileSync(join(workspace, file), settings)
    cpSync(join(elsewhere.victim.home, 'state'), join(workspace, 'state'), { recursive: true })
    writeFileSync(join(workspace, '.env'), `UPDRAFT_HOME=${workspace}\n`)
    writeFileSync(join(workspace, 'package.json'), '{"type":"commonjs"}')
    const listed = () => readdirSync(workspace, { recursive: true }).map(String).sort()
    const before = listed()
    const { environment } = scene.victim
    const relative = { XDG_CONFIG_HOME: '.config', XDG_STATE_HOME: '.', XDG_DATA_HOME: '.' }
    const { exitCode } = await runProgram('updraft-agent', ['run', '--once'], {
      environment: { ...environment, ...relative },
      cwd: workspace,
    })
    expect(exitCode).toBe(0)
    expectInstalled(saw(await scene.victim.look()), scene, '1.0.0')
    expect(listed()).toEqual(before)
    expect(elsewhere.origin.requests).toEqual([])
  },
)
