// The swarm between honest parties on loopback: who gets what from whom, and what is counted.
import { randomBytes } from 'node:crypto'
import { mkdir, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import {
  atEnd,
  type Build,
  fetching,
  makeBuild,
  open,
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

const expectComplete = async (directory: string, { metainfo, index, pack }: Build): Promise<void> => {
  const got = await readBundle(directory, metainfo)
  // Whole buffers in a failure message would be megabytes.
  expect([got.index.equals(index), got.pack.equals(pack)]).toEqual([true, true])
}

describe('a download', () => {
  test.each(['http', 'udp'] as const)('finds the seed through a tracker over %s', async (kind) => {
    const [build, tracker, a, b] = await Promise.all([makeBuild(), openTracker(), open(), open()])
    const trackers = [tracker[kind]]
    await a.add(seeding(build, { trackers }))
    const options = await fetching(build, { trackers })
    const torrent = await b.add(options)
    await torrent.whenDone(STALL)
    await expectComplete(options.directory, build)
    const size = build.metainfo.lengthBytes
    expect(torrent.state()).toMatchObject({
      done: true,
      haveBytes: size,
      totalBytes: size,
      bytes: { peers: size, origin: 0, reused: 0 },
    })
  })

  test('works with a web seed alone', async () => {
    const [build, b] = await Promise.all([makeBuild(), open()])
    const web = await openWebSeed(build.directory)
    const options = await fetching(build, { webSeeds: [web.url] })
    const torrent = await b.add(options)
    await torrent.whenDone(STALL)
    await expectComplete(options.directory, build)
    expect(torrent.state().bytes).toEqual({ peers: 0, origin: build.metainfo.lengthBytes, reused: 0 })
    expect(web.requests.length).toBeLessThan(build.metainfo.lengthBytes / PIECE_LENGTH / 4)
  })

  test('takes from a slow peer and from a web seed, and counts both', async () => {
    const build = await makeBuild({ packBytes: 4 * 1024 * 1024 })
    const isFetching = Promise.withResolvers<void>()
    const web = await openWebSeed(build.directory, undefined, isFetching.promise)
    const [a, b] = await Promise.all([open({ uploadLimit: 200_000 }), open()])
    await a.add(seeding(build))
    const options = await fetching(build, { webSeeds: [web.url], peers: [peerAt(a)] })
    const torrent = await b.add(options)
    // However long it takes to connect, the web seed does not bring everything before that.
    await until(() => torrent.state().bytes.peers > 0, 'the peer delivers')
    isFetching.resolve()
    await torrent.whenDone(STALL)
    await expectComplete(options.directory, build)
    const { peers, origin, reused } = torrent.state().bytes
    expect(Math.min(peers, origin)).toBeGreaterThan(0)
    expect(reused).toBe(0)
    expect(peers + origin).toBeGreaterThanOrEqual(build.metainfo.lengthBytes)
    expect(peers + origin).toBeLessThan(build.metainfo.lengthBytes * 1.2)
  })

  test('leaves the web seed alone while a fast peer delivers', async () => {
    const build = await makeBuild()
    const [a, web] = await Promise.all([open(), openWebSeed(build.directory)])
    await a.add(seeding(build))
    // Fast is who brings all before peers' time to answer is over. On a busy machine that is not seen at the first attempt.
    for (let isFast = false; !isFast; ) {
      web.requests.length = 0
      const [b, options] = [await open(), await fetching(build, { webSeeds: [web.url], peers: [peerAt(a)] })]
      const beganMs = performance.now()
      const torrent = await b.add(options)
      await torrent.whenDone(STALL)
      isFast = performance.now() - beganMs < 500
    }
    expect(web.requests).toEqual([])
  })

  test('goes on from whoever fetched before, after the first seed has left', async () => {
    const [build, tracker, a, b, c] = await Promise.all([makeBuild(), openTracker(), open(), open(), open()])
    const trackers = [tracker.http]
    const first = await a.add(seeding(build, { trackers }))
    const second = await b.add(await fetching(build, { trackers }))
    await second.whenDone(STALL)
    await first.remove()
    const options = await fetching(build, { trackers })
    const third = await c.add(options)
    await third.whenDone(STALL)
    await expectComplete(options.directory, build)
    expect(second.state().uploadedBytes).toBe(build.metainfo.lengthBytes)
  })

  test('finds a seed that comes later', async () => {
    const [build, tracker, a, b] = await Promise.all([makeBuild(), openTracker(), open(), open()])
    const trackers = [tracker.http]
    const torrent = await b.add(await fetching(build, { trackers }))
    await until(() => Object.keys(tracker.server.torrents).length > 0, 'b is known to the tracker')
    await a.add(seeding(build, { trackers }))
    await torrent.whenDone(STALL)
  })

  test('gives what it has to others while it is not complete', async () => {
    const build = await makeBuild()
    const half = Math.floor(build.metainfo.lengthBytes / PIECE_LENGTH / 2)
    const pieces = Math.ceil(build.metainfo.lengthBytes / PIECE_LENGTH)
    const bits = (from: number, to: number): Uint8Array => {
      const field = new Uint8Array(Math.ceil(pieces / 8))
      for (let i = from; i < to; i += 1) field[i >> 3] = (field[i >> 3] ?? 0) | (0x80 >> (i & 7))
      return field
    }
    const [a, b] = await Promise.all([open(), open()])
    const [optionsA, optionsB] = await Promise.all([
      fetching(build, { have: bits(0, half) }),
      fetching(build, { have: bits(half, pieces), peers: [peerAt(a)] }),
    ])
    for (const { directory } of [optionsA, optionsB]) await writeBundle(directory, build.metainfo.name, build)
    const torrents = await Promise.all([a.add(optionsA), b.add(optionsB)])
    await Promise.all(torrents.map((torrent) => torrent.whenDone(STALL)))
    expect(torrents.map((torrent) => torrent.state().bytes.peers > 0)).toEqual([true, true])
  })

  test('of several at once takes little more than one copy from the seed', async () => {
    const build = await makeBuild({ packBytes: 4 * 1024 * 1024 })
    const [tracker, a, ...others] = await Promise.all([
      openTracker(),
      open({ uploadLimit: 2 * 1024 * 1024 }),
      ...Array.from({ length: 4 }, () => open({ uploadLimit: 4 * 1024 * 1024 })),
    ])
    const trackers = [tracker.http]
    const seed = await a.add(seeding(build, { trackers }))
    const torrents = await Promise.all(others.map(async (b) => b.add(await fetching(build, { trackers }))))
    await Promise.all(torrents.map((torrent) => torrent.whenDone(STALL)))
    // Four copies if the peers gave each other nothing.
    expect(seed.state().uploadedBytes / build.metainfo.lengthBytes).toBeLessThan(2)
  })

  test('is done at once with nothing to fetch', async () => {
    const build = await makeBuild()
    const swarm = await open()
    const torrent = await swarm.add(seeding(build, { have: 'check' }))
    await torrent.whenDone(STALL)
    expect(torrent.state()).toMatchObject({
      done: true,
      bytes: { peers: 0, origin: 0, reused: build.metainfo.lengthBytes },
    })
  })

  test('uses neither the trackers nor the web seeds that stand in the metainfo', async () => {
    const build = await makeBuild()
    const options = await fetching(build)
    const torrent = await (await open()).add(options)
    await expect(torrent.whenDone({ stallTimeoutMs: 300 })).rejects.toMatchObject({ code: 'SWARM_STALLED' })
    expect(options.warnings).toEqual([])
  })
})

describe('what is there already', () => {
  test('is checked piece by piece: only damage is fetched', async () => {
    const build = await makeBuild()
    const [a, b] = await Promise.all([open(), open()])
    await a.add(seeding(build))
    const options = await fetching(build, { peers: [peerAt(a)] })
    const damaged = Buffer.from(build.pack)
    damaged[500_000] = (damaged[500_000] ?? 0) ^ 1
    await writeBundle(options.directory, build.metainfo.name, { index: build.index, pack: damaged })
    const torrent = await b.add(options)
    expect(torrent.state().haveBytes).toBe(build.metainfo.lengthBytes - PIECE_LENGTH)
    await torrent.whenDone(STALL)
    await expectComplete(options.directory, build)
    expect(torrent.state().bytes).toEqual({
      peers: PIECE_LENGTH,
      origin: 0,
      reused: build.metainfo.lengthBytes - PIECE_LENGTH,
    })
  })

  test('may be longer or shorter than it should be', async () => {
    const build = await makeBuild()
    const [a, b] = await Promise.all([open(), open()])
    await a.add(seeding(build))
    const options = await fetching(build, { peers: [peerAt(a)] })
    await writeBundle(options.directory, build.metainfo.name, {
      index: Buffer.concat([build.index, Buffer.from('more')]),
      pack: build.pack.subarray(0, 100_000),
    })
    const torrent = await b.add(options)
    await torrent.whenDone(STALL)
    await expectComplete(options.directory, build)
    expect(torrent.state().bytes.reused).toBe(PIECE_LENGTH * Math.floor(105_000 / PIECE_LENGTH))
  })

  test('is believed when a bit field says so', async () => {
    const build = await makeBuild()
    const [a, b] = await Promise.all([open(), open()])
    await a.add(seeding(build))
    const have = new Uint8Array(Math.ceil(build.metainfo.lengthBytes / PIECE_LENGTH / 8))
    have[0] = 0b1111_0000
    const options = await fetching(build, { have, peers: [peerAt(a)] })
    await writeBundle(options.directory, build.metainfo.name, build)
    const torrent = await b.add(options)
    await torrent.whenDone(STALL)
    expect(torrent.state().bytes).toEqual({
      peers: build.metainfo.lengthBytes - 4 * PIECE_LENGTH,
      origin: 0,
      reused: 4 * PIECE_LENGTH,
    })
  })

  test('is refused when the bit field is for another torrent', async () => {
    const build = await makeBuild()
    const swarm = await open()
    const options = await fetching(build, { have: new Uint8Array(3) })
    await expect(swarm.add(options)).rejects.toMatchObject({ code: 'STATE_DAMAGED' })
  })

  test('when it is only believed, is checked before it is sent, and damage is told', async () => {
    const build = await makeBuild()
    const [a, b] = await Promise.all([open(), open()])
    const told: string[] = []
    await a.add(seeding(build, { have: 'believed', onDamaged: () => void told.push('damaged') }))
    const pack = join(build.directory, build.metainfo.name, 'pack')
    await writeFile(
      pack,
      Buffer.concat([build.pack.subarray(0, 100_000), randomBytes(5), build.pack.subarray(100_005)]),
    )
    const options = await fetching(build, { peers: [peerAt(a)] })
    const torrent = await b.add(options)
    await until(
      () => told.length > 0 && torrent.state().haveBytes >= build.metainfo.lengthBytes - PIECE_LENGTH,
      'all but one piece',
    )
    expect([told.length, options.warnings.filter((warning) => warning.includes('bad'))]).toEqual([1, []])
  })

  test('when it is only believed, nothing is opened before somebody asks', async () => {
    const build = await makeBuild()
    await rm(join(build.directory, build.metainfo.name), { recursive: true })
    const torrent = await (await open()).add(seeding(build, { have: 'believed' }))
    expect(torrent.state()).toMatchObject({ done: true, haveBytes: build.metainfo.lengthBytes })
  })

  test('is refused when it should be all and a file is missing or cut', async () => {
    const build = await makeBuild()
    const swarm = await open()
    await writeFile(join(build.directory, build.metainfo.name, 'pack'), build.pack.subarray(1))
    await expect(swarm.add(seeding(build))).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringMatching(/bytes/),
    })
    await rm(join(build.directory, build.metainfo.name, 'pack'))
    await expect(swarm.add(seeding(build))).rejects.toMatchObject({ code: 'IO' })
  })
})

describe('a download that cannot go on', () => {
  test('stalls when nobody has anything', async () => {
    const build = await makeBuild()
    const torrent = await (await open()).add(await fetching(build))
    await expect(torrent.whenDone({ stallTimeoutMs: 200 })).rejects.toMatchObject({
      code: 'SWARM_STALLED',
      message: expect.stringMatching(/0 peers/),
    })
    expect(torrent.state().done).toBe(false)
  })

  test('stalls when the seed leaves, and can be waited for again', async () => {
    const [build, tracker] = await Promise.all([makeBuild(), openTracker()])
    const [a, b] = await Promise.all([open({ uploadLimit: 300_000 }), open()])
    const trackers = [tracker.http]
    const seed = await a.add(seeding(build, { trackers }))
    const torrent = await b.add(await fetching(build, { trackers }))
    await until(() => torrent.state().haveBytes > 0, 'the first piece')
    await seed.remove()
    await expect(torrent.whenDone({ stallTimeoutMs: 300 })).rejects.toMatchObject({ code: 'SWARM_STALLED' })
    await a.add(seeding(build, { trackers }))
    await torrent.whenDone(STALL)
  })

  test('ends when it is interrupted, and keeps what came', async () => {
    const build = await makeBuild()
    const [a, b] = await Promise.all([open({ uploadLimit: 300_000 }), open()])
    await a.add(seeding(build))
    const options = await fetching(build, { peers: [peerAt(a)] })
    const torrent = await b.add(options)
    const controller = new AbortController()
    const done = torrent.whenDone({ ...STALL, signal: controller.signal })
    await until(() => torrent.state().haveBytes > 0, 'the first piece')
    controller.abort()
    await expect(done).rejects.toMatchObject({ code: 'ABORTED' })
    await torrent.remove()
    const again = await b.add(options)
    expect(again.state().haveBytes).toBeGreaterThan(0)
  })

  test('ends when it is removed', async () => {
    const build = await makeBuild()
    const torrent = await (await open()).add(await fetching(build))
    const done = torrent.whenDone(STALL)
    await Promise.all([expect(done).rejects.toMatchObject({ code: 'ABORTED' }), torrent.remove()])
  })

  test('ends with the reason when the disk fails', async () => {
    const build = await makeBuild()
    const [a, b] = await Promise.all([open(), open()])
    await a.add(seeding(build))
    const options = await fetching(build)
    await mkdir(join(options.directory, build.metainfo.name, 'pack'), { recursive: true })
    await expect(b.add(options)).rejects.toMatchObject({ code: 'IO', message: expect.stringMatching(/pack/) })
  })
})

test('a port that is in use is named', async () => {
  const server = createServer()
  await new Promise<void>((listening) => server.listen(0, listening))
  atEnd(() => new Promise((closed) => server.close(closed)))
  const { port } = server.address() as { port: number }
  await expect(open({ port })).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    message: expect.stringContaining(`${port}`),
  })
})

test('a torrent that is added twice is the same one', async () => {
  const build = await makeBuild()
  const swarm = await open()
  const [one, two] = await Promise.all([swarm.add(seeding(build)), swarm.add(seeding(build))])
  expect(one).toBe(two)
  await one.remove()
  expect(await swarm.add(seeding(build))).not.toBe(one)
})

test('files are sparse until something comes', async () => {
  const build = await makeBuild()
  const options = await fetching(build)
  await (await open()).add(options)
  const { size, blocks } = await stat(join(options.directory, build.metainfo.name, 'pack'))
  expect({ size, blocks }).toEqual({ size: build.pack.length, blocks: 0 })
})
