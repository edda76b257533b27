// Patches between two releases: small where only little changed, harmless whatever they say.
import { appendFileSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { gapsOf, packLengthOf } from '@updraft/core/bundle/bundle-index'
import { applyPatch, makePatch } from '@updraft/core/bundle/patch/patch'
import { decodeSegment } from '@updraft/core/bundle/patch/segment'
import { targetOf } from '@updraft/core/bundle/patch/sequence'
import { fillFromLocal, type LocalTree } from '@updraft/core/bundle/reuse'
import fc from 'fast-check'
import { type Bundle, bundle, installTree, type Nodes, noise, prose, temporaryFolder } from './bundle-support.ts'

interface Pair {
  readonly older: Bundle
  readonly newer: Bundle
  readonly patch: Buffer
}

const pairOf = async (before: Nodes, after: Nodes): Promise<Pair> => {
  const older = await bundle(before)
  const newer = await bundle(after, older)
  const patch = await makePatch({ older, newer, workers: 2 })
  if (patch === undefined) throw new Error('there is nothing to patch')
  return { older, newer, patch }
}

/** Applies the patch to what is at `tree`, and fills the new pack from the result, the tree and the older pack. */
const update = async ({ older, newer, patch }: Pair, tree: string) => {
  const folder = temporaryFolder()
  const patchPath = join(folder, 'patch')
  writeFileSync(patchPath, patch)
  const installed: LocalTree = { index: older.index, path: tree }
  const made = await applyPatch({ patchPath, older: installed, newer: newer.index, into: join(folder, 'new') })
  const packPath = join(folder, 'pack')
  const { reusedBytes, filled } = await fillFromLocal({
    index: newer.index,
    packPath,
    packs: [older],
    trees: [made.tree, installed],
    gaps: made.gaps,
  })
  const pack = readFileSync(packPath)
  for (const { start, end } of filled) {
    expect(pack.subarray(start, end).equals(newer.packBytes.subarray(start, end))).toBe(true)
  }
  return { isWhole: reusedBytes === packLengthOf(newer.index), reusedBytes }
}

const expectWhole = async (pair: Pair): Promise<void> => {
  expect(await update(pair, await installTree(pair.older))).toMatchObject({ isWhole: true })
}

/** What the chunks cost that only the newer release has. */
const chunkBytes = ({ newer }: Pair): number => packLengthOf(newer.index) - newer.reusedBytes

/** A program as a linker writes it: code that stays, and addresses that all move by the same distance. */
const program = (addresses: number, distance: number): Buffer => {
  const code = noise(addresses * 32, 'code')
  for (let row = 0; row < addresses; row += 1) code.writeUInt32LE(0x400000 + row * 52 + distance, row * 32)
  return code
}

describe('a patch is small', () => {
  test('for a program that was linked anew, where no chunk stays', async () => {
    const pair = await pairOf({ program: program(20_000, 0) }, { program: program(20_000, 0x1240) })
    expect(targetOf(pair.newer.index, pair.older.index).lengthBytes).toBe(20_000 * 32)
    expect(pair.patch.length).toBeLessThan(chunkBytes(pair) / 20)
    await expectWhole(pair)
  })

  test('for text that was edited in a few places', async () => {
    const lines = prose(400_000, 'text').split('\n')
    const edited = lines.map((line, row) => (row % 1_000 === 7 ? `${line} // edited` : line)).join('\n')
    const pair = await pairOf({ 'a.js': lines.join('\n') }, { 'a.js': edited })
    expect(pair.patch.length).toBeLessThan(1_000)
    await expectWhole(pair)
  })

  test('for a file that was renamed and changed', async () => {
    const content = noise(300_000, 'renamed')
    const changed = Buffer.concat([Buffer.from('more'), content.subarray(0, 200_000), content.subarray(200_100)])
    const pair = await pairOf({ 'old/name': content, other: 'x' }, { 'new/name': changed, other: 'x' })
    expect(pair.patch.length).toBeLessThan(200)
    await expectWhole(pair)
  })

  test('for text whose words are those of the older release in another order: that one is its dictionary', async () => {
    const words = (order: (row: number) => number): string =>
      Array.from({ length: 4_000 }, (_, row) => `word-${noise(4, order(row)).toString('hex')}`).join(' ')
    const pair = await pairOf({ words: words((row) => row) }, { words: words((row) => (row * 1_237) % 4_000) })
    const dictionaryLength = pair.patch.readUInt32LE(16)
    expect(dictionaryLength).toBeGreaterThan(0)
    expect(pair.patch.length).toBeLessThan(chunkBytes(pair))
    await expectWhole(pair)
  })
})

describe('a patch', () => {
  test('of several segments makes each of them', async () => {
    const pair = await pairOf({ program: program(400_000, 0) }, { program: program(400_000, 0x33) })
    await expectWhole(pair)
  }, 300_000)

  test('makes frames that were carried over and belong to no file any more', async () => {
    const versions = [0, 0x100, 0x200].map((distance) => ({
      program: program(8_000, distance),
      note: prose(9_000, distance),
    }))
    const first = await bundle(versions[0] ?? {})
    const second = await bundle(versions[1] ?? {}, first)
    const third = await bundle(versions[2] ?? {}, second)
    const fourth = await bundle({ ...versions[2], note: 'short' }, third)
    expect(gapsOf(fourth.index)).not.toEqual([])
    for (const older of [first, second, third]) {
      const patch = await makePatch({ older, newer: fourth })
      if (patch !== undefined) await expectWhole({ older, newer: fourth, patch })
    }
  })

  test('is not made where nothing is new', async () => {
    const older = await bundle({ a: prose(50_000, 1), b: prose(50_000, 2) })
    const newer = await bundle({ b: prose(50_000, 2) }, older)
    expect(await makePatch({ older, newer })).toBeUndefined()
  })

  test('is the same on every run and with any number of threads', async () => {
    const { older, newer, patch } = await pairOf(
      { program: program(300_000, 0), a: prose(100_000, 1) },
      { program: program(300_000, 0x33), a: `more${prose(100_000, 1)}` },
    )
    for (const workers of [1, 3]) expect((await makePatch({ older, newer, workers }))?.equals(patch)).toBe(true)
  }, 600_000)

  test('tells its progress up to all that is new', async () => {
    const older = await bundle({ a: noise(100_000, 1) })
    const newer = await bundle({ a: noise(100_000, 2) }, older)
    const seen: number[] = []
    await makePatch({ older, newer, onProgress: ({ doneBytes, totalBytes }) => seen.push(doneBytes / totalBytes) })
    expect(seen.at(-1)).toBe(1)
  })

  test('of any two trees gives the newer one', async () => {
    const edit = fc.record({
      file: fc.nat(4),
      at: fc.nat(60_000),
      removed: fc.nat(5_000),
      added: fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.constant(noise(20_000, 'added'))),
    })
    type Edit = Parameters<Parameters<typeof edit.map>[0]>[0]
    const editAll = (nodes: Record<string, Buffer>, edits: readonly Edit[]): Record<string, Buffer> => {
      const after = { ...nodes }
      for (const { file, at, removed, added } of edits) {
        const content = after[`f${file}`] ?? Buffer.alloc(0)
        const cut = Math.min(at, content.length)
        after[`f${file}`] = Buffer.concat([content.subarray(0, cut), added, content.subarray(cut + removed)])
      }
      return after
    }
    const edits = fc.array(edit, { minLength: 1, maxLength: 12 })
    const property = fc.asyncProperty(edits, edits, async (firstEdits, secondEdits) => {
      const oldest = Object.fromEntries([0, 1, 2, 3, 4].map((file) => [`f${file}`, noise(60_000 >> file, file)]))
      const middle = editAll(oldest, firstEdits)
      const releases = [await bundle(oldest)]
      releases.push(await bundle(middle, releases[0]))
      const newer = await bundle(editAll(middle, secondEdits), releases[1])
      for (const older of releases) {
        const patch = await makePatch({ older, newer, workers: 1 })
        if (patch !== undefined) await expectWhole({ older, newer, patch })
      }
    })
    await fc.assert(property, { numRuns: 8 })
  }, 300_000)
})

describe('local damage costs the chunks concerned', () => {
  const before = { a: program(10_000, 0), b: prose(300_000, 'b') }
  const after = { a: program(10_000, 0x77), b: prose(300_000, 'b').replaceAll('value: number', 'value: bigint') }

  test.each([
    ['changed', (path: string) => appendFileSync(path, 'x', { flag: 'r+' })],
    ['shorter', (path: string) => writeFileSync(path, noise(10, 1))],
    ['gone', (path: string) => rmSync(path)],
    [
      'a link to something else',
      (path: string) => {
        rmSync(path)
        symlinkSync('/etc/passwd', path)
      },
    ],
  ])('where a file is %s', async (_what, damage) => {
    const pair = await pairOf(before, after)
    const tree = await installTree(pair.older)
    damage(join(tree, 'b'))
    expect(await update(pair, tree)).toMatchObject({ isWhole: false })
  })
})

describe('a patch that lies', () => {
  const before = { a: program(5_000, 0), b: prose(100_000, 'b') }
  const after = { a: program(5_000, 0x77), b: `${prose(100_000, 'b')}\nmore` }
  const damaged = (patch: Buffer, change: (copy: Buffer) => Buffer | undefined): Buffer => {
    const copy = Buffer.from(patch)
    return change(copy) ?? copy
  }

  test.each<readonly [string, (copy: Buffer) => Buffer | undefined, RegExp]>([
    ['another beginning', (copy) => void copy.write('zzzz'), /does not begin like one/],
    ['an unknown version', (copy) => void copy.writeUInt8(9, 7), /format version 9, known is 1/],
    ['bytes after its end', (copy) => Buffer.concat([copy, Buffer.from('x')]), /bytes, \d+ by its headers/],
    ['a missing end', (copy) => copy.subarray(0, -1), /bytes, \d+ by its headers/],
    ['no headers', (copy) => copy.subarray(0, 8), /ends in a header/],
    ['a huge frame', (copy) => void copy.writeUInt32LE(0xffffffff, 8), /columns of \d+ bytes, packed 4294967295/],
    ['huge columns', (copy) => void copy.writeUInt32LE(0xffffffff, 12), /columns of 4294967295 bytes/],
    ['other columns', (copy) => void copy.writeUInt32LE(copy.readUInt32LE(12) - 1, 12), /does not decompress/],
    ['a huge dictionary', (copy) => void copy.writeUInt32LE(0xffffffff, 16), /4294967295 bytes of dictionary/],
    [
      'a dictionary at 2^53',
      (copy) => void copy.writeBigUInt64LE(2n ** 53n, 20),
      /bytes of dictionary at 9007199254740992/,
    ],
  ])('with %s is refused', async (_what, change, message) => {
    const pair = await pairOf(before, after)
    const tree = await installTree(pair.older)
    const lying = { ...pair, patch: damaged(pair.patch, change) }
    await expect(update(lying, tree)).rejects.toMatchObject({
      code: 'BUNDLE_INVALID',
      message: expect.stringMatching(message),
    })
  })

  test('for another release gives nothing that is used', async () => {
    const pair = await pairOf(before, after)
    const other = await pairOf(before, { a: program(5_000, 0x99), b: `${prose(100_000, 'b')}\nless` })
    const result = await update({ ...pair, patch: other.patch }, await installTree(pair.older)).catch((error) => error)
    if (result instanceof Error) expect(result).toMatchObject({ code: 'BUNDLE_INVALID' })
    else expect(result).toMatchObject({ isWhole: false })
  })

  test('in any one byte is refused, or its chunks are passed over', async () => {
    const pair = await pairOf({ a: program(1_000, 0) }, { a: program(1_000, 0x77) })
    const tree = await installTree(pair.older)
    const property = fc.asyncProperty(
      fc.nat(pair.patch.length - 1),
      fc.integer({ min: 1, max: 255 }),
      async (at, by) => {
        const patch = damaged(pair.patch, (copy) => void copy.writeUInt8((copy.readUInt8(at) + by) & 0xff, at))
        const result = await update({ ...pair, patch }, tree).catch((error) => error)
        if (result instanceof Error) expect(result).toMatchObject({ code: 'BUNDLE_INVALID' })
      },
    )
    await fc.assert(property, { numRuns: 25 })
  }, 300_000)
})

describe('the columns of a segment', () => {
  const read = (position: number, into: Uint8Array): void => void into.fill(position)
  const decode = (numbers: readonly number[], length: number): Uint8Array => {
    const into = new Uint8Array(length)
    decodeSegment(Uint8Array.from(numbers), 100, read, into)
    return into
  }

  test('copy, add and change', () => {
    // Two operations: 4 bytes from 10, two literals; 2 bytes from 14. One run: after three bytes, two changed ones.
    expect([...decode([2, 20, 0, 4, 2, 2, 0, 200, 201, 1, 3, 2, 5, 6], 8)]).toEqual([10, 10, 10, 15, 200, 201, 20, 14])
  })

  test.each([
    ['a copy before the source', [1, 1, 4, 0, 0], /copies 4 bytes at -1 of the source's 100/],
    ['a copy beyond the source', [1, 194, 1, 4, 0, 0], /copies 4 bytes at 97 of the source's 100/],
    ['more than the segment', [1, 0, 5, 0, 0], /writes more than 4 bytes/],
    ['less than the segment', [1, 0, 3, 0, 0], /writes 3 of 4 bytes/],
    ['more operations than bytes', [200, 1, 0, 4, 0, 0], /promises 200 values/],
    ['more literals than bytes', [1, 0, 0, 4, 1, 2], /promises 4 values/],
    ['changes beyond the copies', [1, 0, 4, 0, 1, 3, 2, 1, 1], /changes more bytes than it copies/],
    ['a change after a skip beyond the copies', [1, 0, 4, 0, 1, 9, 1, 1], /changes more bytes than it copies/],
    ['more changed bytes than there are', [1, 0, 4, 0, 1, 0, 4, 1], /promises 4 values/],
    ['a byte too many', [1, 0, 4, 0, 0, 7], /1 bytes after its last column/],
    ['nothing', [], /ends in the middle/],
  ])('with %s are refused', (_what, numbers, message) => {
    expect(() => decode(numbers, 4)).toThrow(message)
  })
})
