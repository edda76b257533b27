// Trackers, real and hostile, over HTTP and UDP; and when they are asked.
import { createSocket, type RemoteInfo } from 'node:dgram'
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals'
import { createAnnouncer } from '@updraft/core/swarm/announce/announcer'
import { createHttpTracker } from '@updraft/core/swarm/announce/http-tracker'
import type { Announcement, Tracker, TrackerAnswer } from '@updraft/core/swarm/announce/tracker'
import { createUdpTracker } from '@updraft/core/swarm/announce/udp-tracker'
import { encodeBencode } from '@updraft/core/swarm/bencode'
import { addressPolicy } from '@updraft/core/swarm/peers/addresses'
import { createGuardedHttp } from '@updraft/core/swarm/web/guarded-http'
import { atEnd, openHttp, openTracker, until } from './swarm-support.ts'

const identity = { infoHash: 'ab'.repeat(20), peerId: '2d'.repeat(20), port: 4_000 }
const policy = addressPolicy({ allowLoopback: true })
const announcement: Announcement = { event: 'started', uploadedBytes: 1, downloadedBytes: 2 ** 33, leftBytes: 3 }
const forever = (): AbortSignal => new AbortController().signal

const httpTracker = (url: string): Tracker => {
  const http = createGuardedHttp(policy, 'test')
  atEnd(() => http[Symbol.dispose]())
  return createHttpTracker(url, identity, http)
}

describe('over HTTP', () => {
  const answering = async (body: Uint8Array | string, status = 200): Promise<TrackerAnswer> => {
    const url = await openHttp((_request, response) => void response.writeHead(status).end(body))
    return httpTracker(`${url}announce`).announce(announcement, forever())
  }

  test('a real tracker introduces two peers to each other', async () => {
    const { http } = await openTracker()
    await httpTracker(http).announce(announcement, forever())
    const second = createHttpTracker(http, { ...identity, peerId: '2e'.repeat(20), port: 4_001 }, guarded())
    const answer = await second.announce({ ...announcement, leftBytes: 0 }, forever())
    expect(answer.peers).toContainEqual({ host: '127.0.0.1', port: 4_000 })
    expect(answer.intervalMs).toBe(60_000)
  })

  test('everything is sent as BEP 3 wants it', async () => {
    let asked = ''
    const url = await openHttp((request, response) => {
      asked = request.url ?? ''
      response.end(encodeBencode({ interval: 1, peers: '' }))
    })
    await httpTracker(`${url}announce?key=a`).announce(announcement, forever())
    expect(asked).toBe(
      `/announce?key=a&info_hash=${'%ab'.repeat(20)}&peer_id=${'%2d'.repeat(20)}&port=4000&uploaded=1` +
        '&downloaded=8589934592&left=3&compact=1&numwant=50&event=started',
    )
  })

  test('all forms of peers are read, and names among them are not', async () => {
    const compact = await answering(
      encodeBencode({
        complete: 4,
        incomplete: 2,
        interval: 900,
        'min interval': 60,
        peers: Buffer.from([10, 0, 0, 1, 0x1a, 0xe1, 10, 0, 0, 2, 0, 0]),
        peers6: Buffer.concat([Buffer.from('20010db8000000000000000000000001', 'hex'), Buffer.from([0, 80])]),
      }),
    )
    expect(compact).toEqual({
      intervalMs: 900_000,
      minIntervalMs: 60_000,
      leechers: 2,
      seeders: 4,
      peers: [
        { host: '10.0.0.1', port: 6_881 },
        { host: '2001:db8:0:0:0:0:0:1', port: 80 },
      ],
    })
    const listed = await answering(
      encodeBencode({
        peers: [{ ip: '10.0.0.3', port: 7 }, { ip: 'localhost', port: 7 }, { ip: '10.0.0.4', port: 70_000 }, 5],
      }),
    )
    expect(listed.peers).toEqual([{ host: '10.0.0.3', port: 7 }])
  })

  test('a list without end is cut', async () => {
    expect((await answering(encodeBencode({ peers: Buffer.alloc(6 * 5_000, 1) }))).peers).toHaveLength(200)
  })

  test.each<[string, Uint8Array | string, number, RegExp]>([
    ['a refusal', encodeBencode({ 'failure reason': 'not you' }), 200, /refuses: not you/],
    ['another status', encodeBencode({ peers: '' }), 500, /answers 500/],
    ['a web page', '<html>', 200, /malformed/],
    ['a list', encodeBencode([1]), 200, /not a dictionary/],
    ['nothing', '', 200, /unexpected end/],
    ['a flood', Buffer.alloc(300_000), 200, /longer than/],
  ])('%s is an error', async (_, body, status, message) => {
    await expect(answering(body, status)).rejects.toThrow(message)
  })

  test('an answer that stops in the middle ends when it is interrupted, and nothing else ends with it', async () => {
    let isAnswering = false
    const url = await openHttp((_request, response) => {
      response.writeHead(200, { 'content-length': 1_000 }).write('d8:interval')
      isAnswering = true
    })
    const controller = new AbortController()
    const answer = httpTracker(url).announce(announcement, controller.signal)
    await until(() => isAnswering, 'the beginning of the answer')
    controller.abort()
    await expect(answer).rejects.toThrow()
  })
})

describe('over UDP', () => {
  type Answer = (request: Buffer, reply: (bytes: Buffer) => void, from: RemoteInfo) => void
  const answering = async (answer: Answer): Promise<Tracker> => {
    const socket = createSocket('udp4')
    socket.on('message', (request, from) =>
      answer(request, (bytes) => socket.send(bytes, from.port, from.address), from),
    )
    await new Promise<void>((bound) => socket.bind(0, '127.0.0.1', bound))
    atEnd(() => new Promise<void>((closed) => socket.close(closed)))
    return createUdpTracker(`udp://127.0.0.1:${socket.address().port}`, identity, policy)
  }
  const numbers = (...values: readonly number[]): Buffer => {
    const bytes = Buffer.alloc(values.length * 4)
    for (const [i, value] of values.entries()) bytes.writeUInt32BE(value >>> 0, i * 4)
    return bytes
  }
  const isConnect = (request: Buffer): boolean => request.length === 16
  const connected = (request: Buffer): Buffer => numbers(0, request.readUInt32BE(12), 0xabcd, 0xef01)
  const peers = Buffer.from([10, 0, 0, 1, 0x1a, 0xe1])
  const announced = (request: Buffer): Buffer => Buffer.concat([numbers(1, request.readUInt32BE(12), 120, 3, 1), peers])

  test('a real tracker introduces two peers to each other', async () => {
    const { udp } = await openTracker()
    await createUdpTracker(udp, identity, policy).announce(announcement, forever())
    const other = { ...identity, peerId: '2e'.repeat(20), port: 4_001 }
    const answer = await createUdpTracker(udp, other, policy).announce({ ...announcement, leftBytes: 0 }, forever())
    expect(answer.peers).toContainEqual({ host: '127.0.0.1', port: 4_000 })
  })

  test('everything is sent as BEP 15 wants it', async () => {
    const requests: Buffer[] = []
    const tracker = await answering((request, reply) => {
      requests.push(request)
      reply(isConnect(request) ? connected(request) : announced(request))
    })
    const answer = await tracker.announce(announcement, forever())
    expect(answer).toEqual({
      intervalMs: 120_000,
      minIntervalMs: undefined,
      leechers: 3,
      seeders: 1,
      peers: [{ host: '10.0.0.1', port: 6_881 }],
    })
    const [connect, announce] = requests as [Buffer, Buffer]
    expect(connect.toString('hex', 0, 12)).toBe('000004172710198000000000')
    expect(announce).toHaveLength(98)
    expect(announce.toString('hex', 0, 12)).toBe('0000abcd0000ef0100000001')
    expect(announce.toString('hex', 16, 84)).toBe(
      `${'ab'.repeat(20)}${'2d'.repeat(20)}00000002000000000000000000000003000000000000000100000002`,
    )
    expect([announce.readInt32BE(92), announce.readUInt16BE(96)]).toEqual([50, 4_000])
  })

  test('a lost packet is sent again', async () => {
    let lost = 0
    const tracker = await answering((request, reply) => {
      if (isConnect(request) && lost === 0) lost += 1
      else reply(isConnect(request) ? connected(request) : announced(request))
    })
    expect((await tracker.announce(announcement, forever())).peers).toHaveLength(1)
  })

  test('answers to nothing that was asked are not heard', async () => {
    const tracker = await answering((request, reply) => {
      reply(Buffer.alloc(3))
      reply(numbers(0, 1, 2, 3))
      reply(numbers(isConnect(request) ? 1 : 0, request.readUInt32BE(12), 0, 0, 0))
      reply(numbers(isConnect(request) ? 0 : 1, request.readUInt32BE(12)))
      reply(isConnect(request) ? connected(request) : announced(request))
    })
    expect((await tracker.announce(announcement, forever())).peers).toHaveLength(1)
  })

  test('a refusal is an error', async () => {
    const tracker = await answering((request, reply) => {
      reply(Buffer.concat([numbers(3, request.readUInt32BE(12)), Buffer.from('not you')]))
    })
    await expect(tracker.announce(announcement, forever())).rejects.toThrow(/refuses: not you/)
  })

  test('silence ends when it is interrupted', async () => {
    const controller = new AbortController()
    const tracker = await answering(() => controller.abort())
    await expect(tracker.announce(announcement, controller.signal)).rejects.toThrow(/interrupted/)
  })
})

describe('the announcer', () => {
  beforeEach(() => void jest.useFakeTimers())
  afterEach(() => void jest.useRealTimers())

  const announcing = (answer: () => Promise<Partial<TrackerAnswer>>, isAlone = () => true, leftBytes = 1) => {
    const events: (string | undefined)[] = []
    const times: number[] = []
    const peers: number[] = []
    const started = Date.now()
    const warnings: string[] = []
    const tracker: Tracker = {
      announce: async ({ event }) => {
        events.push(event)
        times.push((Date.now() - started) / 1_000)
        return { intervalMs: undefined, minIntervalMs: undefined, leechers: undefined, peers: [], ...(await answer()) }
      },
    }
    const announcer = createAnnouncer({
      trackers: new Map([['http://t', tracker]]),
      counts: () => ({ uploadedBytes: 0, downloadedBytes: 0, leftBytes }),
      isAlone,
      onPeer: ({ port }) => peers.push(port),
      onWarning: (warning) => warnings.push(warning),
    })
    return { announcer, events, times, peers, warnings }
  }

  test('asks again soon while there is nobody, then ever more seldom, and never more often than the tracker bears', async () => {
    const { announcer, times } = announcing(async () => ({ intervalMs: 1_800_000 }))
    await jest.advanceTimersByTimeAsync(31_000)
    expect(times).toEqual([0, 2, 6, 14, 30])
    await announcer.close()
    const patient = announcing(async () => ({ intervalMs: 1_800_000, minIntervalMs: 60_000 }))
    await jest.advanceTimersByTimeAsync(125_000)
    expect(patient.times).toEqual([0, 60, 120])
    await patient.announcer.close()
  })

  test('keeps to the interval while there are peers, within bounds', async () => {
    const cases = [
      [60_000, 60],
      [1, 30],
      [2 ** 40, 3_600],
      [undefined, 900],
    ] as const
    for (const [intervalMs, seconds] of cases) {
      const { announcer, times } = announcing(
        async () => ({ intervalMs }),
        () => false,
      )
      await jest.advanceTimersByTimeAsync(seconds * 1_000 + 500)
      expect(times).toEqual([0, seconds])
      await announcer.close()
    }
  })

  test('goes on after failures, says so, and starts only once', async () => {
    let calls = 0
    const { announcer, events, times, warnings } = announcing(async () => {
      calls += 1
      if (calls < 3) throw new Error('broken')
      return {}
    })
    await jest.advanceTimersByTimeAsync(9_000)
    expect(times).toEqual([0, 2, 6, 8])
    expect(events).toEqual(['started', 'started', 'started', undefined])
    expect(warnings).toEqual([
      'tracker http://t: broken; trying again in 2 s',
      'tracker http://t: broken; trying again in 4 s',
    ])
    await announcer.close()
  })

  test.each([
    ['a seed does not call anybody when the tracker knows only seeds', 0, 0, []],
    ['a seed calls whoever there is when somebody lacks something', 0, 1, [7]],
    ['a seed calls whoever there is when the tracker does not say', 0, undefined, [7]],
    ['who lacks something calls everybody', 1, 0, [7]],
  ] as const)('%s', async (_, leftBytes, leechers, called) => {
    const answer = async () => ({ leechers, peers: [{ host: '10.0.0.1', port: 7 }] })
    const { announcer, peers } = announcing(answer, () => false, leftBytes)
    await jest.advanceTimersByTimeAsync(1)
    expect(peers).toEqual(called)
    await announcer.close()
  })

  test('tells of the end of the download at once, and says good-bye', async () => {
    const { announcer, events } = announcing(async () => ({}))
    await jest.advanceTimersByTimeAsync(1)
    announcer.complete()
    await jest.advanceTimersByTimeAsync(1)
    await announcer.close()
    expect(events).toEqual(['started', 'completed', 'stopped'])
  })

  test('at the end of the download nobody is called anew', async () => {
    const answer = async () => ({ leechers: undefined, peers: [{ host: '10.0.0.1', port: 7 }] })
    const { announcer, peers, events } = announcing(answer, () => false, 0)
    await jest.advanceTimersByTimeAsync(1)
    announcer.complete()
    await jest.advanceTimersByTimeAsync(1)
    expect(events).toEqual(['started', 'completed'])
    expect(peers).toEqual([7])
    await announcer.close()
  })

  test('tells of the end once a slow announce has ended', async () => {
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const { announcer, events } = announcing(async () => held.then(() => ({})))
    announcer.complete()
    release()
    await jest.advanceTimersByTimeAsync(1)
    expect(events).toEqual(['started', 'completed'])
    await announcer.close()
  })

  test('does not say good-bye to a tracker that never answered', async () => {
    const { announcer, events } = announcing(async () => {
      throw new Error('broken')
    })
    await jest.advanceTimersByTimeAsync(1)
    await announcer.close()
    await jest.advanceTimersByTimeAsync(60_000)
    expect(events).toEqual(['started'])
  })
})

function guarded() {
  const http = createGuardedHttp(policy, 'test')
  atEnd(() => http[Symbol.dispose]())
  return http
}
