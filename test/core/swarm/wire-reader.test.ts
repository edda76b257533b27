// What a peer sends, cut into messages: whatever the packets are, and whatever is announced.
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { type BlockSink, createWireReader } from '@updraft/core/swarm/peers/wire-reader'
import Wire from 'bittorrent-protocol'
import fc from 'fast-check'

const message = (id: number, body: Uint8Array = new Uint8Array()): Buffer => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(1 + body.length)
  head[4] = id
  return Buffer.concat([head, body])
}
const numbers = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4)
  for (const [i, value] of values.entries()) bytes.writeUInt32BE(value, i * 4)
  return bytes
}
const block = (index: number, offset: number, data: Uint8Array): Buffer =>
  message(7, Buffer.concat([numbers(index, offset), data]))
const HANDSHAKE = Buffer.concat([Buffer.from('\x13BitTorrent protocol'), Buffer.alloc(8), randomBytes(40)])

const make = (sinkFor: (index: number, offset: number, length: number) => BlockSink | undefined = () => undefined) => {
  const wire = new Wire()
  const events: string[] = []
  const violations: string[] = []
  for (const name of ['handshake', 'choke', 'unchoke', 'interested', 'keep-alive'])
    wire.on(name, () => events.push(name))
  for (const name of ['have', 'download']) wire.on(name, (value: number) => events.push(`${name} ${value}`))
  wire.on('piece', (index: number, offset: number, data: Uint8Array) =>
    events.push(`piece ${index} ${offset} ${data.length}`),
  )
  wire.on('bitfield', () => events.push(`bitfield ${wire.peerPieces.buffer.length}`))
  wire.on('unknownmessage', (bytes: Uint8Array) => events.push(`unknown ${bytes[0]}`))
  const read = createWireReader({ wire, sinkFor, onViolation: (reason) => violations.push(reason) })
  return { wire, read, events, violations }
}

test('gives the same messages for every way to cut them into packets', () => {
  const data = randomBytes(40)
  const stream = Buffer.concat([
    HANDSHAKE,
    message(5, Buffer.alloc(9)),
    message(1),
    Buffer.alloc(4),
    message(4, numbers(7)),
    block(3, 8, data),
    block(3, 0, Buffer.alloc(0)),
    message(99, Buffer.from('?')),
    message(0),
  ])
  const expected = [
    'handshake',
    'bitfield 9',
    'unchoke',
    'keep-alive',
    'have 7',
    'download 40',
    'piece 3 8 40',
    'download 0',
    'unknown 99',
    'choke',
  ]
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: stream.length }), { maxLength: 60 }), (cuts) => {
      const place = Buffer.alloc(40)
      const { read, events, violations } = make((index, offset, length) =>
        index === 3 && offset === 8 && length === 40 ? { place, isOpen: () => true } : undefined,
      )
      const ends = [...new Set([...cuts, stream.length])].sort((a, b) => a - b)
      let start = 0
      for (const end of ends) {
        // A buffer of its own that is overwritten afterwards, as the next read does it.
        const packet = Buffer.from(stream.subarray(start, end))
        read(packet)
        packet.fill(0xee)
        start = end
      }
      expect(events).toEqual(expected)
      expect(violations).toEqual([])
      expect(place.equals(data)).toBe(true)
    }),
  )
})

test('a block whose place is taken meanwhile goes nowhere', () => {
  const place = Buffer.alloc(32)
  let isOpen = true
  const { read, events } = make(() => ({ place, isOpen: () => isOpen }))
  const bytes = block(0, 0, Buffer.alloc(32, 7))
  read(HANDSHAKE)
  read(bytes.subarray(0, 13 + 16))
  isOpen = false
  place.fill(1)
  read(bytes.subarray(13 + 16))
  expect([...new Set(place)]).toEqual([1])
  expect(events).toEqual(['handshake', 'download 32'])
})

describe('cuts off', () => {
  test.each<[string, readonly Uint8Array[], RegExp]>([
    ['what speaks something else, with its first byte', [Buffer.from('G')], /no BitTorrent/],
    ['a false handshake', [Buffer.from(`\x13BitTorrent protokoll${' '.repeat(60)}`)], /no BitTorrent/],
    ['a message that is too long, before it comes', [HANDSHAKE, numbers(256 * 1024 + 1)], /262145 bytes/],
    // The package that decodes it would never come back.
    [
      'a string of negative length in an extension message',
      [HANDSHAKE, message(20, Buffer.from('\0d-9:'))],
      /extension/,
    ],
    ['a message of 4 GiB', [HANDSHAKE, numbers(0xffff_ffff)], /4294967295 bytes/],
  ])('%s, and hears nothing more', (_, packets, reason) => {
    const { read, events, violations } = make()
    for (const packet of packets) read(packet)
    const before = events.length
    read(message(1))
    expect([violations.length, events.length]).toEqual([1, before])
    expect(violations[0]).toMatch(reason)
  })
})

test('whatever is sent after the handshake, nothing but a violation comes of it', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (packets) => {
      const { read } = make()
      read(HANDSHAKE)
      for (const packet of packets) read(packet)
    }),
  )
})

test('takes no message behind one that it is held after, and says where it stopped', () => {
  const wire = new Wire()
  const events: string[] = []
  let isHeld = false
  wire.on('handshake', () => {
    events.push('handshake')
    isHeld = true
  })
  wire.on('unchoke', () => events.push('unchoke'))
  const read = createWireReader({ wire, sinkFor: () => undefined, isHeld: () => isHeld, onViolation: () => {} })
  const stream = Buffer.concat([HANDSHAKE, message(1)])
  const taken = read(stream)
  expect([taken, events]).toEqual([HANDSHAKE.length, ['handshake']])
  isHeld = false
  expect(read(stream.subarray(taken))).toBe(5)
  expect(events).toEqual(['handshake', 'unchoke'])
})
