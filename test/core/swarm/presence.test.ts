// A complete torrent that nobody asks for rests, and that is all the difference that anybody sees.
import { expect, test } from '@jest/globals'
import type { Exchange } from '@updraft/core/swarm/exchange'
import { rememberOurselves } from '@updraft/core/swarm/peers/ourselves'
import { createPresence } from '@updraft/core/swarm/presence'
import { openSwarm } from '@updraft/core/swarm/webtorrent-swarm'
import type WebTorrent from 'webtorrent'
import {
  atEnd,
  fetching,
  makeBuild,
  open,
  openTracker,
  peerAt,
  readBundle,
  STALL,
  seeding,
  until,
} from './swarm-support.ts'

test('serves whoever comes after it has rested, and counts on where it was', async () => {
  const build = await makeBuild()
  const options = { port: 0, allowLoopback: true, dht: false, localDiscovery: false }
  const seed = await openSwarm(options, { closeIdleEveryMs: 20 })
  atEnd(() => seed[Symbol.asyncDispose]())
  const seeded = await seed.add(seeding(build))
  for (const round of [1, 2, 3]) {
    const swarm = await open()
    const wanted = await fetching(build, { peers: [peerAt(seed)] })
    const torrent = await swarm.add(wanted)
    await torrent.whenDone(STALL)
    expect((await readBundle(wanted.directory, build.metainfo)).pack.equals(build.pack)).toBe(true)
    expect(torrent.state().bytes).toMatchObject({ peers: build.metainfo.lengthBytes })
    expect(seeded.state().uploadedBytes).toBe(round * build.metainfo.lengthBytes)
    await torrent.remove()
    await until(() => seeded.state().peers === 0, 'the peer has left')
    await new Promise((resolve) => setTimeout(resolve, 60)) // Three sweeps.
  }
})

test('calls a peer that a tracker names, though it rests', async () => {
  const [build, tracker, a, b] = await Promise.all([makeBuild(), openTracker(), open(), open()])
  const trackers = [tracker.http]
  const wanted = await fetching(build, { trackers })
  const torrent = await b.add(wanted)
  await until(() => Object.keys(tracker.server.torrents).length > 0, 'the tracker knows who lacks something')
  await a.add(seeding(build, { trackers }))
  await torrent.whenDone(STALL)
  expect((await readBundle(wanted.directory, build.metainfo)).pack.equals(build.pack)).toBe(true)
})

test('is unknown to webtorrent until somebody asks for it, and again when nobody does any more', async () => {
  const { metainfo } = await makeBuild()
  const { default: WebTorrentClient } = await import('webtorrent')
  const client = new WebTorrentClient({
    torrentPort: 0,
    peerId: '2d'.repeat(20),
    userAgent: 'test',
    maxConns: 1,
    dht: false,
    tracker: false,
    lsd: false,
    utPex: false,
    natUpnp: false,
    natPmp: false,
    utp: false,
    webSeeds: false,
    secure: 0,
  })
  atEnd(() => new Promise<void>((closed) => client.destroy(() => closed())))
  const known = (): number => (client as WebTorrent & { readonly torrents: readonly unknown[] }).torrents.length
  let isDone = false
  let exchanges = 0
  const presence = createPresence({
    client,
    gate: {
      policy: { allows: () => true },
      bans: { isBanned: () => false, ban: () => {} },
      ourselves: rememberOurselves(() => 0),
    },
    metainfo,
    isDone: () => isDone,
    createExchange: () => {
      exchanges += 1
      return { receivedBytes: { peers: 5, origin: 1 }, close: () => {} } as object as Exchange
    },
    onWarning: () => {},
    onError: (error) => {
      throw error
    },
  })
  expect([known(), presence.exchange]).toEqual([0, undefined])
  const [one, two] = await Promise.all([presence.enter(), presence.enter()])
  expect([known(), exchanges, one === two]).toEqual([1, 1, true])
  presence.rest()
  expect(known()).toBe(1) // Something is missing.
  isDone = true
  presence.rest()
  expect([known(), presence.exchange, presence.receivedBytes]).toEqual([0, undefined, { peers: 5, origin: 1 }])
  await presence.enter()
  expect([known(), exchanges, presence.receivedBytes]).toEqual([1, 2, { peers: 10, origin: 2 }])
  await presence.close()
  expect(known()).toBe(0)
  await expect(presence.enter()).rejects.toThrow(/has left/)
})
