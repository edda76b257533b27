// When peers hear what we have got: with whatever leaves for them, soon by itself, later if it is of no use to them.
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import type { Link } from '@updraft/core/swarm/peers/link'
import { createTeller } from '@updraft/core/swarm/peers/teller'

const PIECES = 100

beforeEach(() => void jest.useFakeTimers())
afterEach(() => void jest.useRealTimers())

const make = () => {
  const state = { isDone: false }
  const parted: Link[] = []
  const teller = createTeller({
    pieces: PIECES,
    now: Date.now,
    isDone: () => state.isDone,
    onTold: (link) => void parted.push(link),
  })
  const addPeer = ({ has = [], isNear = false }: { has?: readonly number[]; isNear?: boolean } = {}) => {
    const heard: number[] = []
    const held = new Set(has)
    const link = {
      isNear,
      has: (index: number) => held.has(index),
      get pieces() {
        return held.size
      },
      wire: { have: (index: number) => heard.push(index) },
    } as unknown as Link
    return { link, heard, tellNow: teller.add(link) }
  }
  /** Goes on until `ms` have passed; 0 is the end of this turn. */
  const pass = async (ms: number) => {
    await jest.advanceTimersByTimeAsync(ms)
  }
  return { teller, state, parted, addPeer, pass }
}

test('the first news is told at once, and what follows waits a moment', async () => {
  const { teller, addPeer, pass } = make()
  const { heard } = addPeer()
  teller.tell(1)
  await pass(0)
  expect(heard).toEqual([1])
  teller.tell(2)
  await pass(20)
  teller.tell(3)
  await pass(20)
  expect(heard).toEqual([1])
  await pass(20)
  expect(heard).toEqual([1, 2, 3])
  teller.close()
})

test('news goes along with whatever leaves for the peer, once', async () => {
  const { teller, addPeer, pass } = make()
  const [a, b] = [addPeer(), addPeer()]
  teller.tell(1)
  await pass(0)
  teller.tell(2)
  await pass(0)
  a.tellNow()
  expect([a.heard, b.heard]).toEqual([[1, 2], [1]])
  a.tellNow()
  await pass(100)
  expect([a.heard, b.heard]).toEqual([
    [1, 2],
    [1, 2],
  ])
  teller.close()
})

test('who has the piece hears of it later, but does', async () => {
  const { teller, addPeer, pass } = make()
  const { heard } = addPeer({ has: [1] })
  teller.tell(1)
  await pass(200)
  expect(heard).toEqual([])
  await pass(100)
  expect(heard).toEqual([1])
  teller.close()
})

test('a neighbour hears it at once, and while there is one those outside hear it four times a second', async () => {
  const { teller, addPeer, pass } = make()
  const [near, outside] = [addPeer({ isNear: true }), addPeer()]
  teller.tell(1)
  await pass(0)
  teller.tell(2)
  await pass(0)
  expect([near.heard, outside.heard]).toEqual([[1, 2], []])
  await pass(260)
  expect(outside.heard).toEqual([1, 2])
  teller.close()
})

test('who lacks little is not kept waiting', async () => {
  const { teller, addPeer, pass } = make()
  const { heard } = addPeer({ has: Array.from({ length: PIECES - 10 }, (_, index) => index) })
  for (const index of [95, 96]) {
    teller.tell(index)
    await pass(0)
  }
  expect(heard).toEqual([95, 96])
  teller.close()
})

test('with the last piece everybody hears everything at once', async () => {
  const { teller, state, parted, addPeer, pass } = make()
  const { link, heard } = addPeer({ has: Array.from({ length: PIECES }, (_, index) => index) })
  teller.tell(1)
  await pass(0)
  expect(heard).toEqual([])
  state.isDone = true
  teller.tell(2)
  await pass(0)
  expect(heard).toEqual([1, 2])
  expect(parted).toEqual([link])
  teller.close()
})

test('who has gone hears nothing, and nothing is left running at the end', async () => {
  const { teller, addPeer, pass } = make()
  const [gone, stays] = [addPeer(), addPeer()]
  teller.tell(1)
  await pass(0)
  teller.tell(2)
  await pass(0)
  teller.remove(gone.link)
  teller.close()
  await pass(1_000)
  expect([gone.heard, stays.heard]).toEqual([[1], [1]])
  expect(jest.getTimerCount()).toBe(0)
})
