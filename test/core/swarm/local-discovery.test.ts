// Peers on the local network: what is sent, what is understood, and what anybody on the network may send without harm.
import { randomBytes } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { expect, test } from '@jest/globals'
import { formatAnnounce, openLocalDiscovery, parseAnnounce } from '@updraft/core/swarm/announce/local-discovery'
import type { Endpoint } from '@updraft/core/swarm/peers/addresses'
import fc from 'fast-check'
import { atEnd, fetching, makeBuild, open, STALL, seeding, until } from './swarm-support.ts'

const INFO_HASH = 'ab'.repeat(20)
/** Nothing of a test leaves this machine. */
const LOOPBACK = ['127.0.0.1']
const announce = { port: 4_000, infoHashes: [INFO_HASH, 'cd'.repeat(20)], cookie: 'x' }

test('an announce says what BEP 14 wants, and is understood', () => {
  expect(formatAnnounce({ ...announce, infoHashes: [INFO_HASH] })).toBe(
    `BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 4000\r\nInfohash: ${INFO_HASH}\r\ncookie: x\r\n\r\n\r\n`,
  )
  expect(parseAnnounce(formatAnnounce(announce))).toEqual(announce)
  const theirs = `BT-SEARCH * HTTP/1.1\r\nHost: [ff15::efc0:988f]:6771\r\nPort: 7\r\nInfohash: ${INFO_HASH.toUpperCase()}\r\n\r\n\r\n`
  expect(parseAnnounce(theirs)).toEqual({ port: 7, infoHashes: [INFO_HASH], cookie: undefined })
})

test('anything else is nothing, and never an exception', () => {
  const odd = [
    '',
    'BT-SEARCH * HTTP/1.1',
    `BT-SEARCH * HTTP/1.1\r\nPort: 0\r\nInfohash: ${INFO_HASH}`,
    `BT-SEARCH * HTTP/1.1\r\nPort: 70000\r\nInfohash: ${INFO_HASH}`,
    'BT-SEARCH * HTTP/1.1\r\nPort: 80\r\nInfohash: zz',
    `GET / HTTP/1.1\r\nPort: 80\r\nInfohash: ${INFO_HASH}`,
  ]
  for (const text of odd) expect(parseAnnounce(text)).toBeUndefined()
  fc.assert(fc.property(fc.string(), (text) => void parseAnnounce(`BT-SEARCH * HTTP/1.1\r\n${text}`)))
})

test('agents on one network find each other without a tracker', async () => {
  const build = await makeBuild()
  const onLoopback = { localDiscovery: true, localInterfaces: LOOPBACK }
  const [a, b] = await Promise.all([open(onLoopback), open(onLoopback)])
  await a.add(seeding(build))
  const torrent = await b.add(await fetching(build))
  await torrent.whenDone(STALL)
})

test('garbage on the port harms nobody', async () => {
  const infoHash = randomBytes(20).toString('hex') // Others on this machine may run the same test.
  const found: Endpoint[] = []
  const discovery = await openLocalDiscovery({
    port: 4_000,
    allowLoopback: true,
    interfaces: LOOPBACK,
    onWarning: () => {},
  })
  atEnd(() => discovery.close())
  discovery.add(infoHash, (peer) => found.push(peer))
  const socket = createSocket('udp4')
  await new Promise<void>((bound) => socket.bind(0, '127.0.0.1', bound))
  atEnd(() => new Promise<void>((closed) => socket.close(closed)))
  socket.setMulticastInterface('127.0.0.1')
  const send = (text: string) => socket.send(text, 6_771, '239.192.152.143')
  send('BT-SEARCH * HTTP/1.1\r\n')
  send('\0'.repeat(1_000))
  send(formatAnnounce({ port: 5_000, infoHashes: ['00'.repeat(20)], cookie: 'y' }))
  send(formatAnnounce({ port: 6_000, infoHashes: [infoHash], cookie: 'y' }))
  await until(() => found.length > 0, 'the one that counts')
  expect(found).toEqual([{ host: '127.0.0.1', port: 6_000 }])
})
