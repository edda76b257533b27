// What a swarm may use of the network: apart for the LAN and for what is outside of it, and changed while it is open.
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import type { SwarmOptions } from '@updraft/core/swarm/swarm'
import { makeBuild, open, temporaryFolder, until } from './swarm-support.ts'

const MIB = 1024 * 1024
/** Here, all peers are on this machine, which is outside unless somebody says so. */
const ALL_NEAR: Partial<SwarmOptions> = { lan: ['127.0.0.0/8'] }

/** A seed, and somebody who fetches all of it from there. */
const transfer = async (packBytes: number, ofSeed: Partial<SwarmOptions>, ofPeer: Partial<SwarmOptions> = {}) => {
  const build = await makeBuild({ packBytes })
  const [seed, peer] = await Promise.all([open(ofSeed), open(ofPeer)])
  const { metainfo, directory } = build
  await seed.add({ metainfo, directory, have: 'all', trackers: [], webSeeds: [] })
  const startedAt = performance.now()
  const torrent = await peer.add({
    metainfo,
    directory: join(await temporaryFolder(), 'to'),
    have: 'check',
    trackers: [],
    webSeeds: [],
    peers: [`127.0.0.1:${seed.port}`],
  })
  return {
    seed,
    peer,
    torrent,
    done: async () => {
      await torrent.whenDone({ stallTimeoutMs: 30_000 })
      return (performance.now() - startedAt) / 1_000
    },
    lengthBytes: metainfo.lengthBytes,
  }
}

test.each<[string, Partial<SwarmOptions>, Partial<SwarmOptions>]>([
  ['what is sent', { uploadLimit: MIB }, {}],
  ['what is fetched', {}, { downloadLimit: MIB }],
  ['what is sent in the LAN', { ...ALL_NEAR, lanUploadLimit: MIB }, ALL_NEAR],
  ['what is fetched in the LAN', ALL_NEAR, { ...ALL_NEAR, lanDownloadLimit: MIB }],
])('a limit on %s is kept', async (_what, ofSeed, ofPeer) => {
  const { done, lengthBytes } = await transfer(2 * MIB, ofSeed, ofPeer)
  // A quarter of a second's worth may go at once, and a block too much.
  expect(await done()).toBeGreaterThan(((lengthBytes - 64 * 1024) / MIB - 0.25) * 0.95)
})

test('a limit for outside is none for the LAN, and what is sent is counted apart', async () => {
  const near = await transfer(MIB, { ...ALL_NEAR, uploadLimit: 1_024 }, { ...ALL_NEAR, downloadLimit: 1_024 })
  await near.done()
  expect(near.seed.uploadedBytes).toEqual({ lan: near.lengthBytes, outside: 0 })
  const far = await transfer(MIB, { lanUploadLimit: 1_024 }, { lanDownloadLimit: 1_024 })
  await far.done()
  expect(far.seed.uploadedBytes).toEqual({ lan: 0, outside: far.lengthBytes })
})

test('another limit holds at once, also for who waits', async () => {
  const { seed, torrent, done } = await transfer(MIB, { uploadLimit: 1_024 })
  await expect(torrent.whenDone({ stallTimeoutMs: 1_000 })).rejects.toMatchObject({ code: 'SWARM_STALLED' })
  seed.change({})
  await done()
})

test('nothing is sent outside while that is paused, everything in the LAN, and it goes on afterwards', async () => {
  const near = await transfer(MIB, { ...ALL_NEAR, sharesOutside: false })
  await near.done()
  const { seed, torrent, done } = await transfer(MIB, { sharesOutside: false })
  await until(() => torrent.state().peers === 1, 'the connection')
  await expect(torrent.whenDone({ stallTimeoutMs: 1_000 })).rejects.toMatchObject({ code: 'SWARM_STALLED' })
  expect([torrent.state().peers, torrent.state().bytes.peers, seed.uploadedBytes.outside]).toEqual([1, 0, 0])
  seed.change({ sharesOutside: true })
  await done()
})

test('a pause ends what is under way, and what is fetched goes on', async () => {
  const { seed, torrent } = await transfer(4 * MIB, { uploadLimit: 512 * 1024 })
  await until(() => torrent.state().haveBytes > 0, 'the first piece')
  seed.change({ uploadLimit: 512 * 1024, sharesOutside: false })
  await expect(torrent.whenDone({ stallTimeoutMs: 1_500 })).rejects.toMatchObject({ code: 'SWARM_STALLED' })
  const other = await makeBuild()
  const source = await open()
  const { metainfo, directory } = other
  await source.add({ metainfo, directory, have: 'all', trackers: [], webSeeds: [] })
  const fetched = await seed.add({
    metainfo,
    directory: await temporaryFolder(),
    have: 'check',
    trackers: [],
    webSeeds: [],
    peers: [`127.0.0.1:${source.port}`],
  })
  await fetched.whenDone({ stallTimeoutMs: 30_000 })
})

test('who yields is no slower for somebody who needs no room', async () => {
  const { done, seed } = await transfer(4 * MIB, { yields: true }, { yields: true })
  await done()
  expect(seed.uploadedBytes.outside).toBeGreaterThanOrEqual(4 * MIB)
})
