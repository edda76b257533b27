// The origin is gone: what is installed keeps running and is given to others, and the agent says why it cannot check.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import { openSwarm } from '@updraft/core/swarm/webtorrent-swarm'
import { digestOfTree } from '../../scripts/demo/build.ts'
import { lastingPort } from '../../scripts/demo/lasting-port.ts'
import { changeSettings, openStage, type Stage, type StageAgent } from '../../scripts/demo/stage.ts'
import { processesNaming } from '../support/processes.ts'
import { makeSmallBuild } from '../support/small-build.ts'

let directory: string
let stage: Stage
let agent: StageAgent
let digest: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  stage = await openStage({ directory: join(directory, 's'), product: 'acme' })
  const build = await makeSmallBuild(join(directory, 'build'))
  digest = await digestOfTree(build)
  await stage.init()
  await stage.publish(build, '1.0.0')
  const origin = await stage.startOrigin()
  agent = await stage.agent('a')
  await agent.start()
  await agent.whenInstalled('1.0.0')
  await origin.stop()
}, 60_000)

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  expect(processesNaming(directory)).toEqual([])
  await rm(directory, { recursive: true, force: true })
})

test('the agent says that the source cannot be reached, and since when', async () => {
  const { cursor } = await agent.client.check()
  for await (const { event } of agent.client.events(cursor, { signal: AbortSignal.timeout(30_000) })) {
    if (event.kind === 'idle') break
  }
  const status = await agent.productStatus()
  expect(status?.trust.findings).toMatchObject([{ code: 'source-unreachable', severity: 'warning' }])
  expect(status?.trust.findings[0]?.message).toContain('http://127.0.0.1:')
  const { stdout, exitCode } = await agent.run(['status'])
  expect(exitCode).toBe(0)
  expect(stdout).toContain('1.0.0')
  expect(stdout).toMatch(/reach/)
}, 60_000)

test('what is installed stays as it was', async () => {
  expect(await digestOfTree(agent.installedPath)).toBe(digest)
})

test('the bundle is given to others, also after the agent was restarted', async () => {
  const metainfo = parseMetainfo(await readFile(join(agent.home, 'bundles/acme_1.0.0_any.torrent')))
  await agent.stop()
  await agent.start()
  const { swarmPort } = (await agent.client.status()).agent
  await using swarm = await openSwarm({ port: 0, allowLoopback: true, dht: false, localDiscovery: false })
  const torrent = await swarm.add({
    metainfo,
    directory: join(directory, 'other'),
    have: 'check',
    trackers: [],
    webSeeds: [],
    peers: [`127.0.0.1:${swarmPort}`],
  })
  await torrent.whenDone({ stallTimeoutMs: 30_000 })
  expect(torrent.state().bytes).toMatchObject({ origin: 0 })
}, 60_000)

test('a quota that is used up ends giving and nothing else; it counts what was given before a restart, and may be raised', async () => {
  const metainfo = parseMetainfo(await readFile(join(agent.home, 'bundles/acme_1.0.0_any.torrent')))
  const { sharing } = await agent.client.status()
  expect(sharing?.sentBytes.outside).toBeGreaterThanOrEqual(metainfo.lengthBytes)
  expect(sharing?.paused).toBeUndefined()
  await agent.stop()
  const port = await lastingPort()
  await changeSettings(agent, (text) =>
    text.replace('"network": {', `"network": { "port": ${port}, "uploadQuotaBytesPerMonth": 1,`),
  )
  await agent.start()
  const whenSharing = async (isSo: (paused: string | undefined) => boolean): Promise<void> => {
    while (!isSo((await agent.client.transfers()).sharing?.paused)) await new Promise((next) => setTimeout(next, 50))
  }
  await whenSharing((paused) => paused === 'quota')
  expect((await agent.run(['status'])).stdout).toMatch(
    /Gives nothing out of the LAN: the quota .* of 1 B out of the LAN/,
  )

  await using swarm = await openSwarm({ port: 0, allowLoopback: true, dht: false, localDiscovery: false })
  const torrent = await swarm.add({
    metainfo,
    directory: join(directory, 'third'),
    have: 'check',
    trackers: [],
    webSeeds: [],
    peers: [`127.0.0.1:${port}`],
  })
  while (torrent.state().peers === 0) await new Promise((next) => setTimeout(next, 20))
  await expect(torrent.whenDone({ stallTimeoutMs: 2_000 })).rejects.toMatchObject({ code: 'SWARM_STALLED' })
  expect(torrent.state()).toMatchObject({ peers: 1, haveBytes: 0 })
  await changeSettings(agent, (text) => text.replace('"uploadQuotaBytesPerMonth": 1,', ''))
  await torrent.whenDone({ stallTimeoutMs: 30_000 })
  await whenSharing((paused) => paused === undefined)
}, 90_000)
