// One machine that reached a mirror brings the news to all, and with the origin gone, whoever knows one machine still updates.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { digestOfTree } from '../../scripts/demo/build.ts'
import { changeSettings, type Origin, openStage, type Stage, type StageAgent } from '../../scripts/demo/stage.ts'
import { processesNaming } from '../support/processes.ts'
import { makeSmallBuild } from '../support/small-build.ts'

let directory: string
let stage: Stage
let origin: Origin
let first: StageAgent
let second: StageAgent
const digests: Record<string, string> = {}

/** Never looks by itself again, and knows these machines. */
const quiet = (agent: StageAgent, peers: readonly string[] = []) =>
  changeSettings(agent, (text) =>
    text
      .replace('"checkIntervalSeconds": 2', '"checkIntervalSeconds": 86400')
      .replace('"stallTimeoutSeconds": 20', `"stallTimeoutSeconds": 20, "peers": ${JSON.stringify(peers)}`),
  )

const addressOf = async (agent: StageAgent): Promise<string> =>
  `127.0.0.1:${(await agent.client.status()).agent.swarmPort}`

const publish = async (version: string): Promise<void> => {
  const build = await makeSmallBuild(join(directory, `build-${version}`), Object.keys(digests).length + 1)
  digests[version] = await digestOfTree(build)
  await stage.publish(build, version)
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  stage = await openStage({ directory: join(directory, 's'), product: 'acme' })
  await stage.init()
  await publish('1.0.0')
  origin = await stage.startOrigin()
  first = await stage.agent('a')
  await quiet(first)
  await first.start()
  await first.whenInstalled('1.0.0')
  second = await stage.agent('b')
  await quiet(second, [await addressOf(first)])
  await second.start()
  await second.whenInstalled('1.0.0')
}, 120_000)

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  expect(processesNaming(directory)).toEqual([])
  await rm(directory, { recursive: true, force: true })
})

test('a machine that has learnt of a release tells the others, which look before their time', async () => {
  await publish('1.1.0')
  await first.client.check()
  await Promise.all([first.whenInstalled('1.1.0'), second.whenInstalled('1.1.0')])
  expect(await digestOfTree(second.installedPath)).toBe(digests['1.1.0'])
}, 120_000)

test('origin, tracker and mirrors gone: a new machine that knows one other installs what that one has', async () => {
  await origin.stop()
  const third = await stage.agent('c')
  await quiet(third, [await addressOf(first)])
  await third.start()
  await third.whenInstalled('1.1.0')
  expect(await digestOfTree(third.installedPath)).toBe(digests['1.1.0'])
  const status = await third.productStatus()
  expect(status?.trust).toMatchObject({ level: 'attention', findings: [{ code: 'source-unreachable' }] })
  expect(status?.trust.findings[0]?.message).toContain('updraft-peer://127.0.0.1:')
}, 120_000)
