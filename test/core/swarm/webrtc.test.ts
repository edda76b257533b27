// Peers over WebRTC that meet through a tracker over WebSocket: real ones of both, and hostile ones.
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { addressPolicy } from '@updraft/core/swarm/peers/addresses'
import { parseDescription } from '@updraft/core/swarm/webrtc/description'
import { type WebSocket as ServerSocket, WebSocketServer } from 'ws'
import { atEnd, fetching, makeBuild, open, openTracker, readBundle, STALL, seeding, until } from './swarm-support.ts'

const webRtc = { stunServers: [] }

test('a machine without an address fetches over WebRTC, and seeds on', async () => {
  const build = await makeBuild()
  const { ws } = await openTracker()
  const trackers = { trackers: [ws] }
  const seed = await (await open({ webRtc })).add(seeding(build, trackers))
  const options = await fetching(build, trackers)
  const first = await (await open({ webRtc })).add(options)
  await first.whenDone(STALL)
  expect(await readBundle(options.directory, build.metainfo)).toMatchObject({ index: build.index, pack: build.pack })
  expect(first.state().bytes).toMatchObject({ origin: 0, peers: build.metainfo.lengthBytes })
  expect(seed.state().uploadedBytes).toBeGreaterThanOrEqual(build.metainfo.lengthBytes)

  await seed.remove()
  const last = await (await open({ webRtc })).add(await fetching(build, trackers))
  await last.whenDone(STALL)
  expect(options.warnings).toEqual([])
})

test('without WebRTC, such a tracker is passed over', async () => {
  const build = await makeBuild()
  const options = await fetching(build, {
    trackers: ['ws://127.0.0.1:9'],
  })
  await (await open()).add(options)
  expect(options.warnings).toEqual([])
})

test('a tracker that nobody answers at is told of, and asked again', async () => {
  const build = await makeBuild()
  const options = await fetching(build, { trackers: ['ws://127.0.0.1:9'] })
  await (await open({ webRtc })).add(options)
  await until(() => options.warnings.length > 0, 'a warning')
  expect(options.warnings[0]).toMatch(/^tracker ws:\/\/127\.0\.0\.1:9: .*ECONNREFUSED.*; trying again in 2 s$/)
})

describe('a description', () => {
  const policy = addressPolicy({ allowLoopback: false })
  const candidate = (address: string, { transport = 'UDP', port = '4000' } = {}) =>
    `a=candidate:1 1 ${transport} 2114977791 ${address} ${port} typ host`
  const sdpOf = (...lines: string[]) =>
    ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', ...lines, 'a=end-of-candidates', ''].join('\r\n')
  const candidatesIn = (sdp: string) =>
    parseDescription({ type: 'offer', sdp }, 'offer', policy)?.sdp.match(/^a=candidate.*$/gm)?.length ?? 0

  test.each([
    ['192.0.2.7', 1],
    ['fd00::7', 1],
    ['127.0.0.1', 0],
    ['::1', 0],
    ['169.254.169.254', 0],
    ['fe80::1', 0],
    ['::ffff:127.0.0.1', 0],
    ['0.0.0.0', 0],
    ['224.0.0.1', 0],
    ['4f1c2e9a-0b6d-4a6e-9d5e-1c2d3e4f5a6b.local', 0],
    ['printer.example', 0],
    ['', 0],
  ])('leads to %s: %d candidate is kept', (address, kept) => {
    expect(candidatesIn(sdpOf(candidate(address)))).toBe(kept)
  })

  test('keeps what is in it besides, in its order', () => {
    const sdp = sdpOf('a=setup:actpass', candidate('127.0.0.1'), candidate('192.0.2.7'), 'a=mid:0')
    expect(parseDescription({ type: 'offer', sdp }, 'offer', policy)?.sdp.split('\r\n').slice(2, 5)).toEqual([
      'a=setup:actpass',
      candidate('192.0.2.7'),
      'a=mid:0',
    ])
  })

  test('has a bounded number of candidates, over UDP, with a port', () => {
    expect(candidatesIn(sdpOf(...Array.from({ length: 100 }, () => candidate('192.0.2.7'))))).toBe(32)
    expect(candidatesIn(sdpOf(candidate('192.0.2.7', { transport: 'TCP' })))).toBe(0)
    for (const port of ['0', '65536', '-1', 'x']) expect(candidatesIn(sdpOf(candidate('192.0.2.7', { port })))).toBe(0)
  })

  test.each([
    ['nothing', undefined],
    ['a text', 'v=0'],
    ['a list', ['v=0']],
    ['an answer', { type: 'answer', sdp: sdpOf() }],
    ['no text', { type: 'offer', sdp: 7 }],
    ['something else', { type: 'offer', sdp: 'hello' }],
    ['too long', { type: 'offer', sdp: sdpOf('x'.repeat(20_000)) }],
  ])('that is %s is none', (_, value) => {
    expect(parseDescription(value, 'offer', policy)).toBeUndefined()
  })
})

describe('a hostile tracker', () => {
  /** What it says to everyone who announces, before and after a proper answer. */
  const openHostile = async (
    says: (infoHash: string, socket: ServerSocket) => void,
  ): Promise<{ url: string; announces: () => number }> => {
    let announces = 0
    const server = new WebSocketServer({ host: '127.0.0.1', port: 0 })
    atEnd(() => {
      for (const client of server.clients) client.terminate()
      return new Promise<void>((closed) => server.close(() => closed()))
    })
    server.on('connection', (socket) => {
      socket.on('error', () => {})
      socket.on('message', (text) => {
        const { info_hash, event } = JSON.parse(String(text))
        if (event !== 'stopped') announces += 1
        says(info_hash, socket)
      })
    })
    await new Promise<void>((listening) => server.once('listening', listening))
    return { url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`, announces: () => announces }
  }
  const proper = (info_hash: string) => JSON.stringify({ action: 'announce', info_hash, interval: 60, incomplete: 1 })
  const stranger = (number: number) => number.toString().padStart(20, 'x')

  const NOISE: readonly (readonly [name: string, (infoHash: string, socket: ServerSocket) => void])[] = [
    ['says what is no JSON', (_, socket) => socket.send('{')],
    ['says lists and numbers', (_, socket) => { for (const text of ['[]', '7', 'null', '"x"']) socket.send(text) }],
    ['speaks of other torrents', (_, socket) => socket.send(proper('y'.repeat(20)))],
    ['names peers that are none', (info_hash, socket) => socket.send(JSON.stringify({ info_hash, peer_id: { a: 1 }, offer: {}, offer_id: 'x' }))],
    ['answers what was not offered', (info_hash, socket) => socket.send(JSON.stringify({ info_hash, peer_id: stranger(1), answer: { type: 'answer', sdp: 'v=0\r\n' }, offer_id: 'z'.repeat(20) }))],
    ['offers nonsense', (info_hash, socket) => socket.send(JSON.stringify({ info_hash, peer_id: stranger(2), offer: { type: 'offer', sdp: 'v=0\r\nnonsense' }, offer_id: 'z'.repeat(20) }))],
    ['floods with offers', (info_hash, socket) => { for (let at = 0; at < 500; at += 1) socket.send(JSON.stringify({ info_hash, peer_id: stranger(at), offer: { type: 'offer', sdp: 'v=0\r\n' }, offer_id: stranger(at) })) }],
  ] // biome-ignore format: one case per line

  test.each(NOISE)('that %s does no harm, and honest peers are found', async (_, noise) => {
    const build = await makeBuild({ packBytes: 64 * 1024 })
    const { url, announces } = await openHostile((infoHash, socket) => {
      noise(infoHash, socket)
      socket.send(proper(infoHash))
    })
    const { ws } = await openTracker()
    await (await open({ webRtc })).add(seeding(build, { trackers: [ws] }))
    const options = await fetching(build, { trackers: [url, ws] })
    await (await (await open({ webRtc })).add(options)).whenDone(STALL)
    await until(() => announces() > 0, 'an announce')
    expect(options.warnings).toEqual([])
  })

  test('that sends too much is left, and told of', async () => {
    const build = await makeBuild({ packBytes: 64 * 1024 })
    const { url } = await openHostile((_, socket) => socket.send(' '.repeat(100_000)))
    const options = await fetching(build, { trackers: [url] })
    await (await open({ webRtc })).add(options)
    await until(() => options.warnings.length > 0, 'a warning')
  })

  test('that forgets us hears of us again', async () => {
    const build = await makeBuild({ packBytes: 64 * 1024 })
    const { url, announces } = await openHostile((infoHash, socket) => {
      socket.send(proper(infoHash))
      if (announces() === 1) socket.close()
    })
    await (await open({ webRtc })).add(seeding(build, { trackers: [url] }))
    await until(() => announces() >= 2, 'another announce')
  })

  test('on an address that is not allowed is not called', async () => {
    const build = await makeBuild({ packBytes: 64 * 1024 })
    const { url, announces } = await openHostile(() => {})
    const options = await fetching(build, { trackers: [url, url.replace('127.0.0.1', 'localhost')] })
    await (await open({ webRtc, allowLoopback: false })).add(options)
    await until(() => options.warnings.length >= 2, 'two warnings')
    expect(options.warnings).toEqual(
      Array.from({ length: 2 }, () => expect.stringMatching(/is at .*, which is not allowed without allowLoopback/)),
    )
    expect(announces()).toBe(0)
  })
})
