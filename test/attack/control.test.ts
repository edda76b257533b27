// Attacks on the control API of a running agent that has a release installed: web pages, other programs and other users of the same
// machine, who want it to roll back.
import { readFileSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { controlClient } from '@updraft/core/control/client'
import { LIMITS } from '@updraft/core/limits'
import { runProgram, startProgram } from '../../scripts/demo/program.ts'
import { PROJECT } from '../../scripts/steps.ts'
import { attackTest } from '../support/attack-row.ts'
import { describeWith, needsRoot } from '../support/needs.ts'
import { runToEnd } from '../support/programs.ts'
import { expectInstalled, openScene, type Scene } from './scene.ts'

/** The agent runs, with its port open, and 1.1.0 in place of 1.0.0. */
const openRunning = async () => {
  const scene = await openScene()
  await scene.victim.look()
  await scene.release('1.1.0')
  expectInstalled(await scene.victim.look(), scene, '1.1.0')
  const { home, environment } = scene.victim
  const settings = JSON.parse(readFileSync(join(home, 'agent.json'), 'utf8'))
  writeFileSync(join(home, 'agent.json'), JSON.stringify({ ...settings, control: { loopback: {} } }))
  const client = controlClient(join(home, 'agent.sock'))
  const isReady = () =>
    client.status().then(
      ({ agent }) => agent.controlUrl !== undefined,
      () => false,
    )
  const agent = await startProgram('updraft-agent', ['run'], { environment, isReady })
  const url = new URL((await client.status()).agent.controlUrl ?? '')
  const token = readFileSync(join(home, 'state/control-token'), 'utf8').trim()
  return { scene, agent, client, url, token }
}

interface Answer {
  readonly status: number
  readonly code: string | undefined
}

const ROLLBACK = '/v1/products/acme/rollback'

/** Asks the port to roll back. */
const ask = (url: URL, headers: Readonly<Record<string, string>>, body: string): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: url.port, path: ROLLBACK, method: 'POST', headers }
    const sent = request(options, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('end', () => {
        const { code } = JSON.parse(text) as { readonly code?: string }
        resolve({ status: response.statusCode ?? 0, code })
      })
    })
    sent.on('error', reject).end(body)
  })

const expectUntouched = async (scene: Scene): Promise<void> => {
  const { stdout } = await runProgram('updraft-agent', ['status', '--json'], { environment: scene.victim.environment })
  expect(JSON.parse(stdout).products[0]).toMatchObject({ installed: { version: '1.1.0' } })
}

attackTest(
  'control API',
  'a web page, a name that was pointed here, no token, a giant body, on the port',
  async (saw) => {
    const { scene, agent, url, token } = await openRunning()
    await using _scene = scene
    try {
      const good = { host: url.host, authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const cases: readonly (readonly [
        what: string,
        headers: Readonly<Record<string, string>>,
        body: string,
        is: Answer,
      ])[] = [
        ['no token', { ...good, authorization: '' }, '{}', { status: 401, code: 'TOKEN_INVALID' }],
        [
          'another token',
          { ...good, authorization: `Bearer ${'0'.repeat(64)}` },
          '{}',
          { status: 401, code: 'TOKEN_INVALID' },
        ],
        ['DNS rebinding', { ...good, host: `rebound.example:${url.port}` }, '{}', { status: 403, code: 'PERMISSION' }],
        ['a web page', { ...good, origin: 'https://evil.example' }, '{}', { status: 403, code: 'PERMISSION' }],
        ['a giant body', good, ' '.repeat(LIMITS.controlBodyBytes + 1), { status: 413, code: 'LIMIT_EXCEEDED' }],
      ]
      for (const [what, headers, body, is] of cases) {
        const answer = await ask(url, headers, body)
        saw({ did: `${what}: ${answer.status} ${answer.code}`, left: '1.1.0 runs' })
        expect({ what, ...answer }).toEqual({ what, ...is })
      }
      await expectUntouched(scene)
      // The same with everything right is not refused at the door.
      expect((await ask(url, good, '{}')).status).toBe(200)
    } finally {
      await agent.stop()
    }
  },
)

describeWith([needsRoot], 'another user of this machine', () => {
  attackTest('control API', 'another user asks on the socket and on the port', async (saw) => {
    const { scene, agent, url } = await openRunning()
    await using _scene = scene
    const program = join(PROJECT, 'agent/bin/updraft-agent.mjs')
    const { environment } = scene.victim
    const asNobody = (args: readonly string[], more: Readonly<Record<string, string>> = {}) =>
      runToEnd(program, [...args], { environment: { ...environment, ...more }, uid: 65_534 })
    try {
      const bySocket = await asNobody(['rollback', 'acme'])
      saw({ did: `socket: exit ${bySocket.code}`, left: '1.1.0 runs' })
      expect(bySocket).toMatchObject({ code: 8, stderr: expect.stringContaining('is not open to this user') })
      const byPort = await asNobody(['rollback', 'acme'], { UPDRAFT_CONTROL: url.href.replace(/\/$/, '') })
      saw({ did: `port: exit ${byPort.code}`, left: '1.1.0 runs' })
      expect(byPort).toMatchObject({ code: 8, stderr: expect.stringContaining('the token cannot be read') })
      await expectUntouched(scene)
    } finally {
      await agent.stop()
    }
  })
})
