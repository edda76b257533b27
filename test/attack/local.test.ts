// Attacks from the same machine on the agent's home: what another user could open, and something foreign on its socket.
import { lstatSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { runProgram } from '../../scripts/demo/program.ts'
import { attackTest } from '../support/attack-row.ts'
import { sendEndlessly } from './hostile-origin.ts'
import { expectInstalled, openScene } from './scene.ts'

attackTest('other users', 'they open the state, and unverified bytes', async (saw) => {
  await using scene = await openScene({ first: null })
  const { servedPack } = await scene.release('1.0.0')
  const { files } = scene.repository
  const pack = files.get(servedPack) ?? Buffer.alloc(0)
  files.set(servedPack, pack.subarray(0, 20_000))
  const stalled = saw(await scene.victim.look())
  const modeOf = (path: string) => lstatSync(join(scene.victim.home, path)).mode & 0o077
  expect(stalled.files.filter((file) => file.startsWith('staging/')).length).toBeGreaterThan(0)
  for (const path of ['state', ...stalled.files.map((file) => join(file, '..'))]) expect(modeOf(path)).toBe(0)
  files.set(servedPack, pack)
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
