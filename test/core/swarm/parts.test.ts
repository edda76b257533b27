// The small parts of the swarm, each by itself: bits, bans, slots, limits, slabs, blame and waiting.
import { randomBytes } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { createCompletion } from '@updraft/core/swarm/completion'
import { banSubjectsOf, memoryBans } from '@updraft/core/swarm/peers/bans'
import { chooseUnchoked } from '@updraft/core/swarm/peers/choker'
import { allBits, clearBit, countBits, hasBit, isBitfieldFor, setBit } from '@updraft/core/swarm/pieces/bits'
import { createBlame } from '@updraft/core/swarm/pieces/blame'
import { BLOCK_LENGTH } from '@updraft/core/swarm/pieces/geometry'
import type { Source, StartedPiece } from '@updraft/core/swarm/pieces/picker'
import { createSlabReader } from '@updraft/core/swarm/pieces/slab-reader'
import { createWaiting } from '@updraft/core/swarm/pieces/waiting'
import { createRateLimiter } from '@updraft/core/swarm/rate-limiter'

describe('bits', () => {
  test('stand from the most significant on', () => {
    const bits = new Uint8Array(2)
    for (const index of [0, 7, 9]) setBit(bits, index)
    expect([...bits]).toEqual([0b1000_0001, 0b0100_0000])
    clearBit(bits, 7)
    expect([hasBit(bits, 0), hasBit(bits, 7), hasBit(bits, 100), countBits(bits)]).toEqual([true, false, false, 2])
  })

  test('leave spare bits empty', () => {
    expect([...allBits(11)]).toEqual([0xff, 0b1110_0000])
    expect(
      [allBits(8), allBits(11), Uint8Array.of(0xff, 0b1111_0000), Uint8Array.of(0xff)].map((bits) =>
        isBitfieldFor(bits, 11),
      ),
    ).toEqual([false, true, false, false])
    expect(isBitfieldFor(allBits(16), 16)).toBe(true)
  })
})

describe('bans', () => {
  test('end after their term', () => {
    let time = 0
    const bans = memoryBans({ termMs: 100, now: () => time })
    bans.ban('a', '')
    time = 99
    expect(bans.isBanned('a')).toBe(true)
    bans.ban('a', '')
    time = 198
    expect(bans.isBanned('a')).toBe(true)
    time = 199
    expect(bans.isBanned('a')).toBe(false)
  })

  test('forget the oldest in a flood', () => {
    const bans = memoryBans({ subjectsMax: 2 })
    for (const subject of ['a', 'b', 'a', 'c']) bans.ban(subject, '')
    expect(['a', 'b', 'c'].map(bans.isBanned)).toEqual([true, false, true])
  })

  test.each([
    ['10.0.0.1', 'address 10.0.0.1'],
    ['::ffff:10.0.0.1', 'address 10.0.0.1'],
    ['2001:db8::1', 'address 2001:db8:0:0::/64'],
    ['2001:0db8:0001:0002:3:4:5:6', 'address 2001:db8:1:2::/64'],
    ['127.0.0.1', 'address 127.0.0.1 peer x'],
    ['::1', 'address ::1 peer x'],
    [undefined, 'peer x'],
  ])('of a peer at %s are for %s', (address, subject) => {
    expect(banSubjectsOf({ address, peerId: 'x' })).toEqual([subject])
  })
})

describe('slots', () => {
  const candidates = (count: number) =>
    Array.from({ length: count }, (_, peer) => ({ peer, bytesPerSecond: peer, unchoked: false }))

  test('are for everyone while there are enough', () => {
    expect(chooseUnchoked(candidates(5), Math.random, 5).size).toBe(5)
  })

  test('go to the fastest, but two by chance', () => {
    const chosen = new Set<number>()
    for (let round = 0; round < 200; round += 1) {
      const unchoked = chooseUnchoked(candidates(30), Math.random, 10)
      expect(unchoked.size).toBe(10)
      for (let peer = 22; peer < 30; peer += 1) expect(unchoked.has(peer)).toBe(true)
      for (const peer of unchoked) chosen.add(peer)
    }
    expect(chosen.size).toBe(30)
  })
})

describe('a rate limit', () => {
  test('lets through what it says', () => {
    let time = 0
    using limiter = createRateLimiter({ bytesPerSecond: 1_000_000, now: () => time })
    let sent = 0
    for (; time < 10_000; time += 1) {
      while (limiter.isReady()) {
        limiter.spend(16_384)
        sent += 16_384
      }
    }
    expect(sent / 10_000_000).toBeGreaterThan(0.97)
    expect(sent / 10_000_000).toBeLessThan(1.03)
  })

  test('wakes who waits', async () => {
    using limiter = createRateLimiter({ bytesPerSecond: 100_000 })
    limiter.spend(30_000)
    expect(limiter.isReady()).toBe(false)
    await new Promise<void>((ready) => limiter.whenReady(ready))
    expect(limiter.isReady()).toBe(true)
  })

  test('that is none costs nothing', () => {
    using limiter = createRateLimiter({ bytesPerSecond: undefined })
    limiter.spend(Number.MAX_SAFE_INTEGER)
    expect(limiter.isReady()).toBe(true)
  })
})

describe('slabs', () => {
  const store = (length: number) => {
    const bytes = randomBytes(length)
    const reads: string[] = []
    return {
      bytes,
      reads,
      pieceLengthOf: () => length,
      read: async (index: number, offset: number, size: number) => {
        reads.push(`${index} ${offset} ${size}`)
        return bytes.subarray(offset, offset + size)
      },
    }
  }

  test('are read once for all their blocks', async () => {
    const [slabs, source] = [createSlabReader(), store(300 * 1024)]
    const offsets = Array.from({ length: 18 }, (_, i) => i * BLOCK_LENGTH)
    const blocks = await Promise.all(offsets.map((offset) => slabs.read(source, 0, offset, BLOCK_LENGTH)))
    expect(Buffer.concat(blocks).equals(source.bytes.subarray(0, 18 * BLOCK_LENGTH))).toBe(true)
    expect(source.reads).toEqual([`0 0 ${256 * 1024}`, `0 ${256 * 1024} ${44 * 1024}`])
    await slabs.read(source, 0, 256 * 1024 - 10, 20)
    expect(source.reads.at(-1)).toBe(`0 ${256 * 1024 - 10} 20`)
  })

  test('do not keep a failure', async () => {
    const slabs = createSlabReader()
    let fails = true
    const source = {
      pieceLengthOf: () => BLOCK_LENGTH,
      read: async () => {
        if (fails) throw new Error('broken')
        return new Uint8Array(BLOCK_LENGTH)
      },
    }
    await expect(slabs.read(source, 0, 0, 1)).rejects.toThrow('broken')
    fails = false
    expect(await slabs.read(source, 0, 0, 1)).toHaveLength(1)
  })

  test('are few', async () => {
    const [slabs, source] = [createSlabReader(), store(BLOCK_LENGTH)]
    for (let index = 0; index < 100; index += 1) await slabs.read(source, index, 0, 1)
    await slabs.read(source, 99, 0, 1)
    expect(source.reads).toHaveLength(100)
    await slabs.read(source, 0, 0, 1)
    expect(source.reads).toHaveLength(101)
  })
})

describe('blame', () => {
  const source = (name: string): Source => ({ name, banSubjects: [] })
  const [alice, bob, carol] = [source('alice'), source('bob'), source('carol')]
  const piece = (...blocks: readonly (readonly [Source, number])[]): StartedPiece => ({
    index: 3,
    length: blocks.length * BLOCK_LENGTH,
    buffer: Buffer.concat(blocks.map(([, fill]) => Buffer.alloc(BLOCK_LENGTH, fill))) as Buffer<ArrayBuffer>,
    askers: [],
    senders: blocks.map(([sender]) => sender),
    alone: undefined,
    mustBeAlone: false,
  })

  test('falls on one who sent the whole piece', () => {
    expect(createBlame().failed(piece([alice, 1], [alice, 2]))).toEqual({ guilty: [alice], suspects: [] })
  })

  test('waits for proof when there were several, and then falls on the liar only', () => {
    const blame = createBlame()
    expect(blame.failed(piece([alice, 1], [bob, 9]))).toEqual({ guilty: [], suspects: [alice, bob] })
    expect(blame.passed(piece([carol, 1], [carol, 2]))).toEqual([bob])
    expect(blame.passed(piece([carol, 1], [carol, 2]))).toEqual([])
  })

  test('falls on several liars at once', () => {
    const blame = createBlame()
    blame.failed(piece([alice, 8], [bob, 9]))
    expect(blame.passed(piece([carol, 1], [carol, 2]))).toEqual([alice, bob])
  })
})

describe('waiting for the end', () => {
  const make = () => {
    let time = 0
    const completion = createCompletion({ now: () => time, describe: () => 'all is missing' })
    return { completion, pass: (ms: number) => (time += ms) }
  }

  test('ends with the first outcome', async () => {
    const { completion } = make()
    const waiting = completion.whenDone({ stallTimeoutMs: 10_000 })
    completion.done()
    completion.fail(new Error('later'))
    await waiting
    await completion.whenDone({ stallTimeoutMs: 1 })
    expect(completion.isDone).toBe(true)
  })

  test('gives failures of the disk their name', async () => {
    const { completion } = make()
    completion.fail(Object.assign(new Error('full'), { code: 'ENOSPC' }))
    await expect(completion.whenDone({ stallTimeoutMs: 1 })).rejects.toMatchObject({ code: 'DISK_FULL' })
  })

  test('does not count blocks as progress after a bad piece, until a good one', async () => {
    const { completion, pass } = make()
    completion.setback()
    pass(50)
    completion.progress('block')
    const waiting = completion.whenDone({ stallTimeoutMs: 20 })
    pass(20)
    await expect(waiting).rejects.toMatchObject({
      code: 'SWARM_STALLED',
      message: expect.stringMatching(/all is missing/),
    })
    completion.progress('piece')
    completion.progress('block')
    const again = completion.whenDone({ stallTimeoutMs: 20, signal: AbortSignal.abort() })
    await expect(again).rejects.toMatchObject({ code: 'ABORTED' })
  })
})

describe('waiting for a part', () => {
  /** Pieces of ten bytes, of which the first is there. */
  const make = () => {
    const there = new Set([0])
    const waiting = createWaiting({ pieceLength: 10 }, (index) => there.has(index))
    const arrive = (index: number): void => {
      there.add(index)
      waiting.arrived(index)
    }
    return { waiting, arrive }
  }
  const isSettled = (promise: Promise<void>): Promise<boolean> =>
    Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setImmediate(resolve, false))])

  test('ends with the last of its pieces, and at once if they are there', async () => {
    const { waiting, arrive } = make()
    await waiting.whenHave(0, 10)
    const part = waiting.whenHave(9, 31)
    for (const index of [3, 9, 2]) arrive(index)
    expect(await isSettled(part)).toBe(false)
    arrive(1)
    await part
    await waiting.whenHave(5, 40)
  })

  test('ends with what ended all, also for those who come later', async () => {
    const { waiting } = make()
    const part = waiting.whenHave(10, 20)
    waiting.fail(new Error('gone'))
    waiting.fail(new Error('later'))
    await expect(part).rejects.toThrow('gone')
    await expect(waiting.whenHave(10, 20)).rejects.toThrow('gone')
    await waiting.whenHave(0, 10)
  })
})
