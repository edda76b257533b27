// An agent that pinned another root than the repository's installs nothing from it, and says so.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { openStage, type Stage } from '../../scripts/demo/stage.ts'
import { makeSmallBuild } from '../support/small-build.ts'

let directory: string
let stage: Stage
let stranger: Stage
let url: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  stage = await openStage({ directory: join(directory, 's'), product: 'acme' })
  stranger = await openStage({ directory: join(directory, 'x'), product: 'acme' })
  await Promise.all([stage.init(), stranger.init()])
  await stage.publish(await makeSmallBuild(join(directory, 'build')), '1.0.0')
  ;({ url } = await stage.startOrigin())
}, 60_000)

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

test('an agent with the root of somebody else refuses everything the source says', async () => {
  const agent = await stage.agent('a')
  expect((await agent.run(['trust', 'remove', 'demo'])).exitCode).toBe(0)
  const root = join(stranger.repository, 'metadata/1.root.json')
  expect((await agent.run(['trust', 'add', url, '--name', 'demo', '--root', root])).exitCode).toBe(0)
  const { exitCode, stderr } = await agent.run(['run', '--once'])
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 6 })
  expect(await readdir(agent.home)).not.toContain('products')
  const { stdout } = await agent.run(['status', '--json'])
  expect(stdout).toContain('metadata-untrusted')
})

test('an agent without any root has nothing to do with the source', async () => {
  const agent = await stage.agent('b')
  await agent.run(['trust', 'remove', 'demo'])
  expect(await agent.run(['run', '--once'])).toMatchObject({ exitCode: 6 })
  expect(await readdir(agent.home)).not.toContain('products')
})

test("a fingerprint that is not the source's is refused, and nothing is pinned", async () => {
  const agent = await stage.agent('c')
  await agent.run(['trust', 'remove', 'demo'])
  const wrong = `sha256:${'0'.repeat(64)}`
  expect(await agent.run(['trust', 'add', url, '--fingerprint', wrong])).toMatchObject({ exitCode: 6 })
  expect((await agent.run(['trust', 'list', '--json'])).stdout).not.toContain(url)
})

test('a second, different root for a known source is refused', async () => {
  const agent = await stage.agent('d')
  const root = join(stranger.repository, 'metadata/1.root.json')
  expect(await agent.run(['trust', 'add', url, '--name', 'demo', '--root', root])).toMatchObject({ exitCode: 4 })
})
