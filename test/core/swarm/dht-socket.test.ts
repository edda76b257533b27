// The door of the distributed hash table: what a stranger's datagram may not do.
import { afterEach, expect, test } from '@jest/globals'
import { dhtSocket } from '@updraft/core/swarm/announce/dht-socket'

const FROM = { address: '192.0.2.1', port: 9, family: 'IPv4', size: 0 } as const
const socket = dhtSocket()
afterEach(() => void socket.removeAllListeners('message'))

test('lets through what can be read, and nothing else', () => {
  const heard: string[] = []
  socket.on('message', (bytes) => heard.push(bytes.toString('latin1')))
  for (const text of ['d1:y1:qe', 'l-3:', 'd-9:', '9:short', '', 'li1ee and more'])
    socket.emit('message', Buffer.from(text), FROM)
  expect(heard).toEqual(['d1:y1:qe', 'li1ee and more'])
})

test('whoever fails over a datagram loses it, and hears the next', () => {
  let count = 0
  socket.on('message', () => {
    count += 1
    if (count === 1) throw new TypeError('no arguments')
  })
  for (let i = 0; i < 2; i += 1) socket.emit('message', Buffer.from('de'), FROM)
  expect(count).toBe(2)
})
