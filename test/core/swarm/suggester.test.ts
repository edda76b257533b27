// What a seed suggests: every piece to one peer before any to two.
import { expect, test } from '@jest/globals'
import type { Link } from '@updraft/core/swarm/peers/link'
import { createSuggester } from '@updraft/core/swarm/peers/suggester'

const PIECES = 64
const KIB = 1024

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

test('peers are told to take different pieces', () => {
  const suggester = make()
  const peers = Array.from({ length: 8 }, () => makePeer())
  for (const { link } of peers) suggester.add(link)
  const told = peers.flatMap((peer) => peer.told)
  expect(told).toHaveLength(64)
  expect(new Set(told).size).toBe(64)
})

test('a piece is suggested anew only when every piece is out', () => {
  const suggester = make()
  const peers = [makePeer(), makePeer()]
  for (const { link } of peers) suggester.add(link)
  const taken: number[] = []
  while (taken.length < PIECES) {
    for (const { link, told, has } of peers) {
      const index = told.shift()
      if (index === undefined) continue
      taken.push(index)
      has.add(index)
      suggester.onShown(link, [index])
    }
  }
  expect(new Set(taken).size).toBe(PIECES)
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
  expect(new Set([...comes.told, ...stays.told]).size).toBe(16)
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
  expect([alone.told.length, old.told.length]).toEqual([8, 0])
})
