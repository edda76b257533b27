// Peers, trackers and web seeds are hints: without the owner's leave, none of them leads to this machine or its link.
import { createSocket } from 'node:dgram'
import { createServer } from 'node:net'
import { describe, expect, test } from '@jest/globals'
import {
  addressPolicy,
  guardedLookup,
  isLoopback,
  parseEndpoint,
  plainAddress,
} from '@updraft/core/swarm/peers/addresses'
import { createGuardedHttp } from '@updraft/core/swarm/web/guarded-http'
import { openHostilePeer } from './hostile-peer.ts'
import { atEnd, fetching, makeBuild, open, openHttp, seeding } from './swarm-support.ts'

describe('the address policy', () => {
  const strict = addressPolicy({ allowLoopback: false })
  const open = addressPolicy({ allowLoopback: true })

  test.each([
    '127.0.0.1',
    '127.255.255.254',
    '169.254.169.254',
    '::1',
    'fe80::1',
    'fe80::1%eth0',
    'febf::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::FFFF:169.254.1.1',
    '[::1]',
  ])('refuses %s unless loopback is allowed', (address) => {
    expect([strict.allows(address), open.allows(address)]).toEqual([false, true])
  })

  test.each([
    '0.0.0.0',
    '0.1.2.3',
    '::',
    '224.0.0.1',
    '239.192.152.143',
    '255.255.255.255',
    'ff02::1',
    '::ffff:0.0.0.0',
  ])('refuses %s always', (address) => {
    expect([strict.allows(address), open.allows(address)]).toEqual([false, false])
  })

  test.each(['10.1.2.3', '172.16.0.1', '192.168.1.1', 'fd00::1', '93.184.216.34', '2606:2800::1'])(
    'allows %s',
    (address) => {
      expect(strict.allows(address)).toBe(true)
    },
  )

  test.each(['localhost', 'example.org', '', '127.1', '0x7f.1', '2130706433', '127.0.0.1:80'])(
    'takes %j for no address',
    (address) => {
      expect([strict.allows(address), open.allows(address)]).toEqual([false, false])
    },
  )
})

test('a looked-up name gives allowed addresses only', async () => {
  const lookup = guardedLookup(addressPolicy({ allowLoopback: false }))
  const failure = new Promise((resolve) => lookup('localhost', {}, (error) => resolve(error?.message)))
  expect(await failure).toMatch(/localhost is at .*(127\.0\.0\.1|::1).* not allowed/)
})

test('endpoints are read in every form that peers come in', () => {
  expect(parseEndpoint('10.0.0.1:6881')).toEqual({ host: '10.0.0.1', port: 6881 })
  expect(parseEndpoint('[2001:db8::1]:6881')).toEqual({ host: '2001:db8::1', port: 6881 })
  expect(parseEndpoint('[::ffff:10.0.0.1]:6881')).toEqual({ host: '10.0.0.1', port: 6881 })
  expect(parseEndpoint('peer.example:1')).toEqual({ host: 'peer.example', port: 1 })
  for (const bad of ['', 'x', '10.0.0.1', '10.0.0.1:0', '10.0.0.1:65536', '::1:80', 'a:b:1', '10.0.0.1:6881x']) {
    expect(parseEndpoint(bad)).toBeUndefined()
  }
  expect([plainAddress('::ffff:0a00:0001'), isLoopback('::ffff:127.9.9.9')]).toEqual(['10.0.0.1', true])
})

describe('a swarm without leave for loopback', () => {
  /** Fails the test if anybody connects. */
  const trap = async (): Promise<{ readonly port: number; readonly visits: () => number }> => {
    let visits = 0
    const server = createServer((socket) => {
      visits += 1
      socket.destroy()
    })
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
    atEnd(() => new Promise((closed) => server.close(closed)))
    return { port: (server.address() as { port: number }).port, visits: () => visits }
  }

  test('calls no peer, tracker or web seed there, by address or by name, and says so', async () => {
    const [build, { port, visits }, swarm] = await Promise.all([makeBuild(), trap(), open({ allowLoopback: false })])
    let datagrams = 0
    const udp = createSocket('udp4', () => {
      datagrams += 1
    })
    await new Promise<void>((bound) => udp.bind(0, '127.0.0.1', bound))
    atEnd(() => new Promise<void>((closed) => udp.close(closed)))
    const options = await fetching(build, {
      peers: [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`],
      trackers: [
        `http://127.0.0.1:${port}/announce`,
        `http://localhost:${port}/announce`,
        `http://[::ffff:127.0.0.1]:${port}/announce`,
        `http://0x7f000001:${port}/announce`,
        `udp://127.0.0.1:${udp.address().port}`,
        `udp://localhost:${udp.address().port}`,
      ],
      webSeeds: [`http://127.0.0.1:${port}/`, `http://localhost:${port}/`],
    })
    const torrent = await swarm.add(options)
    await expect(torrent.whenDone({ stallTimeoutMs: 1_500 })).rejects.toMatchObject({ code: 'SWARM_STALLED' })
    expect([visits(), datagrams]).toEqual([0, 0])
    for (const hint of [...(options.peers ?? []), ...options.trackers, ...options.webSeeds]) {
      expect(options.warnings.filter((warning) => warning.includes(hint)).join()).toMatch(/not allowed/)
    }
  })

  test('lets nobody in from there', async () => {
    const [build, swarm] = await Promise.all([makeBuild(), open({ allowLoopback: false })])
    await swarm.add(seeding(build))
    const peer = await openHostilePeer({ metainfo: build.metainfo })
    const socket = await peer.call(swarm.port)
    await new Promise((closed) => socket.once('close', closed))
    expect(peer.handshakes).toBe(0)
  })
})

test('reports trackers and web seeds of schemes that it does not speak', async () => {
  const [build, swarm] = await Promise.all([makeBuild(), open()])
  const odd = ['file:///etc/passwd', 'ftp://127.0.0.1/', 'gopher://127.0.0.1/', 'nonsense', 'udp://127.0.0.1']
  const options = await fetching(build, { trackers: odd, webSeeds: odd })
  await swarm.add(options)
  for (const url of odd) expect(options.warnings.filter((warning) => warning.includes(url))).toHaveLength(2)
})

describe('a redirect', () => {
  const strictHttp = () => {
    // Of the many addresses that this machine has, one stands for a stranger and all others for itself.
    const http = createGuardedHttp({ allows: (address) => address === '127.0.0.1' }, 'test')
    atEnd(() => http[Symbol.dispose]())
    return http
  }
  const get = (url: string) =>
    strictHttp().get(url, { headers: {}, idleTimeoutMs: 5_000, signal: AbortSignal.timeout(5_000) })
  const redirecting = (location: string) =>
    openHttp((_request, response) => void response.writeHead(302, { location }).end())

  test.each(['http://127.0.0.9:1/', 'http://[::1]:1/', 'file:///etc/passwd'])(
    'to %s is not followed',
    async (target) => {
      await expect(get(await redirecting(target))).rejects.toThrow(/not allowed|not a scheme/)
    },
  )

  test('to an allowed place is', async () => {
    const target = await openHttp((_request, response) => void response.end('there'))
    const response = await get(await redirecting(target))
    expect(response.statusCode).toBe(200)
    response.destroy()
  })

  test('in a circle ends', async () => {
    const circle = await openHttp(
      (request, response) => void response.writeHead(301, { location: `${request.url}x` }).end(),
    )
    await expect(get(circle)).rejects.toThrow(/more than 3/)
  })
})
