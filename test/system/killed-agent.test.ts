// An agent that is killed at any point of an update goes on at its next start: either the old or the new version is there at
// every moment, and in the end the new one is installed, shared, and nothing is left in `staging/`.
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { digestOfTree } from '../../scripts/demo/build.ts'
import { openStage, type Stage, type StageAgent } from '../../scripts/demo/stage.ts'
import { makeSmallBuild } from '../support/small-build.ts'

let directory: string
let stage: Stage
const digests: Record<string, string> = {}
const builds: Record<string, string> = {}

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  stage = await openStage({ directory: join(directory, 's'), product: 'acme' })
  for (const [version, seed] of [
    ['1.0.0', 1],
    ['1.1.0', 2],
  ] as const) {
    builds[version] = await makeSmallBuild(join(directory, version), seed)
    digests[version] = await digestOfTree(builds[version])
  }
  await stage.init()
  await stage.publish(builds['1.0.0'] ?? '', '1.0.0')
  await stage.startOrigin()
}, 60_000)

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

/** The installed version is shared a moment after it is installed; an event says when. */
const whenShared = async (agent: StageAgent, releases: number): Promise<void> => {
  const signal = AbortSignal.timeout(60_000)
  const { cursor } = await agent.client.status({ signal })
  const isShared = async () => (await agent.productStatus())?.seeding.releases === releases
  if (await isShared()) return
  for await (const { event } of agent.client.events(cursor, { signal })) {
    if (event.kind === 'seeding' && (await isShared())) return
  }
}

const POINTS = ['downloading', 'verifying', 'activating', 'committed'] as const

test('killed at each state of an update, it ends with the new version', async () => {
  const agents = await Promise.all(POINTS.map((point) => stage.agent(point)))
  for (const agent of agents) {
    await agent.start()
    await agent.whenInstalled('1.0.0')
  }
  await Promise.all(
    agents.map(async (agent) => {
      const { cursor } = await agent.client.status()
      const running = agent.running()
      const killed = (async () => {
        for await (const { event } of agent.client.events(cursor, { signal: AbortSignal.timeout(60_000) })) {
          if (event.kind !== 'update' || event.update.version !== '1.1.0' || event.update.state !== agent.name) continue
          await running.kill()
          return
        }
      })()
      if (agent === agents[0]) await stage.publish(builds['1.1.0'] ?? '', '1.1.0')
      await killed.catch(() => {}) // The connection ends with the process.
      expect(Object.values(digests)).toContain(await digestOfTree(agent.installedPath))

      await agent.start()
      await agent.whenInstalled('1.1.0')
      expect(await digestOfTree(agent.installedPath)).toBe(digests['1.1.0'])
      await whenShared(agent, 2)
      expect(await readdir(join(agent.home, 'staging'))).toEqual([])
    }),
  )
}, 180_000)
