// Our own messages between agents (BEP 10): what a neighbour says that it is fetching, and questions and answers of an echo.
import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { encodeBencode } from '@updraft/core/swarm/bencode'
import { createEcho } from '@updraft/core/swarm/peers/echo'
import type { Link } from '@updraft/core/swarm/peers/link'
import { createNeighbours } from '@updraft/core/swarm/peers/neighbours'
import { plainTarget } from '../target.ts'

const PIECES = 16

export const neighbours = plainTarget({
  what: 'a message of another agent over BEP 10: ud_lan and ud_echo',
  seeds: () => [
    encodeBencode({ p: Buffer.from([0, 0, 0, 3, 0, 0, 0, 5]) }),
    encodeBencode({ q: 12_345 }),
    encodeBencode({ a: 0, r: 99_999 }),
  ],
  words: ['1:p', '4:', '1:q', '1:a', '1:r', 'i0e', 'i-1e', 'd', 'e', '\xff\xff\xff\xff'],
  attempt: (input) => {
    const sent: Uint8Array[] = []
    const hear: ((bytes: Uint8Array) => void)[] = []
    const wire = Object.assign(new EventEmitter(), {
      peerExtendedMapping: { ud_lan: 1, ud_echo: 2 },
      destroyed: false,
      use: (Extension: new () => { onMessage(bytes: Uint8Array): void }) => {
        const handler = new Extension()
        hear.push((bytes) => handler.onMessage(bytes))
      },
      extended: (_name: string, bytes: Uint8Array) => sent.push(bytes),
    })
    const link = { wire, isNear: true, isSeed: false, peerId: 'ff', has: () => false } as unknown as Link
    const lan = createNeighbours({
      pieces: PIECES,
      ownId: 'aa',
      now: () => 1,
      isUnderWay: () => true,
      onYielded: (index) => assert.ok(index < PIECES),
      onFreed: () => {},
    })
    lan.add(link)
    const echo = createEcho(
      link,
      () => 0,
      ({ upMs, downMs, mark }) => assert.ok(Number.isFinite(upMs) && Number.isFinite(downMs) && mark === 7),
    )
    echo.measure(7)
    const asked = sent.length
    for (const take of hear) take(input)
    // A message leads to one answer at most, and to claims of pieces that there are.
    assert.ok(sent.length <= asked + 1)
    const claimed = Array.from({ length: PIECES }, (_, index) => index).filter((index) => lan.covers(index))
    assert.ok(claimed.length <= input.length / 4)
  },
})
