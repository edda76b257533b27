// The order in which blocks are asked for, and what becomes of them.
import { beforeEach, describe, expect, test } from '@jest/globals'
import { BLOCK_LENGTH } from '@updraft/core/swarm/pieces/geometry'
import { type BlockClaim, createPicker, type Picker, type Source } from '@updraft/core/swarm/pieces/picker'

const BLOCKS = 4
const PIECES = 8
const LAST_LENGTH = BLOCK_LENGTH + 1

const source = (name: string): Source => ({ name, banSubjects: [] })
const [alice, bob, carol] = [source('alice'), source('bob'), source('carol')]
type Has = (index: number) => boolean
const all: Has = () => true
const only =
  (...indexes: readonly number[]): Has =>
  (index) =>
    indexes.includes(index)

let chance: number[]
let picker: Picker
const make = (have: readonly number[] = []): Picker =>
  createPicker({
    pieces: PIECES,
    pieceLengthOf: (index) => (index === PIECES - 1 ? LAST_LENGTH : BLOCKS * BLOCK_LENGTH),
    has: (index) => have.includes(index),
    random: () => chance.shift() ?? 0,
  })
beforeEach(() => {
  chance = []
  picker = make()
})

const claim = (who: Source, has = all, of: 'shared' | 'alone' | 'own' = 'shared'): BlockClaim => {
  const claimed = picker.claimBlock(who, has, of)
  if (claimed === undefined) throw new Error(`nothing for ${who.name}`)
  return claimed
}
const block = (fill = 1, length = BLOCK_LENGTH): Buffer => Buffer.alloc(length, fill)
const receive = (claimed: BlockClaim, who: Source, fill = 1) => picker.receive(claimed, who, block(fill))

describe('the order', () => {
  test('is the rarest piece first', () => {
    for (let index = 0; index < PIECES; index += 1) if (index !== 5) picker.countPeer(index, 1)
    expect(claim(alice).piece.index).toBe(5)
    picker.countPeer(5, 1)
    picker.countPeer(2, -1)
    expect(claim(bob).piece.index).toBe(2)
  })

  test('is a started piece before a fresh one of the same rarity', () => {
    const has = only(1, 2, 3)
    const first = claim(alice, has).piece.index
    const next = [claim(bob, has), claim(alice, has), claim(bob, has)]
    expect(next.map(({ piece }) => piece.index)).toEqual([first, first, first])
    expect(claim(alice, has).piece.index).not.toBe(first)
  })

  test('is a rarer fresh piece before a started one', () => {
    for (let index = 0; index < PIECES; index += 1) picker.countPeer(index, 1)
    expect(claim(alice, only(3)).piece.index).toBe(3)
    picker.countPeer(6, -1)
    expect(claim(alice).piece.index).toBe(6)
  })

  test('is by chance among equals', () => {
    const orders = new Set(
      Array.from({ length: 50 }, () => {
        chance = Array.from({ length: 100 }, Math.random)
        picker = make()
        return Array.from({ length: PIECES }, () => picker.claimBlock(source('x'), all, 'alone')?.piece.index).join()
      }),
    )
    expect(orders.size).toBeGreaterThan(40)
  })

  test('leaves out what the peer lacks, what is there, and what is asked for', () => {
    picker = make([0, 1, 2, 3, 4, 5])
    expect(picker.missing).toBe(2)
    expect(picker.claimBlock(alice, only(0, 1, 2), 'shared')).toBeUndefined()
    const claimed = Array.from({ length: BLOCKS + 2 }, () => claim(alice))
    expect(claimed.map(({ piece, block: place }) => [piece.index, place]).sort()).toEqual([
      [6, 0],
      [6, 1],
      [6, 2],
      [6, 3],
      [7, 0],
      [7, 1],
    ])
    expect(picker.claimBlock(bob, all, 'shared')).toBeUndefined()
  })
})

describe('suggested pieces', () => {
  const suggested = (who: Source, of: 'shared' | 'alone' | 'own', ...indexes: readonly number[]) =>
    picker.claimSuggested(who, all, of, indexes)

  test('come in their order, and nothing else is begun', () => {
    picker.countPeer(3, 1)
    const claims = Array.from({ length: BLOCKS + 1 }, () => suggested(alice, 'shared', 3, 1))
    expect(claims.map((claimed) => claimed?.piece.index)).toEqual([3, 3, 3, 3, 1])
    for (let rest = 1; rest < BLOCKS; rest += 1) suggested(alice, 'shared', 3, 1)
    expect(suggested(alice, 'shared', 3, 1)).toBeUndefined()
  })

  test('are gone on with by a source that has one alone', () => {
    const first = suggested(alice, 'alone', 3, 1)
    expect([first?.piece.alone, first?.piece.index]).toEqual([alice, 3])
    expect(suggested(alice, 'own', 1)?.piece.index).toBe(3)
    expect(suggested(bob, 'shared', 3)).toBeUndefined()
    expect(suggested(bob, 'own', 1)).toBeUndefined()
  })

  test('are left out where they are verified, or not there', () => {
    picker = make([3])
    expect(picker.claimSuggested(alice, only(3), 'shared', [3, 1])).toBeUndefined()
  })
})

describe('a block', () => {
  test('lands in its place', () => {
    const claims = Array.from({ length: 2 }, () => claim(alice, only(PIECES - 1)))
    expect(picker.receive(claims[1] as BlockClaim, alice, block(7, 1))).toBe('kept')
    expect(picker.receive(claims[0] as BlockClaim, alice, block(9))).toBe('complete')
    expect(claims[0]?.piece.buffer).toEqual(Buffer.concat([block(9), block(7, 1)]))
  })

  test('counts once, whoever sends it first', () => {
    const claimed = claim(alice)
    expect([receive(claimed, alice), receive(claimed, bob)]).toEqual(['kept', 'unwanted'])
    expect(claimed.piece.senders[claimed.block]).toBe(alice)
  })

  test('that is released can be asked of somebody else', () => {
    const claimed = claim(alice, only(2))
    const { openings } = picker
    picker.release(claimed, alice)
    expect(picker.openings).toBeGreaterThan(openings)
    expect(claim(bob, only(2)).block).toBe(claimed.block)
  })

  test('cannot be released by who was not asked for it', () => {
    const claimed = claim(alice, only(2))
    picker.release(claimed, bob)
    expect(claimed.piece.askers[claimed.block]).toBe(alice)
  })

  test('of a piece that began anew is not used', () => {
    const claimed = claim(alice)
    picker.restart(claimed.piece)
    expect(receive(claimed, alice)).toBe('unwanted')
  })
})

describe('alone', () => {
  test('keeps others out of the piece', () => {
    const claimed = claim(alice, only(3), 'alone')
    expect(picker.claimBlock(bob, only(3), 'shared')).toBeUndefined()
    expect(claim(alice, only(3), 'own').piece).toBe(claimed.piece)
    expect(picker.alonePieces(alice)).toBe(1)
  })

  test('takes no part in a piece of others', () => {
    claim(bob, only(3))
    expect(picker.claimBlock(alice, only(3), 'alone')).toBeUndefined()
  })

  test('begins again what others left', () => {
    const left = claim(bob, only(3))
    receive(left, bob)
    picker.leave(bob)
    const claimed = claim(alice, only(3), 'alone')
    expect([claimed.piece.index, claimed.piece.senders.includes(bob)]).toEqual([3, false])
  })

  test('is given up with the one who leaves', () => {
    const claimed = claim(alice, only(3), 'alone')
    receive(claimed, alice)
    picker.leave(alice)
    expect(claim(bob, only(3)).piece).toBe(claimed.piece)
  })

  test('is how a piece that failed comes the next time, from one source as a whole', () => {
    const first = claim(alice, only(3))
    picker.restart(first.piece)
    const again = claim(bob, only(3))
    expect([again.piece.mustBeAlone, again.piece.alone]).toEqual([true, bob])
    expect(picker.claimBlock(carol, only(3), 'shared')).toBeUndefined()
    receive(again, bob)
    picker.leave(bob)
    const third = claim(carol, only(3))
    expect(third.piece.senders.includes(bob)).toBe(false)
    expect(third.piece.alone).toBe(carol)
  })
})

describe('a run', () => {
  test('is made of neighbouring fresh pieces, from the beginning of the gap', () => {
    claim(alice, only(2))
    chance = [0.99]
    expect(picker.claimRun(bob, 3).map(({ index }) => index)).toHaveLength(3)
    expect(picker.claimRun(bob, 10).length + picker.claimRun(bob, 10).length).toBe(PIECES - 4)
    expect(picker.claimRun(bob, 10)).toEqual([])
    expect(picker.claimBlock(carol, only(0, 1, 3, 4, 5, 6, 7), 'shared')).toBeUndefined()
  })

  test('goes back to all when its source leaves', () => {
    picker.claimRun(bob, PIECES)
    picker.leave(bob)
    expect(claim(alice).piece.alone).toBeUndefined()
  })
})

test('how rare the rarest piece is that can still be claimed', () => {
  expect([picker.leastRarity, picker.rarityOf(3)]).toEqual([0, 0])
  for (let index = 0; index < PIECES; index += 1) picker.countPeer(index, 1)
  for (let index = 0; index < PIECES; index += 1) if (index !== 3) picker.countPeer(index, 1)
  expect([picker.leastRarity, picker.rarityOf(3), picker.rarityOf(4)]).toEqual([1, 1, 2])
  for (let turn = 0; turn < BLOCKS; turn += 1) claim(alice, only(3))
  expect(picker.leastRarity).toBe(2)
  picker = make(Array.from({ length: PIECES }, (_, index) => index))
  expect(picker.leastRarity).toBe(Number.POSITIVE_INFINITY)
})

test('everything is asked for once no block is left to claim, until one is given back', () => {
  picker = make([0, 1, 2, 3, 4, 7])
  expect(picker.isAllAsked).toBe(false)
  const claims = Array.from({ length: 2 * BLOCKS }, () => claim(bob))
  expect(picker.isAllAsked).toBe(true)
  const [first] = claims
  if (first !== undefined) picker.release(first, bob)
  expect(picker.isAllAsked).toBe(false)
  const again = claim(alice)
  for (const claimed of claims.slice(1)) receive(claimed, bob)
  receive(again, alice)
  expect(picker.isAllAsked).toBe(true)
  for (const index of [5, 6]) {
    const piece = picker.startedPiece(index)
    if (piece !== undefined) picker.finish(piece)
  }
  expect([picker.missing, picker.isAllAsked]).toEqual([0, false])
})

describe('taking over', () => {
  const fromBob = (loser: Source): boolean => loser === bob

  test('needs somebody who may lose', () => {
    claim(bob, only(3))
    expect(picker.takeOver(alice, all, 'shared', () => false)).toBeUndefined()
    expect(picker.takeOver(bob, all, 'shared', fromBob)).toBeUndefined()
    expect(picker.takeOver(alice, only(4), 'shared', fromBob)).toBeUndefined()
    expect(picker.takeOver(alice, only(3), 'shared', fromBob)).toMatchObject({ loser: bob, block: 0 })
  })

  test('makes the loser late: its block still counts if it comes first', () => {
    const claimed = claim(bob, only(3))
    picker.takeOver(alice, all, 'shared', fromBob)
    expect(receive(claimed, bob)).toBe('kept')
    expect(claimed.piece.askers[claimed.block]).toBeUndefined()
  })

  test('alone takes the whole piece, and only before anything of it came', () => {
    const claims = [claim(bob, only(3), 'alone'), claim(bob, only(3), 'own')]
    const taken = picker.takeOver(alice, all, 'alone', fromBob)
    expect(taken?.piece.alone).toBe(alice)
    expect(claims.map(({ piece, block: place }) => piece.askers[place]).includes(bob)).toBe(false)
    receive(claim(carol, only(4)), carol)
    expect(picker.takeOver(alice, only(4), 'alone', (loser) => loser === carol)).toBeUndefined()
  })

  test('a whole piece suits who fetches nothing smaller', () => {
    claim(bob, only(3))
    const piece = picker.takeOverPiece(alice, fromBob)
    expect([piece?.index, piece?.askers.every((asker) => asker === alice)]).toEqual([3, true])
    expect(picker.takeOverPiece(alice, fromBob)).toBeUndefined()
  })
})

test('forgetting a liar keeps what others sent', () => {
  const [a, b] = [claim(alice, only(3)), claim(bob, only(3))]
  receive(a, alice)
  receive(b, bob)
  const asked = claim(bob, only(3))
  picker.discard(bob)
  expect(a.piece.senders).toEqual([alice, undefined, undefined, undefined])
  expect(asked.piece.askers).toEqual([undefined, undefined, undefined, undefined])
})

test('a verified piece is missing no more', () => {
  const claimed = claim(alice, only(3))
  picker.finish(claimed.piece)
  expect([picker.missing, picker.isMissing(3), picker.claimBlock(bob, only(3), 'shared')]).toEqual([
    7,
    false,
    undefined,
  ])
  picker.finish(claimed.piece)
  expect(picker.missing).toBe(7)
})

test('whatever happens, every block is either free, asked for, or there', () => {
  for (let round = 0; round < 200; round += 1) {
    picker = createPicker({
      pieces: PIECES,
      pieceLengthOf: () => BLOCKS * BLOCK_LENGTH,
      has: () => false,
      random: Math.random,
    })
    const everyone = [alice, bob, carol]
    const open: { claimed: BlockClaim; who: Source }[] = []
    const any = <T>(items: readonly T[]): T => items[Math.floor(Math.random() * items.length)] as T
    for (let step = 0; step < 300; step += 1) {
      const who = any(everyone)
      const deed = Math.random()
      if (deed < 0.5) {
        const claimed = picker.claimBlock(who, all, any(['shared', 'alone', 'own'] as const))
        if (claimed !== undefined) open.push({ claimed, who })
      } else if (deed < 0.8 && open.length > 0) {
        const [asked] = open.splice(Math.floor(Math.random() * open.length), 1)
        if (asked !== undefined && receive(asked.claimed, asked.who) === 'complete') {
          if (Math.random() < 0.7) picker.finish(asked.claimed.piece)
          else picker.restart(asked.claimed.piece)
        }
      } else if (deed < 0.85) picker.leave(who)
      else if (deed < 0.9) picker.discard(who)
      else if (deed < 0.95) picker.takeOver(who, all, any(['shared', 'alone'] as const), (loser) => loser !== who)
      else picker.countPeer(Math.floor(Math.random() * PIECES), 1)
    }
    // Whoever is left alone finishes it all.
    for (const who of [alice, bob, carol]) picker.leave(who)
    for (let step = 0; picker.missing > 0 && step < 1_000; step += 1) {
      const claimed = picker.claimBlock(carol, all, 'shared') ?? picker.claimBlock(carol, all, 'alone')
      if (claimed === undefined) break
      if (receive(claimed, carol) === 'complete') picker.finish(claimed.piece)
    }
    expect(picker.missing).toBe(0)
  }
})
