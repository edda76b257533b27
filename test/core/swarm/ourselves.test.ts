// An agent that is named to itself, as trackers do all the time: it calls once, and knows from then on, in each of its torrents.
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { rememberOurselves } from '@updraft/core/swarm/peers/ourselves'
import { atEnd, fetching, makeBuild, open, peerAt, STALL, seeding, until } from './swarm-support.ts'

/** Another endpoint at which whoever listens on `port` answers. */
const openMirror = async (port: number) => {
  let [calls, open] = [0, 0]
  const server = createServer((socket) => {
    calls += 1
    open += 1
    const inner = connect(port, '127.0.0.1')
    socket.on('error', () => {}).pipe(inner)
    inner.on('error', () => {}).pipe(socket)
    socket.once('close', () => {
      open -= 1
      inner.destroy()
    })
    inner.once('close', () => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  atEnd(() => new Promise<void>((closed) => server.close(() => closed())))
  return {
    peer: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls: () => calls,
    isOver: () => calls > 0 && open === 0,
  }
}

test('calls itself once, and not again for another torrent', async () => {
  const [first, second, a, b] = await Promise.all([makeBuild(), makeBuild(), open(), open()])
  const mirror = await openMirror(b.port)
  await b.add(await fetching(first, { peers: [mirror.peer] }))
  await until(mirror.isOver, 'b has called itself')
  await a.add(seeding(second))
  const torrent = await b.add(await fetching(second, { peers: [mirror.peer, peerAt(a)] }))
  await torrent.whenDone(STALL)
  expect(mirror.calls()).toBe(1)
})

describe('what is remembered', () => {
  test('lasts an hour, and no longer: an address may go to another machine', () => {
    let now = 0
    const ourselves = rememberOurselves(() => now)
    ourselves.note('192.0.2.1:6881')
    expect([ourselves.isOurs('192.0.2.1:6881'), ourselves.isOurs('192.0.2.1:6882')]).toEqual([true, false])
    now = 3_600_000
    expect(ourselves.isOurs('192.0.2.1:6881')).toBe(false)
  })

  test('is bounded, whoever claims to be us', () => {
    const ourselves = rememberOurselves(() => 0)
    for (let port = 1; port <= 1_000; port += 1) ourselves.note(`192.0.2.1:${port}`)
    expect(
      Array.from({ length: 1_000 }, (_, port) => ourselves.isOurs(`192.0.2.1:${port + 1}`)).filter(Boolean),
    ).toHaveLength(64)
    expect(ourselves.isOurs('192.0.2.1:1000')).toBe(true)
  })
})
