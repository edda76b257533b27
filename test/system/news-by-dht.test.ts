// No source, no tracker, no machine that is known: the DHT leads to one that has the newest metadata and the release.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { digestOfTree } from '../../scripts/demo/build.ts'
import { changeSettings, type Origin, openStage, type Stage, type StageAgent } from '../../scripts/demo/stage.ts'
import { type DhtNodes, openDhtNodes } from '../support/dht-nodes.ts'
import { processesNaming } from '../support/processes.ts'
import { makeSmallBuild } from '../support/small-build.ts'

let directory: string
let nodes: DhtNodes
let stage: Stage
let origin: Origin
let first: StageAgent
let digest: string

const inTable = async (name: string): Promise<StageAgent> => {
  const agent = await stage.agent(name)
  await changeSettings(agent, (text) =>
    text.replace(
      '"stallTimeoutSeconds": 20',
      `"stallTimeoutSeconds": 20, "dht": true, "dhtBootstrap": ["${nodes.bootstrap}"]`,
    ),
  )
  return agent
}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  nodes = await openDhtNodes()
  stage = await openStage({ directory: join(directory, 's'), product: 'acme' })
  const build = await makeSmallBuild(join(directory, 'build'))
  digest = await digestOfTree(build)
  await stage.init()
  await stage.publish(build, '1.0.0')
  origin = await stage.startOrigin({ more: ['--dht-bootstrap', nodes.bootstrap] })
  first = await inTable('a')
  await first.start()
  await first.whenInstalled('1.0.0')
}, 120_000)

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  await nodes[Symbol.asyncDispose]()
  expect(processesNaming(directory)).toEqual([])
  await rm(directory, { recursive: true, force: true })
})

test('a new machine finds another one through the DHT, and installs what that one has', async () => {
  await origin.stop()
  const second = await inTable('b')
  await second.start()
  await second.whenInstalled('1.0.0')
  expect(await digestOfTree(second.installedPath)).toBe(digest)
  expect((await second.client.status()).sources[0]).toMatchObject({ newest: { from: 'dht' } })
}, 120_000)
