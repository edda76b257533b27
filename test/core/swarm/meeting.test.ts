// Where machines of one repository meet, over real connections on loopback.
import { afterEach, expect, test } from '@jest/globals'
import { type Edition, type Library, NO_EDITION, type PeerConversation, topicOf } from '@updraft/core/swarm/news/news'
import type { Swarm } from '@updraft/core/swarm/swarm'
import { openSwarm } from '@updraft/core/swarm/webtorrent-swarm'
import { callAsNewsPeer } from '../../support/news-peer.ts'

const swarms: Swarm[] = []
afterEach(async () => {
  for (const swarm of swarms.splice(0)) await swarm[Symbol.asyncDispose]()
})

const [OLD, NEW, FOREIGN] = ['1', '2', '3'].map((digit) => topicOf(digit.repeat(64))) as [string, string, string]

const libraryOf = (edition: Edition): Library => ({
  edition: async () => edition,
  read: async (path) => ({ bytes: Buffer.from(path), totalBytes: path.length }),
  ageOf: async () => undefined,
})

const machine = async (topics: readonly string[], edition = NO_EDITION, allowLoopback = true) => {
  const swarm = await openSwarm({ port: 0, allowLoopback, dht: false, localDiscovery: false })
  swarms.push(swarm)
  const told = Promise.withResolvers<PeerConversation>()
  const meeting = await swarm.meet({ topics, library: libraryOf(edition), onTold: told.resolve, onPeer: () => {} })
  return { swarm, meeting, told: told.promise, address: `127.0.0.1:${swarm.port}` }
}

test('both ends say what they have, know where to call back, and may ask', async () => {
  const [a, b] = [await machine([OLD], { root: 1, timestamp: 3, snapshot: 3 }), await machine([OLD])]
  const toA = await b.meeting.call(a.address)
  expect(toA).toMatchObject({ edition: { timestamp: 3 }, endpoint: a.address, isOpen: true })
  const fromB = await a.told
  expect(fromB).toMatchObject({ edition: NO_EDITION, endpoint: b.address })
  expect(String(await toA.fetch('metadata/timestamp.json', 99))).toBe('metadata/timestamp.json')
  expect(String(await fromB.fetch('metadata/1.root.json', 99))).toBe('metadata/1.root.json')
  toA.close()
  await expect(toA.fetch('metadata/timestamp.json', 99)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
})

test('machines with one root in common find each other, whichever is the newest; others do not', async () => {
  const [old, both] = [await machine([OLD]), await machine([NEW, OLD])]
  expect((await both.meeting.call(old.address)).isOpen).toBe(true)
  const stranger = await machine([FOREIGN])
  await expect(stranger.meeting.call(both.address)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  expect((await stranger.meeting.call(both.address, { topics: [NEW] })).isOpen).toBe(true)
})

test('loopback is called only where its owner allows that, and nobody calls himself', async () => {
  const there = await machine([OLD])
  const careful = await machine([OLD], NO_EDITION, false)
  await expect(careful.meeting.call(there.address)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  await expect(there.meeting.call(there.address)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
})

test('whoever sends what is no message is cut off', async () => {
  const { swarm } = await machine([OLD])
  await callAsNewsPeer(swarm.port, OLD, { onReady: ({ say }) => say(Buffer.from('d1:ti1ee')) })
})

test('a meeting that is left answers nobody; the swarm ends the conversations', async () => {
  const [a, b] = [await machine([OLD]), await machine([OLD])]
  const conversation = await b.meeting.call(a.address)
  await a.swarm[Symbol.asyncDispose]()
  await expect(conversation.fetch('metadata/timestamp.json', 99)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  await expect(b.meeting.call(a.address)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
})

test('more callers than may be here push out the oldest', async () => {
  const { meeting, address } = await machine([OLD])
  const callers: PeerConversation[] = []
  for (let n = 0; n < 34; n += 1) {
    const other = await machine([OLD])
    callers.push(await other.meeting.call(address))
  }
  while (callers.filter(({ isOpen }) => isOpen).length > 32) await new Promise((turn) => setImmediate(turn))
  expect(callers[0]?.isOpen).toBe(false)
  expect(callers.at(-1)?.isOpen).toBe(true)
  meeting.close()
}, 60_000)
