// Sharing a kept bundle again after a start: hashed if its files look otherwise than they did, believed if not, and then still
// never sent unproved. A real bundle in a real swarm.
import { mkdir, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { seedBundle } from '@updraft/agent/seed'
import { openStore } from '@updraft/agent/store'
import type { SeedRecord } from '@updraft/agent/store/seeds'
import type { SwarmTorrent, TorrentOptions } from '@updraft/core/swarm/swarm'
import { keepInHome, makeContent } from '../bench/agent/content.ts'
import { open, peerAt, temporaryFolder, until } from '../core/swarm/swarm-support.ts'

const keepOne = async () => {
  const folder = await temporaryFolder()
  const home = join(folder, 'home')
  await mkdir(join(home, 'state'), { recursive: true })
  const [content] = await makeContent(folder, 1, 'http://127.0.0.1:9/announce')
  if (content === undefined) throw new Error('nothing was made')
  await keepInHome(home, [content])
  using store = openStore(join(home, 'state'))
  const [seed] = store.seeds.all()
  if (seed === undefined) throw new Error('nothing is kept')
  const frames = join(home, 'bundles', seed.name, 'pack.frames')
  return { home, seed, content, frames }
}

/** Shares it, and notes how it was believed. */
const share = async (home: string, seed: SeedRecord, stamp?: string) => {
  const swarm = await open()
  const had: TorrentOptions['have'][] = []
  const warnings: string[] = []
  let torrent: SwarmTorrent | undefined
  const add = async (options: TorrentOptions): Promise<SwarmTorrent> => {
    had.push(options.have)
    torrent = await swarm.add({ ...options, trackers: [] })
    return torrent
  }
  const onWarning = (warning: string): void => void warnings.push(warning)
  const after = await seedBundle(seed, { bundlesDirectory: join(home, 'bundles'), swarm: { add }, onWarning, stamp })
  return { swarm, had, warnings, stamp: after, torrent: () => torrent }
}

test('is hashed once, and believed from then on, until a file changes', async () => {
  const { home, seed, frames } = await keepOne()
  const first = await share(home, seed)
  expect([first.had, first.stamp]).toEqual([['check'], expect.stringMatching(/^[0-9a-f]{64}$/)])
  const second = await share(home, seed, first.stamp)
  expect([second.had, second.stamp]).toEqual([['believed'], first.stamp])
  const [frame = ''] = await readdir(frames)
  await rm(join(frames, frame))
  const third = await share(home, seed, first.stamp)
  expect([third.had, third.stamp]).toEqual([['check'], undefined]) // Something is missing: nothing is to be believed.
})

test('a frame that went bad without a trace is never sent, and the bundle is hashed again', async () => {
  const { home, seed, content, frames } = await keepOne()
  const [frame = ''] = await readdir(frames)
  const path = join(frames, frame)
  await utimes(path, 1, 1)
  const { stamp } = await share(home, seed)
  await writeFile(
    path,
    (await readFile(path)).map((byte) => byte ^ 1),
  )
  await utimes(path, 1, 1)
  const seeding = await share(home, seed, stamp)
  expect(seeding.had).toEqual(['believed'])

  const peer = await open()
  const warnings: string[] = []
  await peer.add({
    metainfo: content.metainfo,
    directory: await temporaryFolder(),
    have: 'check',
    trackers: [],
    webSeeds: [],
    peers: [peerAt(seeding.swarm)],
    onWarning: (warning) => warnings.push(warning),
  })
  await until(() => seeding.had.length === 2 && seeding.torrent()?.state().done === false, 'it is hashed again')
  expect(seeding.had).toEqual(['believed', 'check'])
  expect(seeding.warnings).toContainEqual(expect.stringMatching(/damaged on disk/))
  expect(warnings.filter((warning) => /bad data|not what was published/.test(warning))).toEqual([])
})
