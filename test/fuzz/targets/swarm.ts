// The swarm: metainfo, what peers send, and the answers of trackers and of the local network.
import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { Readable } from 'node:stream'
import { dhtSocket } from '@updraft/core/swarm/announce/dht-socket'
import { verifyItem } from '@updraft/core/swarm/announce/distributed-table'
import { createHttpTracker } from '@updraft/core/swarm/announce/http-tracker'
import { formatAnnounce, parseAnnounce } from '@updraft/core/swarm/announce/local-discovery'
import { parseCompactPeers } from '@updraft/core/swarm/announce/tracker'
import { encodeBencode } from '@updraft/core/swarm/bencode'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import type { Endpoint } from '@updraft/core/swarm/peers/addresses'
import { createWireReader } from '@updraft/core/swarm/peers/wire-reader'
import type { GuardedHttp } from '@updraft/core/swarm/web/guarded-http'
import { Client as Dht } from 'bittorrent-dht'
import Wire from 'bittorrent-protocol'
import donthave from 'lt_donthave'
import metadata from 'ut_metadata'
import pex from 'ut_pex'
import { choosing, chosen, inPieces, plainTarget, type Target, unlessRefused } from '../target.ts'

const INFO = {
  name: 'acme_1.0.0_any',
  files: [
    { path: ['index'], length: 100 },
    { path: ['pack.frames', 'ab'], length: 20_000 },
  ],
  'piece length': 16_384,
  pieces: Buffer.alloc(40, 7),
}

export const metainfo = plainTarget({
  what: 'a .torrent, signed by a publisher or not',
  seeds: () => [
    encodeBencode({ announce: 'http://tracker.example/announce', 'url-list': ['http://seed.example/'], info: INFO }),
    encodeBencode({
      announce: 'udp://a.example:1',
      'announce-list': [['udp://a.example:1'], ['ws://b.example']],
      info: INFO,
    }),
  ],
  words: [
    '4:info',
    '5:files',
    '6:length',
    '4:path',
    '2:..',
    '12:piece length',
    '6:pieces',
    '8:url-list',
    'd',
    'l',
    'e',
    'i-1e',
  ],
  attempt: (input) => {
    const parsed = unlessRefused(['METAINFO_INVALID', 'LIMIT_EXCEEDED'], () => parseMetainfo(input))
    if (parsed === undefined) return
    const { files, lengthBytes, pieceLength, pieceHashes, infoHash, name } = parsed
    assert.equal(
      files.reduce((sum, file) => sum + file.lengthBytes, 0),
      lengthBytes,
    )
    assert.equal(pieceHashes.length, 20 * Math.ceil(lengthBytes / pieceLength))
    assert.match(infoHash, /^[0-9a-f]{40}$/)
    for (const path of [name, ...files.map((file) => file.path)]) {
      assert.ok(!path.split('/').some((part) => part === '' || part === '.' || part === '..'))
    }
    assert.ok(!name.includes('/'))
  },
})

const message = (id: number, body: Uint8Array = new Uint8Array()): Buffer => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(1 + body.length)
  head[4] = id
  return Buffer.concat([head, body])
}

const EXTENDED = 20
/** Reserved bits: extension protocol (BEP 10) and fast extension (BEP 6). */
const RESERVED = Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 0x04])
const HANDSHAKE = Buffer.concat([Buffer.from('\x13BitTorrent protocol', 'latin1'), RESERVED, Buffer.alloc(40, 65)])
const extended = (kind: number, value: Uint8Array): Buffer =>
  message(EXTENDED, Buffer.concat([Buffer.from([kind]), value]))

/** Libraries may throw at what a peer sends: the pipe ends that peer. Our own code may not. */
const isOfLibrary = (error: unknown): boolean => {
  const [, place = ''] = (Error.isError(error) ? (error.stack ?? '') : '').split(/\n\s+at /)
  return place.includes('node_modules')
}

export const wire: Target = plainTarget({
  what: 'what a peer sends: handshake, messages, extension messages (BEP 3, 6, 9, 10, 11, 54)',
  seeds: () => {
    const numbers = (...values: readonly number[]) =>
      Buffer.concat(values.map((value) => Buffer.from([0, 0, 0, value])))
    const handshake = extended(
      0,
      encodeBencode({
        m: { ut_metadata: 1, ut_pex: 2, lt_donthave: 3 },
        metadata_size: 100,
        p: 6_881,
        reqq: 250,
        v: 'x',
      }),
    )
    return [
      [
        message(5, Buffer.from([0xa0])),
        message(1),
        message(4, numbers(2)),
        Buffer.alloc(4),
        message(7, numbers(0, 0, 9)),
      ],
      [message(14), message(2), message(6, numbers(0, 0, 64)), message(13, numbers(1)), message(16, numbers(0, 0, 9))],
      [handshake, extended(1, encodeBencode({ msg_type: 0, piece: 0 })), extended(3, numbers(1))],
      [
        handshake,
        extended(1, Buffer.concat([encodeBencode({ msg_type: 1, piece: 0, total_size: 9 }), Buffer.alloc(9)])),
      ],
      [
        handshake,
        extended(2, encodeBencode({ added: Buffer.from([10, 0, 0, 1, 26, 225]), 'added.f': 'a', dropped: '' })),
      ],
    ].map((messages) => Buffer.concat([Buffer.from([0]), HANDSHAKE, ...messages]))
  },
  words: [
    HANDSHAKE,
    'msg_type',
    'piece',
    'total_size',
    'metadata_size',
    'added6',
    'dropped',
    '1:md',
    'e',
    'i0e',
    message(21),
  ],
  attempt: (input) => {
    const { choice, rest } = chosen(input)
    const peer = new Wire()
    peer.on('error', () => {})
    for (const extension of [metadata(encodeBencode(INFO)), pex(), donthave()]) peer.use(extension)
    peer._push = () => true
    let violations = 0
    let places = 0
    const read = createWireReader({
      wire: peer,
      sinkFor: (index, offset, length) => {
        places += 1
        return index === 0 && offset + length <= 16_384
          ? { place: new Uint8Array(length), isOpen: () => true }
          : undefined
      },
      onViolation: () => {
        violations += 1
      },
    })
    try {
      for (const packet of inPieces(rest, choice)) read(Buffer.from(packet))
    } catch (error) {
      if (!isOfLibrary(error)) throw error
    } finally {
      peer.destroy()
    }
    assert.ok(violations <= 1 && places <= rest.length)
  },
})

const IDENTITY = { infoHash: 'ab'.repeat(20), peerId: 'cd'.repeat(20), port: 1 }
const ANNOUNCEMENT = { event: 'started', uploadedBytes: 0, downloadedBytes: 0, leftBytes: 1 } as const

const assertEndpoints = (peers: readonly Endpoint[]): void => {
  assert.ok(peers.length <= 400)
  for (const { host, port } of peers) assert.ok(isIP(host) !== 0 && port > 0 && port < 65_536)
}

export const tracker = plainTarget({
  what: 'the answer of a tracker (BEP 3, 7, 23) and the list of peers in that of one over UDP (BEP 15)',
  seeds: () => [
    choosing(0, encodeBencode({ interval: 900, 'min interval': 60, peers: Buffer.from([10, 0, 0, 1, 26, 225]) })),
    choosing(
      0,
      encodeBencode({
        interval: 1,
        peers: [
          { ip: '10.0.0.1', port: 1 },
          { ip: '2001:db8::1', port: 2 },
        ],
        peers6: Buffer.alloc(18, 9),
      }),
    ),
    choosing(0, encodeBencode({ 'failure reason': 'no' })),
    choosing(1, Buffer.from([10, 0, 0, 1, 26, 225])),
    choosing(2, Buffer.alloc(36, 9)),
  ],
  words: ['8:interval', '5:peers', '6:peers6', '14:failure reason', '2:ip', '4:port', 'i65536e', 'd', 'l', 'e'],
  attempt: async (input) => {
    const { choice, rest } = chosen(input)
    if (choice % 3 !== 0) return assertEndpoints(parseCompactPeers(rest, choice % 3 === 1 ? 4 : 16))
    const http: GuardedHttp = {
      get: async () =>
        Object.assign(Readable.from([Buffer.from(rest)]), { statusCode: 200 }) as unknown as IncomingMessage,
      [Symbol.dispose]: () => {},
    }
    const asked = createHttpTracker('http://t.example/announce', IDENTITY, http)
    const answer = await asked.announce(ANNOUNCEMENT, new AbortController().signal).catch((error: unknown) => {
      // These are what the announcer is promised: an Error with a text for people.
      if (error instanceof TypeError || error instanceof RangeError) throw error
      return undefined
    })
    if (answer === undefined) return
    assertEndpoints(answer.peers)
    for (const wait of [answer.intervalMs, answer.minIntervalMs]) assert.ok(wait === undefined || wait > 0)
  },
})

export const discovery = plainTarget({
  what: 'an announcement from the local network (BEP 14)',
  seeds: () => [
    Buffer.from(formatAnnounce({ port: 6_881, cookie: 'abc', infoHashes: ['ab'.repeat(20), 'cd'.repeat(20)] })),
  ],
  words: ['BT-SEARCH * HTTP/1.1', '\r\n', 'Port: ', 'Infohash: ', 'cookie: '],
  attempt: (input) => {
    const heard = parseAnnounce(Buffer.from(input).toString('latin1', 0, 2_048))
    if (heard === undefined) return
    assert.ok(Number.isInteger(heard.port) && heard.port > 0 && heard.port < 65_536)
    for (const infoHash of heard.infoHashes) assert.match(infoHash, /^[0-9a-f]{40}$/)
  },
})

export const dht: Target = {
  what: 'datagrams of the distributed hash table (BEP 5)',
  words: [
    '1:ad',
    '1:q4:ping',
    '1:q9:get_peers',
    '1:q13:announce_peer',
    '9:info_hash20:',
    '5:token',
    '1:rd',
    '1:y1:q',
    '1:y1:r',
    '1:y1:e',
    '5:nodes',
    '6:values',
    'e',
  ],
  open: async () => {
    const socket = dhtSocket()
    const client = new Dht({ bootstrap: false, socket, verify: verifyItem })
    client.on('error', () => {})
    await new Promise<void>((resolve) => client.listen(0, '127.0.0.1', resolve))
    socket.send = (() => {}) as typeof socket.send // Nobody is there to be answered.
    const [t, id] = [Buffer.from([0, 1]), Buffer.alloc(20, 9)]
    const query = (q: string, a: Record<string, Uint8Array | number> = {}) =>
      encodeBencode({ t, y: 'q', q, a: { id, ...a } })
    const hash = Buffer.alloc(20, 5)
    return {
      seeds: [
        query('ping'),
        query('find_node', { target: hash }),
        query('get_peers', { info_hash: hash }),
        query('announce_peer', { info_hash: hash, port: 1, token: hash, implied_port: 0 }),
        query('put', { v: hash, k: Buffer.alloc(32, 1), sig: Buffer.alloc(64, 2), seq: 1, token: hash }),
        encodeBencode({ t, y: 'r', r: { id, nodes: Buffer.alloc(26, 3), values: [Buffer.alloc(6, 1)], token: hash } }),
        encodeBencode({ t, y: 'e', e: [201, 'no'] }),
      ],
      attempt: (input) => void socket.emit('message', Buffer.from(input), RINFO),
      [Symbol.asyncDispose]: () => new Promise((resolve) => client.destroy(() => resolve())),
    }
  },
}

const RINFO = { address: '192.0.2.1', port: 9, family: 'IPv4', size: 0 } as const
