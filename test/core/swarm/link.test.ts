// What a connection tells of the pieces at its other end.
import { EventEmitter } from 'node:events'
import { expect, test } from '@jest/globals'
import { createLink, type LinkOptions } from '@updraft/core/swarm/peers/link'

const openLink = (pieces: number) => {
  const shown: (readonly number[])[] = []
  const hidden: number[] = []
  const wire = Object.assign(new EventEmitter(), { type: 'tcpIncoming', peerPieces: { buffer: new Uint8Array(0) } })
  const link = createLink({
    peer: Object.assign(new EventEmitter(), { addr: '127.0.0.1:1' }),
    wire,
    pieces,
    isNear: () => true,
    now: () => 0,
    onShown: (_: unknown, indexes: readonly number[]) => shown.push(indexes),
    onHidden: (_: unknown, index: number) => hidden.push(index),
    onClosed: () => {},
  } as unknown as LinkOptions)
  return { link, wire, shown, hidden }
}

test('pieces of a bitfield can be looked at by everybody who wants to know of them, one after the other', () => {
  const { link, wire, shown, hidden } = openLink(10)
  wire.peerPieces.buffer = Uint8Array.of(0b1010_0000, 0b0100_0000)
  wire.emit('bitfield')
  expect([shown, shown]).toEqual([[[0, 2, 9]], [[0, 2, 9]]])
  expect([link.has(2), link.has(3), link.isSeed]).toEqual([true, false, false])
  wire.emit('have', 3)
  wire.emit('have', 3)
  expect(shown).toEqual([[0, 2, 9], [3]])
  wire.emit('have-all')
  expect([shown.at(-1)?.length, hidden, link.isSeed]).toEqual([10, [0, 2, 3, 9], true])
})
