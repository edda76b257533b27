// The embedded tracker over real sockets: stock clients over HTTP, UDP and WebSocket, and clients that mean harm.
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals'
import bencode from 'bencode'
import Client from 'bittorrent-tracker/client'
import { openFileServer } from '../../publisher/src/origin/files.ts'
import { type HttpServer, openHttpServer } from '../../publisher/src/origin/http.ts'
import { announceIntervalSeconds, openTracker, type Tracker } from '../../publisher/src/origin/tracker.ts'
import { countsOf, silentLog, until, untilTrue } from './origin-support.ts'

const KNOWN = 'aa'.repeat(20)
const OTHER = 'bb'.repeat(20)
const STRANGE = 'cc'.repeat(20)

let root: string
let tracker: Tracker
let http: HttpServer
let port: number

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'origin-tracker-'))
  ;({ tracker, http, port } = await open())
  tracker.track(new Set([KNOWN, OTHER]))
})

afterAll(async () => {
  await http[Symbol.asyncDispose]()
  await tracker[Symbol.asyncDispose]()
  await rm(root, { recursive: true })
})

const open = async (bounds: { peersMax?: number; sweepMs?: number } = {}) => {
  const opened = openTracker({ log: silentLog, ...bounds })
  const server = openHttpServer({
    files: await openFileServer(root),
    folders: [],
    tracker: opened,
    pages: () => new Response(''),
    log: silentLog,
  })
  const chosen = await server.listen('127.0.0.1', 0)
  await opened.listenUdp('127.0.0.1', chosen)
  return { tracker: opened, http: server, port: chosen }
}

let peers = 0
const newPeerId = (): string => {
  peers += 1
  return Buffer.from(`-TS0001-${String(peers).padStart(12, '0')}`).toString('hex')
}

const clientFor = (announce: string, options: { infoHash?: string; peerPort?: number } = {}): Client =>
  new Client({
    infoHash: options.infoHash ?? KNOWN,
    peerId: newPeerId(),
    announce: [announce],
    port: options.peerPort ?? 6881,
  })

const closed = (client: Client): Promise<void> => new Promise((resolve) => client.destroy(() => resolve()))

interface Announced {
  readonly complete: number
  readonly incomplete: number
  readonly interval: number
}

describe.each(['http', 'udp'])('a stock client over %s', (protocol) => {
  const url = () => `${protocol}://127.0.0.1:${port}/announce`

  test('is announced to the next one with the address that it came from, is counted, and leaves', async () => {
    const seed = clientFor(url(), { peerPort: 7001 })
    const answered = once(seed, 'update')
    seed.start({ left: 0 })
    const [first] = (await answered) as [Announced]
    expect(first).toMatchObject({ complete: 1, incomplete: 0 })
    expect(countsOf(tracker, KNOWN)).toEqual({ seeders: 1, leechers: 0 })

    const leech = clientFor(url(), { peerPort: 7002 })
    const met = new Set<string>()
    leech.on('peer', (address: string) => met.add(address))
    leech.start({ left: 100 })
    await untilTrue(() => met.has('127.0.0.1:7001'))
    expect(countsOf(tracker, KNOWN)).toEqual({ seeders: 1, leechers: 1 })

    const scraped = once(leech, 'scrape')
    leech.scrape()
    expect((await scraped)[0]).toMatchObject({ complete: 1, incomplete: 1 })

    seed.stop()
    leech.stop()
    await empty()
    await Promise.all([closed(seed), closed(leech)])
  })

  test('is refused for a torrent that the repository does not have, and nothing is kept of it', async () => {
    const client = clientFor(url(), { infoHash: STRANGE })
    const warned = once(client, 'warning')
    client.start({ left: 100 })
    expect(String((await warned)[0])).toContain('does not know the torrent')
    expect(countsOf(tracker, STRANGE)).toEqual({ seeders: 0, leechers: 0 })
    await closed(client)
  })
})

describe('WebSocket', () => {
  // A stock client's first announce waits five seconds for its offers; the announce of a finished one has none.
  test('a stock client is told a minute', async () => {
    const client = clientFor(`ws://127.0.0.1:${port}/announce`)
    const answered = once(client, 'update')
    client.complete({ left: 0 })
    expect((await answered)[0]).toMatchObject({ complete: 1, interval: 60 })
    await closed(client)
    await empty()
  })

  test('an offer reaches another client, and its answer finds the way back', async () => {
    await using one = await openSocket()
    await using two = await openSocket()
    one.send({ event: 'started' })
    await one.next('announce')
    two.send({ event: 'started', offers: [{ offer: { type: 'offer', sdp: 'o' }, offer_id: 'x'.repeat(20) }] })
    const offer = await one.next('offer')
    expect(offer).toMatchObject({ offer: { sdp: 'o' }, peer_id: two.peerId, offer_id: 'x'.repeat(20) })
    one.send({ answer: { type: 'answer', sdp: 'a' }, offer_id: offer.offer_id, to_peer_id: two.peerId })
    expect(await two.next('answer')).toMatchObject({ answer: { sdp: 'a' }, peer_id: one.peerId })
  })

  test('who closes the connection has left', async () => {
    const one = await openSocket()
    one.send({ event: 'started' })
    await one.next('announce')
    expect(countsOf(tracker, KNOWN).leechers).toBe(1)
    await one[Symbol.asyncDispose]()
    await empty()
  })

  test('is refused for a torrent that the repository does not have', async () => {
    await using one = await openSocket()
    one.send({ event: 'started', info_hash: binary(STRANGE) })
    expect(await one.next('failure reason')).toMatchObject({
      'failure reason': expect.stringContaining('does not know the torrent'),
    })
  })

  test.each([
    ['an offer that is nothing', { offers: [null] }],
    ['an offer that is a number', { offers: [7] }],
    ['offers that are no list', { offers: { length: 3 } }],
  ])('%s is refused, and the tracker lives on', async (_, fields) => {
    await using victim = await openSocket()
    victim.send({ event: 'started' })
    await victim.next('announce')
    await using attacker = await openSocket()
    attacker.send({ event: 'started', ...fields })
    expect(await attacker.next('failure reason')).toMatchObject({ 'failure reason': 'invalid offers' })
    victim.send({ event: 'update' })
    expect(await victim.next('announce')).toMatchObject({ incomplete: 1 })
  })

  test('nobody ends or takes over the announce of another connection', async () => {
    await using victim = await openSocket()
    victim.send({ event: 'started' })
    await victim.next('announce')
    await using attacker = await openSocket()
    attacker.send({ event: 'stopped', peer_id: victim.peerId })
    expect(await attacker.next('failure reason')).toMatchObject({
      'failure reason': expect.stringContaining('peer id'),
    })
    expect(countsOf(tracker, KNOWN).leechers).toBe(1)
  })

  test.each([
    ['is no JSON', 'not json'],
    ['is null', 'null'],
    ['has an action that nobody knows', '{"action":"constructor"}'],
  ])('a message that %s is answered with a reason', async (_, message) => {
    await using one = await openSocket()
    one.socket.send(message)
    expect(await one.next('failure reason')).toBeDefined()
  })

  test('a message beyond the limit ends the connection', async () => {
    await using one = await openSocket()
    const gone = new Promise((resolve) => one.socket.addEventListener('close', resolve))
    one.socket.send('x'.repeat(200 * 1024))
    await gone
  })

  test('other paths are no WebSockets', async () => {
    await expect(openSocket('/metadata/timestamp.json')).rejects.toThrow('refused')
  })
})

describe('announces over HTTP that mean harm', () => {
  const announce = async (fields: Readonly<Record<string, string>>, at = port): Promise<Answer> => {
    const query = new URLSearchParams({
      port: '7100',
      uploaded: '0',
      downloaded: '0',
      left: '1',
      compact: '1',
      ...fields,
    })
    const infoHash = escapeBytes(fields.info_hash ?? KNOWN)
    query.delete('info_hash')
    const url = `http://127.0.0.1:${at}/announce?info_hash=${infoHash}&peer_id=${escapeBytes(newPeerId())}&${query}`
    return bencode.decode(await (await fetch(url)).bytes()) as Answer
  }

  test.each(['80.5', '70000', '-1', '0', 'NaN', 'Infinity', '', '1e-3'])('port %j is refused', async (bad) => {
    const answer = await announce({ port: bad })
    expect(text(answer['failure reason'])).toBe('invalid port')
  })

  test('an address that a client claims is not believed', async () => {
    await announce({ event: 'started', port: '7101', ip: '203.0.113.9', ipv4: '203.0.113.9', ipv6: '2001:db8::1' })
    const { peers = new Uint8Array() } = await announce({ event: 'started', port: '7102' })
    expect(addressesIn(peers)).toContain('127.0.0.1:7101')
    expect(addressesIn(peers).join()).not.toContain('203.0.113.9')
    for (const left of ['7101', '7102']) await announce({ event: 'stopped', port: left })
  })

  test('an address that a proxy claims is not believed', async () => {
    const query = `info_hash=${escapeBytes(KNOWN)}&peer_id=${escapeBytes(newPeerId())}&port=7103&left=1&compact=1`
    const headers = { 'x-forwarded-for': '203.0.113.9', 'x-real-ip': '203.0.113.9', forwarded: 'for=203.0.113.9' }
    await fetch(`http://127.0.0.1:${port}/announce?${query}&event=started`, { headers })
    const { peers = new Uint8Array() } = await announce({ event: 'started', port: '7104' })
    expect(addressesIn(peers)).toContain('127.0.0.1:7103')
    for (const left of ['7103', '7104']) await announce({ event: 'stopped', port: left })
  })

  test('a seed is not told of other seeds', async () => {
    await announce({ event: 'started', port: '7105', left: '0' })
    const { peers = new Uint8Array() } = await announce({ event: 'started', port: '7106', left: '0' })
    expect(addressesIn(peers)).toEqual([])
    expect(
      addressesIn((await announce({ event: 'started', port: '7107' })).peers ?? new Uint8Array()).toSorted(),
    ).toEqual(['127.0.0.1:7105', '127.0.0.1:7106', '127.0.0.1:7107'])
    for (const left of ['7105', '7106', '7107']) await announce({ event: 'stopped', port: left })
  })

  test.each(['', 'info_hash=short', `info_hash=${'%aa'.repeat(20)}`, 'info_hash=%zz&peer_id=%', 'a=1&a=2&port=x'])(
    'the query %j is answered with a reason',
    async (query) => {
      const response = await fetch(`http://127.0.0.1:${port}/announce?${query}`)
      expect(text((bencode.decode(await response.bytes()) as Answer)['failure reason'])).not.toBe('')
    },
  )

  test('peers beyond the bound are refused; those that are known stay known', async () => {
    const small = await open({ peersMax: 3 })
    small.tracker.track(new Set([KNOWN]))
    for (const [at, from] of ['8001', '8002', '8003', '8004', '8005'].entries()) {
      const answer = await announce({ event: 'started', port: from }, small.port)
      expect(text(answer['failure reason'])).toBe(at < 3 ? '' : 'the tracker is full')
    }
    expect((await announce({ port: '8001' }, small.port)).interval).toBe(30)
    expect(countsOf(small.tracker, KNOWN)).toEqual({ seeders: 0, leechers: 3 })
    await announce({ event: 'stopped', port: '8002' }, small.port)
    expect((await announce({ event: 'started', port: '8006' }, small.port)).interval).toBe(30)
    await small.http[Symbol.asyncDispose]()
    await small.tracker[Symbol.asyncDispose]()
  })

  test('two first announces at the same moment meet', async () => {
    const fresh = await open()
    fresh.tracker.track(new Set([OTHER]))
    const both = ['8011', '8012'].map((from) =>
      announce({ event: 'started', port: from, info_hash: OTHER }, fresh.port),
    )
    await Promise.all(both)
    expect(countsOf(fresh.tracker, OTHER).leechers).toBe(2)
    await fresh.http[Symbol.asyncDispose]()
    await fresh.tracker[Symbol.asyncDispose]()
  })
})

describe('who has gone without a word', () => {
  test('is forgotten after two announces that did not come', async () => {
    const swept = await open({ sweepMs: 20 })
    swept.tracker.track(new Set([KNOWN]))
    const query = `info_hash=${escapeBytes(KNOWN)}&peer_id=${escapeBytes(newPeerId())}&port=8021&left=1&event=started`
    await fetch(`http://127.0.0.1:${swept.port}/announce?${query}`)
    expect(countsOf(swept.tracker, KNOWN).leechers).toBe(1)
    const later = Date.now() + 5 * 60_000
    const clock = jest.spyOn(Date, 'now').mockReturnValue(later)
    try {
      await untilTrue(() => countsOf(swept.tracker, KNOWN).leechers === 0)
    } finally {
      clock.mockRestore()
    }
    await swept.http[Symbol.asyncDispose]()
    await swept.tracker[Symbol.asyncDispose]()
  })

  test('is cut off if it is a WebSocket that answers no ping', async () => {
    const swept = await open({ sweepMs: 20 })
    const socket = connect(swept.port, '127.0.0.1')
    const upgrade = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13']
    const key = `Sec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}`
    socket.write(`${['GET /announce HTTP/1.1', 'Host: o', ...upgrade, key].join('\r\n')}\r\n\r\n`)
    const chunks: Buffer[] = []
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    await once(socket, 'close')
    expect(Buffer.concat(chunks).toString('latin1')).toMatch(/^HTTP\/1\.1 101 /)
    await swept.http[Symbol.asyncDispose]()
    await swept.tracker[Symbol.asyncDispose]()
  })
})

test('the interval grows with the swarm, so that announces do not', () => {
  expect([0, 1, 600, 601, 6_000, 10_000, 1_000_000].map(announceIntervalSeconds)).toEqual([
    30, 30, 30, 31, 300, 500, 900,
  ])
})

describe('UDP', () => {
  const CONNECT = Buffer.from('00000417271019800000000001020304', 'hex')

  test('noise does not stop the tracker', async () => {
    await using socket = await openUdp()
    for (let length = 0; length < 120; length += 7) socket.send(Buffer.alloc(length, length), port, '127.0.0.1')
    socket.send(CONNECT, port, '127.0.0.1')
    const [answer] = (await once(socket, 'message')) as [Buffer]
    const cut = Buffer.alloc(40)
    answer.copy(cut, 0, 8, 16)
    cut.writeUInt32BE(1, 8)
    socket.send(cut, port, '127.0.0.1')
    socket.send(CONNECT, port, '127.0.0.1')
    expect(await once(socket, 'message')).toBeDefined()
  })

  test('a port in use is told', async () => {
    await using socket = await openUdp()
    const other = openTracker({ log: silentLog })
    const taken = socket.address().port
    await expect(other.listenUdp('127.0.0.1', taken)).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: expect.stringContaining(`udp port ${taken}`),
    })
    await other[Symbol.asyncDispose]()
  })
})

const openUdp = async (): Promise<UdpSocket> => {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket
}

const empty = () =>
  untilTrue(() => {
    const { seeders, leechers } = countsOf(tracker, KNOWN)
    return seeders + leechers === 0
  })

interface Answer {
  readonly interval?: number
  readonly peers?: Uint8Array
  readonly 'failure reason'?: Uint8Array
}

const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString()
const binary = (hex: string): string => Buffer.from(hex, 'hex').toString('latin1')
const escapeBytes = (hex: string): string => hex.replace(/../g, '%$&')

const addressesIn = (compact: Uint8Array): readonly string[] => {
  const bytes = Buffer.from(compact)
  return Array.from({ length: bytes.length / 6 }, (_, at) => {
    const peer = bytes.subarray(at * 6, at * 6 + 6)
    return `${[...peer.subarray(0, 4)].join('.')}:${peer.readUInt16BE(4)}`
  })
}

type Message = Readonly<Record<string, unknown>>

interface TestSocket extends AsyncDisposable {
  readonly socket: WebSocket
  readonly peerId: string
  send(fields: Message): void
  /** The next message that has this field, or is the answer to an announce. */
  next(field: string): Promise<Message>
}

const openSocket = async (path = '/announce'): Promise<TestSocket> => {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`)
  const peerId = binary(newPeerId())
  const waiting: Message[] = []
  socket.addEventListener('message', ({ data }) => waiting.push(JSON.parse(String(data))))
  await new Promise<void>((resolve, reject) => {
    socket.addEventListener('open', () => resolve())
    socket.addEventListener('error', () => reject(new Error('refused')))
  })
  const common = { action: 'announce', info_hash: binary(KNOWN), peer_id: peerId, left: 1 }
  return {
    socket,
    peerId,
    send: (fields) => socket.send(JSON.stringify({ ...common, ...fields })),
    next: (field) =>
      until(() => {
        const at = waiting.findIndex((message) => (field === 'announce' ? 'complete' in message : field in message))
        return at === -1 ? undefined : waiting.splice(at, 1)[0]
      }),
    [Symbol.asyncDispose]: async () => {
      const gone = new Promise((resolve) => socket.addEventListener('close', resolve))
      if (socket.readyState === WebSocket.CLOSED) return
      socket.close()
      await gone
    },
  }
}
