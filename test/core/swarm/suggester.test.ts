// What a seed suggests: every piece to one peer before any to two.
import { expect, test } from '@jest/globals'
import type { Link } from '@updraft/core/swarm/peers/link'
import { createSuggester } from '@updraft/core/swarm/peers/suggester'

const PIECES = 64
const KIB = 1024
/** Half a MiB in pieces of 128 KiB. */
const AHEAD = 4

/** A peer that does what it is told, or not. */
const makePeer = (hasFast = true) => {
  const told: number[] = []
  const has = new Set<number>()
  const link = {
    has: (index: number) => has.has(index),
    wire: { hasFast, suggest: (index: number) => told.push(index) },
  } as unknown as Link
  return { link, told, has }
}
const make = () => createSuggester({ pieces: PIECES, pieceLength: 128 * KIB, random: Math.random })

/** What the peer was told last. */
const lastOf = ({ told }: ReturnType<typeof makePeer>): number => told.at(-1) ?? -1

test('peers are told to take different pieces, a few ahead of what they have begun', () => {
  const suggester = make()
  const peers = Array.from({ length: 8 }, () => makePeer())
  for (const { link } of peers) suggester.add(link)
  const told = peers.flatMap((peer) => peer.told)
  expect(told).toHaveLength(8 * AHEAD)
  expect(new Set(told).size).toBe(8 * AHEAD)
  const [first] = peers
  if (first !== undefined) suggester.onRequested(first.link, first.told[0] ?? -1)
  expect(first?.told).toHaveLength(AHEAD + 1)
})

test('every piece is told to one peer, and none to two', () => {
  const suggester = make()
  const peers = [makePeer(), makePeer()]
  for (const { link } of peers) suggester.add(link)
  for (let turn = 0; turn < PIECES; turn += 1) {
    for (const { link, told } of peers) {
      const index = told[turn]
      if (index !== undefined) suggester.onRequested(link, index)
    }
  }
  const told = peers.flatMap((peer) => peer.told)
  expect(told).toHaveLength(PIECES)
  expect(new Set(told).size).toBe(PIECES)
})

test('a peer with nothing left gets what another was told last and has not begun', () => {
  const suggester = make()
  const [fast, slow] = [makePeer(), makePeer()]
  suggester.add(fast.link)
  suggester.add(slow.link)
  for (let turn = 0; turn < PIECES - AHEAD; turn += 1) suggester.onRequested(fast.link, fast.told[turn] ?? -1)
  expect(slow.told).toHaveLength(AHEAD)
  expect(fast.told).toHaveLength(PIECES - AHEAD + 1)
  expect(lastOf(fast)).toBe(lastOf(slow))
  expect(suggester.isFirstCopy(fast.link, lastOf(fast))).toBe(true)
  expect(suggester.isFirstCopy(slow.link, lastOf(fast))).toBe(false)
})

test('what a peer that leaves was told is told to others', () => {
  const suggester = make()
  const [gone, stays, comes] = [makePeer(), makePeer(), makePeer()]
  suggester.add(gone.link)
  suggester.add(stays.link)
  expect(suggester.isFirstCopy(stays.link, gone.told[0] ?? -1)).toBe(false)
  suggester.remove(gone.link)
  expect(suggester.isFirstCopy(stays.link, gone.told[0] ?? -1)).toBe(true)
  suggester.add(comes.link)
  for (let turn = 0; turn < PIECES; turn += 1) suggester.onRequested(comes.link, comes.told[turn] ?? -1)
  expect(comes.told).toEqual(expect.arrayContaining(gone.told))
})

test('a piece that a peer has is suggested to nobody, until it has it no more', () => {
  const suggester = make()
  const [a, b] = [makePeer(), makePeer()]
  suggester.add(a.link)
  suggester.onShown(
    a.link,
    Array.from({ length: PIECES - 1 }, (_, index) => index),
  )
  suggester.add(b.link)
  expect([...a.told, ...b.told]).toEqual([PIECES - 1])
  for (let again = 0; again < 3; again += 1) {
    suggester.onHidden(7)
    suggester.onShown(a.link, [7])
  }
  suggester.onHidden(7)
  suggester.onShown(b.link, [])
  expect([...a.told, ...b.told]).toEqual([PIECES - 1, 7])
})

test('a first copy is one that nobody has and nobody else was told to take', () => {
  const suggester = make()
  const [a, b] = [makePeer(), makePeer()]
  suggester.add(a.link)
  suggester.add(b.link)
  const index = a.told[0] ?? -1
  expect([suggester.isFirstCopy(a.link, index), suggester.isFirstCopy(b.link, index)]).toEqual([true, false])
  a.has.add(index)
  suggester.onShown(a.link, [index])
  expect(suggester.isFirstCopy(a.link, index)).toBe(false)
  suggester.onHidden(index)
  expect(suggester.isFirstCopy(b.link, index)).toBe(true)
})

test('one peer alone and peers without the fast extension are told nothing', () => {
  const suggester = make()
  const [alone, old] = [makePeer(), makePeer(false)]
  suggester.add(alone.link)
  expect(alone.told).toEqual([])
  suggester.add(old.link)
  expect([alone.told.length, old.told.length]).toEqual([AHEAD, 0])
})
