// The swarm among peers and servers that lie, poison, flood and hang: it finishes where an honest source exists, bans
// who is guilty, and wastes little.
import { randomBytes } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import { type BanList, memoryBans } from '@updraft/core/swarm/peers/bans'
import type { Swarm, SwarmTorrent, TorrentOptions } from '@updraft/core/swarm/swarm'
import type Wire from 'bittorrent-protocol'
import { openHostilePeer, wrongBlock } from './hostile-peer.ts'
import {
  atEnd,
  type Build,
  fetching,
  makeBuild,
  open,
  openHttp,
  openTracker,
  openWebSeed,
  PIECE_LENGTH,
  peerAt,
  readBundle,
  STALL,
  seeding,
  until,
  writeBundle,
} from './swarm-support.ts'

const MIB = 1024 * 1024

const expectComplete = async (directory: string, { metainfo, index, pack }: Build): Promise<void> => {
  const got = await readBundle(directory, metainfo)
  expect([got.index.equals(index), got.pack.equals(pack)]).toEqual([true, true])
}

interface Attack {
  readonly build: Build
  readonly victim: Swarm
  readonly torrent: SwarmTorrent
  readonly options: TorrentOptions & { readonly warnings: string[] }
  readonly banned: Set<string>
}

/** A victim that knows the given peers, and an honest seed behind a link of 4 MiB/s. */
const attack = async (build: Build, hostile: readonly string[], honest = true): Promise<Attack> => {
  const banned = new Set<string>()
  const memory = memoryBans()
  const bans: BanList = {
    isBanned: memory.isBanned,
    ban: (subject, reason) => {
      banned.add(subject)
      memory.ban(subject, reason)
    },
  }
  const [seed, victim] = await Promise.all([open({ uploadLimit: 4 * MIB }), open({ bans })])
  if (honest) await seed.add(seeding(build))
  const options = await fetching(build, { peers: [...hostile, ...(honest ? [peerAt(seed)] : [])] })
  return { build, victim, options, banned, torrent: await victim.add(options) }
}

const expectRescued = async ({ build, torrent, options }: Attack, wasteMax: number): Promise<void> => {
  await torrent.whenDone(STALL)
  await expectComplete(options.directory, build)
  expect(torrent.state().bytes.peers).toBeLessThanOrEqual(build.metainfo.lengthBytes * wasteMax)
}

describe('a poisoner', () => {
  test('is banned after one piece', async () => {
    const build = await makeBuild({ packBytes: 2 * MIB })
    const poisoner = await openHostilePeer({
      metainfo: build.metainfo,
      peerId: 'bad0'.repeat(10),
      serve: (_index, _offset, length) => wrongBlock(length),
    })
    const attacked = await attack(build, [poisoner.endpoint])
    await expectRescued(attacked, 1.02)
    await until(() => attacked.banned.size > 0, 'the ban')
    expect([...attacked.banned]).toEqual([`address 127.0.0.2 peer ${'bad0'.repeat(10)}`])
    await until(() => poisoner.wires.size === 0, 'its connections are gone')
    expect(poisoner.sentBytes).toBe(PIECE_LENGTH)
    expect(attacked.options.warnings.join()).toMatch(/peer 127\.0\.0\.2:\d+ sent bad data for piece \d+ and is banned/)
  })

  test('is kept out when it comes back', async () => {
    const build = await makeBuild()
    const poisoner = await openHostilePeer({
      metainfo: build.metainfo,
      serve: (_index, _offset, length) => wrongBlock(length),
    })
    const { victim, banned } = await attack(build, [poisoner.endpoint], false)
    await until(() => banned.size > 0 && poisoner.wires.size === 0, 'the ban')
    const sent = poisoner.sentBytes
    const socket = await poisoner.call(victim.port)
    await new Promise((closed) => socket.once('close', closed))
    expect(poisoner.sentBytes).toBe(sent)
  })

  test('that was honest for a while is found by what it sent', async () => {
    const build = await makeBuild({ packBytes: 4 * MIB, pieceLength: 4 * PIECE_LENGTH })
    let served = 0
    const poisoner = await openHostilePeer({
      metainfo: build.metainfo,
      serve: (index, offset, length) => {
        served += 1
        if (served > 40 && served % 2 === 0) return wrongBlock(length)
        const start = index * 4 * PIECE_LENGTH + offset
        return Buffer.concat([build.index, build.pack]).subarray(start, start + length)
      },
    })
    const attacked = await attack(build, [poisoner.endpoint])
    await expectRescued(attacked, 1.2)
    // Who was suspected with it and is innocent goes on.
    expect([...attacked.banned].filter((subject) => !subject.startsWith('address 127.0.0.2 '))).toEqual([])
  })

  test('may have nine friends', async () => {
    const build = await makeBuild({ packBytes: 4 * MIB })
    const poisoners = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        openHostilePeer({
          metainfo: build.metainfo,
          address: `127.0.1.${i + 1}`,
          serve: (_index, _offset, length) => wrongBlock(length),
        }),
      ),
    )
    const attacked = await attack(
      build,
      poisoners.map(({ endpoint }) => endpoint),
    )
    await expectRescued(attacked, 1.05)
  })

  test('that is alone leads to a stall, not to an endless download', async () => {
    const build = await makeBuild()
    const poisoner = await openHostilePeer({
      metainfo: build.metainfo,
      serve: (_index, _offset, length) => wrongBlock(length),
    })
    const { torrent, banned } = await attack(build, [poisoner.endpoint], false)
    await until(() => banned.size > 0, 'the ban')
    await expect(torrent.whenDone({ stallTimeoutMs: 500 })).rejects.toMatchObject({ code: 'SWARM_STALLED' })
    // One piece, whichever was drawn: the last one is shorter.
    const { haveBytes, bytes } = torrent.state()
    expect(haveBytes).toBe(0)
    expect([PIECE_LENGTH, build.metainfo.lengthBytes % PIECE_LENGTH]).toContain(bytes.peers)
  })
})

describe('a web seed with damaged files', () => {
  const spoiled = (bytes: Buffer, path: string): Buffer => {
    if (path.endsWith('index')) return bytes
    const copy = Buffer.from(bytes)
    for (let at = 0; at < copy.length; at += PIECE_LENGTH) copy[at] = (copy[at] ?? 0) ^ 1
    return copy
  }

  test('is banned, and the rest comes from a peer', async () => {
    const build = await makeBuild({ packBytes: 2 * MIB })
    const [seed, victim, web] = await Promise.all([
      open({ uploadLimit: 700_000 }),
      open(),
      openWebSeed(build.directory, spoiled),
    ])
    await seed.add(seeding(build))
    const options = await fetching(build, { peers: [peerAt(seed)], webSeeds: [web.url] })
    const torrent = await victim.add(options)
    await torrent.whenDone(STALL)
    await expectComplete(options.directory, build)
    expect(options.warnings.join()).toMatch(/web seed http:\S+ sent bad data for piece \d+ and is banned/)
  })

  test('ends a download that has nothing else', async () => {
    const build = await makeBuild()
    const [victim, web] = await Promise.all([open(), openWebSeed(build.directory, spoiled)])
    const torrent = await victim.add(await fetching(build, { webSeeds: [web.url] }))
    await expect(torrent.whenDone({ stallTimeoutMs: 1_000 })).rejects.toMatchObject({ code: 'SWARM_STALLED' })
    expect(web.requests.length).toBeLessThan(6)
    expect(torrent.state().done).toBe(false)
  })
})

describe('a web seed that does not keep to ranges', () => {
  const cases: readonly [string, (bytes: Buffer) => Buffer][] = [
    ['sends less than it says', (bytes) => bytes.subarray(0, bytes.length / 2)],
    ['sends nothing', () => Buffer.from('?')],
  ]
  test.each(cases)('%s', async (_, spoil) => {
    const [build, tracker, seed, victim] = await Promise.all([makeBuild(), openTracker(), open(), open()])
    const web = await openWebSeed(build.directory, spoil)
    const trackers = [tracker.http]
    const options = await fetching(build, { webSeeds: [web.url], trackers })
    const torrent = await victim.add(options)
    await until(() => options.warnings.some((warning) => warning.startsWith('web seed')), 'the warning')
    await seed.add(seeding(build, { trackers }))
    await torrent.whenDone(STALL)
    await expectComplete(options.directory, build)
  })
})

const useless: readonly [string, (response: ServerResponse) => unknown][] = [
  ['never answers', () => undefined],
  ['ignores ranges', (response) => response.end('all of it')],
  ['has nothing', (response) => response.writeHead(404).end()],
  ['has another file', (response) => response.writeHead(206, { 'content-range': 'bytes 0-0/1' }).end()],
]
test.each(useless)('a web seed that %s holds nobody up', async (_, answer) => {
  const build = await makeBuild()
  const [seed, victim, url] = await Promise.all([
    open({ uploadLimit: 700_000 }),
    open(),
    openHttp((_request, response) => answer(response)),
  ])
  await seed.add(seeding(build))
  const options = await fetching(build, { webSeeds: [url], peers: [peerAt(seed)] })
  const torrent = await victim.add(options)
  await torrent.whenDone(STALL)
  await expectComplete(options.directory, build)
  expect(torrent.state().bytes.origin).toBe(0)
})

test('a web seed that has a file of another length is found out before a byte of it is used', async () => {
  const build = await makeBuild()
  const { lengthBytes, name } = build.metainfo
  const pieces = Math.ceil(lengthBytes / PIECE_LENGTH)
  // What is missing is the first piece, in which there is all of the index: for that no range is needed.
  const have = new Uint8Array(Math.ceil(pieces / 8))
  for (let piece = 1; piece < pieces; piece += 1) have[piece >> 3] = (have[piece >> 3] ?? 0) | (0x80 >> (piece & 7))
  const url = await openHttp((_request, response) => response.end('another'))
  const options = await fetching(build, { webSeeds: [url], have })
  await writeBundle(options.directory, name, build)
  const torrent = await (await open()).add(options)
  await until(() => options.warnings.length > 0, 'the warning')
  expect(options.warnings[0]).toContain('answers 7 bytes')
  expect(torrent.state()).toMatchObject({ done: false, bytes: { origin: 0 } })
})

describe('a peer that', () => {
  test('says it has everything and sends nothing holds nobody up', async () => {
    const build = await makeBuild()
    const liars = await Promise.all(
      Array.from({ length: 5 }, (_, i) => openHostilePeer({ metainfo: build.metainfo, address: `127.0.2.${i + 1}` })),
    )
    await expectRescued(
      await attack(
        build,
        liars.map(({ endpoint }) => endpoint),
      ),
      1.1,
    )
  })

  test('calls twice is connected once', async () => {
    const build = await makeBuild()
    const swarm = await open()
    const torrent = await swarm.add(seeding(build))
    const peer = await openHostilePeer({ metainfo: build.metainfo, greet: (wire) => wire.haveNone() })
    await peer.call(swarm.port)
    await until(() => torrent.state().peers === 1, 'the first connection')
    const second = await peer.call(swarm.port)
    await new Promise((closed) => second.once('close', closed))
    expect(torrent.state().peers).toBe(1)
  })

  const raw = (bytes: Buffer) => (wire: Wire) => void wire._push(bytes)
  const message = (id: number, ...numbers: number[]): Buffer => {
    const bytes = Buffer.alloc(5 + numbers.length * 4)
    bytes.writeUInt32BE(bytes.length - 4)
    bytes[4] = id
    for (const [i, number] of numbers.entries()) bytes.writeUInt32BE(number >>> 0, 5 + i * 4)
    return bytes
  }
  const extended = (id: number, body: string): Buffer => {
    const bytes = Buffer.alloc(6 + body.length)
    bytes.writeUInt32BE(bytes.length - 4)
    bytes[4] = 20
    bytes[5] = id
    bytes.write(body, 6, 'latin1')
    return bytes
  }

  const cutOff: readonly [string, (wire: Wire) => void][] = [
    ['announces a message of 2 GiB', raw(Buffer.from([0x7f, 0xff, 0xff, 0xff, 7]))],
    ['announces a message of 4 GiB', raw(Buffer.from([0xff, 0xff, 0xff, 0xff, 7]))],
    ['has a piece that does not exist', raw(message(4, 1_000_000))],
    ['has a piece with a negative number', raw(message(4, -1))],
    ['has a bit field that is too long', (wire) => wire.bitfield(Buffer.alloc(100_000, 0xff))],
    ['has a bit field that is too short', (wire) => wire.bitfield(Buffer.alloc(1))],
    ['has spare bits in its bit field', (wire) => wire.bitfield(Buffer.alloc(9, 0xff))],
    [
      'asks for a piece that does not exist',
      (wire) => raw(Buffer.concat([message(2), message(6, 70_000, 0, 16_384)]))(wire),
    ],
    ['asks for more than a piece', (wire) => raw(Buffer.concat([message(2), message(6, 0, 16_000, 16_384)]))(wire)],
    ['asks for nothing', (wire) => raw(Buffer.concat([message(2), message(6, 0, 0, 0)]))(wire)],
    ['asks for a megabyte', (wire) => raw(Buffer.concat([message(2), message(6, 0, 0, 1 << 20)]))(wire)],
    [
      'asks for a thousand blocks at once',
      (wire) =>
        raw(Buffer.concat([message(2), ...Array.from({ length: 1_000 }, () => message(6, 0, 0, 16_384))]))(wire),
    ],
    ['crashes the metadata extension', raw(Buffer.concat([extended(0, 'd1:md11:ut_metadatai1eee'), extended(1, '')]))],
  ]
  test.each(cutOff)('%s is cut off, and nobody else', async (_, greet) => {
    const build = await makeBuild()
    const swarm = await open()
    await swarm.add(seeding(build))
    const peer = await openHostilePeer({ metainfo: build.metainfo, greet })
    const socket = await peer.call(swarm.port)
    await new Promise((closed) => socket.once('close', closed))
    const torrent = await (await open()).add(await fetching(build, { peers: [peerAt(swarm)] }))
    await torrent.whenDone(STALL)
  })

  const ignored: readonly [string, (wire: Wire) => void][] = [
    ['sends an extended handshake that is not bencoded', raw(extended(0, '<html>'))],
    ['sends an extended handshake of a million lists', raw(extended(0, 'l'.repeat(100_000)))],
    ['sends an extension that nobody knows', raw(extended(99, 'x'))],
    ['sends a message that nobody knows', raw(message(99))],
    ['sends a block that nobody asked for', (wire) => wire.piece(0, 0, randomBytes(16_384))],
    ['takes back a piece that it never had', raw(extended(3, '\0\0\0\x05'))],
    ['rejects what nobody asked for', raw(message(0x10, 0, 0, 16_384))],
  ]
  test.each(ignored)('%s changes nothing', async (_, greet) => {
    const build = await makeBuild()
    const peer = await openHostilePeer({ metainfo: build.metainfo, greet })
    const attacked = await attack(build, [peer.endpoint])
    await expectRescued(attacked, 1.05)
    expect(peer.handshakes).toBe(1)
  })

  test('asks and never reads does not fill the memory', async () => {
    const build = await makeBuild({ packBytes: 8 * MIB })
    const swarm = await open()
    const torrent = await swarm.add(seeding(build))
    const peer = await openHostilePeer({ metainfo: build.metainfo, greet: (wire) => wire.haveNone() })
    const socket = await peer.call(swarm.port)
    await until(() => peer.wires.size === 1, 'the handshake')
    socket.unpipe()
    socket.pause()
    const ask = (): void =>
      void socket.write(Buffer.concat(Array.from({ length: 100 }, (_, i) => message(6, i, 0, 16_384))))
    socket.write(message(2))
    // Asks again as soon as everything has been sent, until nothing is sent any more.
    ask()
    await until(() => torrent.state().uploadedBytes > 0, 'it sends')
    let asked = 0
    for (let isSending = true; isSending; asked += 100 * 16_384) {
      ask()
      const goal = asked + 100 * 16_384
      isSending = await until(() => torrent.state().uploadedBytes >= goal, 'it sends', 500).then(
        () => true,
        () => false,
      )
    }
    // What the operating system buffers between two sockets is some MiB; the rest has not even been read from disk.
    expect(torrent.state().uploadedBytes).toBeGreaterThan(0)
    expect(torrent.state().uploadedBytes).toBeLessThan(32 * MIB)
  })
})

describe('a connection that', () => {
  const dial = (port: number, localAddress = '127.0.0.3'): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const socket = connect({ port, host: '127.0.0.1', localAddress })
      socket.once('error', reject)
      socket.once('connect', () => {
        socket.on('error', () => {})
        resolve(socket)
      })
      atEnd(() => socket.destroy())
    })
  const closing = (socket: Socket): Promise<unknown> => new Promise((closed) => socket.once('close', closed))

  const handshake = (infoHash: string): Buffer =>
    Buffer.concat([
      Buffer.from('\x13BitTorrent protocol'),
      Buffer.alloc(8),
      Buffer.from(infoHash, 'hex'),
      randomBytes(20),
    ])

  test.each([
    ['speaks HTTP', () => Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['sends random bytes', () => Buffer.concat([Buffer.from([7]), randomBytes(1_000)])],
    ['asks for another torrent', () => handshake('00'.repeat(20))],
  ])('%s is closed', async (_, bytes) => {
    const build = await makeBuild()
    const swarm = await open()
    const torrent = await swarm.add(seeding(build))
    const socket = await dial(swarm.port)
    const closed = closing(socket)
    socket.write(bytes())
    await closed
    expect(torrent.state().peers).toBe(0)
  })

  test('says nothing leaves room for others', async () => {
    const build = await makeBuild()
    const swarm = await open()
    await swarm.add(seeding(build))
    const silent = await Promise.all(
      Array.from({ length: 100 }, (_, i) => dial(swarm.port, `127.0.3.${Math.floor(i / 10) + 1}`)),
    )
    const torrent = await (await open()).add(await fetching(build, { peers: [peerAt(swarm)] }))
    await torrent.whenDone(STALL)
    await until(() => silent.filter((socket) => !socket.destroyed).length <= 64, 'the oldest are closed')
  })
})
