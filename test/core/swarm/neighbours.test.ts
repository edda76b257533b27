// What a local network leaves to one of its machines, and how long it believes that one.
import { EventEmitter } from 'node:events'
import { expect, test } from '@jest/globals'
import type { Link } from '@updraft/core/swarm/peers/link'
import { createNeighbours, type Neighbours } from '@updraft/core/swarm/peers/neighbours'

const PIECES = 64

interface Machine {
  readonly neighbours: Neighbours
  readonly id: string
  readonly underWay: Set<number>
  readonly yielded: number[]
  freed: number
}

/** Machines of one network that hear each other at once; `clock.ms` is the time of all. */
const lanOf = (count: number) => {
  const clock = { ms: 1_000 }
  const machines = Array.from({ length: count }, (_, number): Machine => {
    const machine: Machine = {
      id: `${number}`.repeat(32) + `${number + 1}`.repeat(8),
      underWay: new Set(),
      yielded: [],
      freed: 0,
      neighbours: createNeighbours({
        pieces: PIECES,
        ownId: `${number}`.repeat(32) + `${number + 1}`.repeat(8),
        now: () => clock.ms,
        isUnderWay: (index) => machine.underWay.has(index),
        onYielded: (index) => machine.yielded.push(index),
        onFreed: () => {
          machine.freed += 1
        },
      }),
    }
    return machine
  })
  const links = new Map<string, Link & { readonly bits: Set<number>; isSeed: boolean }>()
  const linkOf = (from: Machine, to: Machine) =>
    links.get(`${from.id} ${to.id}`) as NonNullable<ReturnType<typeof links.get>>
  for (const from of machines) {
    for (const to of machines) {
      if (from === to) continue
      const bits = new Set<number>()
      const handlers: { onMessage(bytes: Uint8Array): void }[] = []
      const wire = Object.assign(new EventEmitter(), {
        peerExtendedMapping: { ud_lan: 1 },
        destroyed: false,
        use: (Extension: new () => { onMessage(bytes: Uint8Array): void }) => handlers.push(new Extension()),
        hear: (bytes: Uint8Array) => {
          for (const handler of handlers) handler.onMessage(bytes)
        },
        extended: (_name: string, bytes: Uint8Array) => (linkOf(to, from).wire as unknown as typeof wire).hear(bytes),
      })
      const link = { wire, bits, isNear: true, isSeed: false, peerId: to.id, has: (index: number) => bits.has(index) }
      links.set(`${from.id} ${to.id}`, link as unknown as Link & { readonly bits: Set<number>; isSeed: boolean })
    }
  }
  for (const from of machines) for (const to of machines) if (from !== to) from.neighbours.add(linkOf(from, to))
  const shows = (owner: Machine, index: number): void => {
    for (const other of machines) {
      if (other === owner) continue
      linkOf(other, owner).bits.add(index)
      other.neighbours.onShown(linkOf(other, owner), [index])
    }
  }
  const begins = async (owner: Machine, index: number): Promise<void> => {
    owner.underWay.add(index)
    owner.neighbours.begun(index)
    await new Promise(setImmediate)
  }
  return { clock, machines: machines as [Machine, Machine, ...Machine[]], linkOf, shows, begins }
}

test('what a neighbour has is left to it, until it is gone', () => {
  const { machines, shows, linkOf } = lanOf(2)
  const [a, b] = machines
  shows(b, 3)
  expect([a.neighbours.covers(3), a.neighbours.covers(4)]).toEqual([true, false])
  a.neighbours.remove(linkOf(a, b))
  expect([a.neighbours.covers(3), a.neighbours.any, a.freed]).toEqual([false, false, 1])
})

test('what a neighbour is fetching from outside is left to it as long as it says so', async () => {
  const { clock, machines, begins } = lanOf(3)
  const [a, b, c] = machines
  await begins(b, 3)
  expect([a, b, c].map((machine) => machine?.neighbours.covers(3))).toEqual([true, false, true])
  clock.ms += 3_000
  b.neighbours.tick()
  clock.ms += 3_000
  expect(a.neighbours.covers(3)).toBe(true)
  b.underWay.clear()
  b.neighbours.tick()
  clock.ms += 1_000
  expect(a.neighbours.covers(3)).toBe(false)
})

test('a neighbour that says it for ever holds a piece up for a minute', async () => {
  const { clock, machines, begins } = lanOf(2)
  const [a, b] = machines
  await begins(b, 3)
  for (let second = 0; second < 59; second += 1) {
    clock.ms += 1_000
    b.neighbours.tick()
  }
  expect(a.neighbours.covers(3)).toBe(true)
  for (let second = 0; second < 10; second += 1) {
    clock.ms += 1_000
    b.neighbours.tick()
  }
  expect(a.neighbours.covers(3)).toBe(false)
})

test('a neighbour that does not deliver counts no more, until it does', async () => {
  const { machines, shows, begins, linkOf } = lanOf(2)
  const [a, b] = machines
  shows(b, 3)
  await begins(b, 4)
  const look = (isDelivering: boolean) => a.neighbours.judge(linkOf(a, b), isDelivering)
  look(false)
  look(false)
  expect([a.neighbours.covers(3), a.neighbours.covers(4)]).toEqual([true, true])
  look(false)
  expect([a.neighbours.covers(3), a.neighbours.covers(4)]).toEqual([false, false])
  shows(b, 5)
  look(true)
  expect([3, 4, 5].map((index) => a.neighbours.covers(index))).toEqual([true, true, true])
})

test('of two that begin the same piece, one goes on', async () => {
  const { machines, begins } = lanOf(2)
  const [a, b] = machines
  await Promise.all([begins(a, 3), begins(b, 3)])
  expect([a.yielded, b.yielded]).toEqual([[], [3]])
})

test('each piece is one machine’s to begin, and anybody’s a moment later', () => {
  const { clock, machines, linkOf } = lanOf(4)
  const owners = Array.from({ length: PIECES }, (_, index) =>
    machines.filter(({ neighbours }) => neighbours.isOurs(index)),
  )
  expect(owners.every(({ length }) => length === 1)).toBe(true)
  expect(new Set(owners.flat()).size).toBe(4)
  const [a, b] = machines
  const outside = { ...linkOf(a, b), isNear: false }
  a.neighbours.onShown(outside, [7])
  expect(a.neighbours.isAnybodys(7)).toBe(false)
  clock.ms += 200
  expect(a.neighbours.isAnybodys(7)).toBe(true)
})

test('claims of pieces that do not exist, and claims that are none, change nothing', async () => {
  const { machines, linkOf } = lanOf(2)
  const [a, b] = machines
  const hear = (text: string) =>
    (linkOf(a, b).wire as unknown as { hear(bytes: Uint8Array): void }).hear(Buffer.from(text, 'latin1'))
  for (const text of [
    '',
    'd',
    'i1e',
    'de',
    'd1:pi3ee',
    'd1:p3:abce',
    'd1:p4:\xff\xff\xff\xffe',
    'd1:p6:\0\0\0\x07\0\0e',
  ])
    hear(text)
  const covered = Array.from({ length: PIECES }, (_, index) => index).filter((index) => a.neighbours.covers(index))
  expect(covered).toEqual([7])
})
