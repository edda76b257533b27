import {
  appendFileSync,
  existsSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { frameFiles } from '@updraft/core/bundle/pack-place'
import { lengthOfRanges, missingRanges } from '@updraft/core/bundle/ranges'
import { type FillOptions, fillFromLocal } from '@updraft/core/bundle/reuse'
import { type Bundle, bundle, install, installTree, noise, prose, temporaryFolder } from './bundle-support.ts'

/** Fills a new pack, and checks that every filled byte is right and every other one a zero. */
const fill = async (target: Bundle, local: Partial<Pick<FillOptions, 'packs' | 'trees'>>) => {
  const packPath = join(temporaryFolder(), 'pack')
  const { filled, reusedBytes } = await fillFromLocal({ index: target.index, packPath, packs: [], trees: [], ...local })
  const pack = readFileSync(packPath)
  expect(pack.length).toBe(target.packBytes.length)
  for (const { start, end } of filled)
    expect(pack.subarray(start, end).equals(target.packBytes.subarray(start, end))).toBe(true)
  const missing = missingRanges(filled, pack.length)
  for (const { start, end } of missing) expect(pack.subarray(start, end).every((byte) => byte === 0)).toBe(true)
  expect(reusedBytes).toBe(lengthOfRanges(filled))
  return { reusedBytes, missing, pack, isComplete: missing.length === 0 }
}

/** Three frames: 8 MiB of a, the rest of a with most of b, the rest of b. */
const large = { a: noise(8_500_000, 'a'), b: noise(8_500_000, 'b'), c: prose(100_000, 'c') }

describe('from older packs', () => {
  test('takes every frame that is there, in whichever pack', async () => {
    const first = await bundle({ a: prose(100_000, 1) })
    const second = await bundle({ a: `x${prose(100_000, 1)}` }, first)
    const third = await bundle({ a: `xy${prose(100_000, 1)}` }, second)
    expect(await fill(third, { packs: [third] })).toMatchObject({ isComplete: true })
    expect(await fill(third, { packs: [second] })).toMatchObject({ reusedBytes: third.reusedBytes })
    expect(await fill(third, { packs: [first, second] })).toMatchObject({ reusedBytes: third.reusedBytes })
    expect(await fill(third, {})).toMatchObject({ reusedBytes: 0 })
  })

  test('a frame that is damaged costs that frame; a pack that is cut off or gone costs what it lacks', async () => {
    const target = await bundle(large)
    const lengths = target.index.frames.packedLengths
    expect(lengths).toHaveLength(3)
    const damaged = Buffer.from(target.packBytes)
    damaged[(lengths[0] ?? 0) + 10] = 1 ^ (damaged[(lengths[0] ?? 0) + 10] ?? 0)
    writeFileSync(target.packPath, damaged)
    expect((await fill(target, { packs: [target] })).missing).toEqual([
      { start: lengths[0], end: (lengths[0] ?? 0) + (lengths[1] ?? 0) },
    ])
    writeFileSync(target.packPath, target.packBytes.subarray(0, -1))
    expect((await fill(target, { packs: [target] })).missing).toEqual([
      { start: target.packBytes.length - (lengths[2] ?? 0), end: target.packBytes.length },
    ])
    rmSync(target.packPath)
    expect(await fill(target, { packs: [target] })).toMatchObject({ reusedBytes: 0 })
  })
})

describe('a pack that is a folder of frames', () => {
  const inodeOf = (path: string): number => statSync(path).ino
  const filledFolder = async (
    target: Bundle,
    local: Partial<Pick<FillOptions, 'packs' | 'trees'>>,
  ): Promise<string> => {
    const packPath = join(temporaryFolder(), 'pack.frames')
    await fillFromLocal({ index: target.index, packPath, packs: [], trees: [], ...local })
    return packPath
  }
  const bytesOf = ({ index }: Bundle, packPath: string): Buffer =>
    Buffer.concat(frameFiles(index).map(({ name }) => readFileSync(join(packPath, name))))

  test('is filled from one file, and is unpacked to the same tree', async () => {
    const target = await bundle(large)
    const packPath = await filledFolder(target, { packs: [target] })
    expect(bytesOf(target, packPath).equals(target.packBytes)).toBe(true)
    expect(await install({ index: target.index, packPath })).toEqual(await install(target))
  })

  test('shares frames with another one by links, where they are whole', async () => {
    const target = await bundle(large)
    const first = await filledFolder(target, { packs: [target] })
    const [damaged = '', ...others] = frameFiles(target.index).map(({ name }) => name)
    appendFileSync(join(first, damaged), 'x', { flag: 'r+' })
    const second = await filledFolder(target, { packs: [{ index: target.index, packPath: first }, target] })
    expect(bytesOf(target, second).equals(target.packBytes)).toBe(true)
    for (const name of others) expect(inodeOf(join(second, name))).toBe(inodeOf(join(first, name)))
    expect(inodeOf(join(second, damaged))).not.toBe(inodeOf(join(first, damaged)))
  })

  test('has every frame in its length, also those that are not there yet', async () => {
    const target = await bundle(large)
    const packPath = await filledFolder(target, {})
    expect(bytesOf(target, packPath).equals(Buffer.alloc(target.packBytes.length))).toBe(true)
  })
})

describe('from installed trees', () => {
  test('makes the whole pack again, and frames with a base as well', async () => {
    const first = await bundle(large)
    const tree = { index: first.index, path: await installTree(first) }
    expect(await fill(first, { trees: [tree] })).toMatchObject({ isComplete: true })

    const changed = await bundle({ ...large, c: `changed ${prose(100_000, 'c')}` }, first)
    expect(changed.index.frames.bases.some((base) => base !== -1)).toBe(true)
    const changedTree = { index: changed.index, path: await installTree(changed) }
    const { missing } = await fill(changed, { trees: [changedTree], packs: [first] })
    expect(missing).toEqual([])
  })

  test('a file that was changed, removed or replaced by a link costs the frames of its chunks', async () => {
    const target = await bundle(large)
    const third = target.packBytes.length - (target.index.frames.packedLengths[2] ?? 0)
    const onlyLast = [{ start: third, end: target.packBytes.length }]
    for (const damage of [
      (path: string) => writeFileSync(path, prose(100_000, 'other')),
      (path: string) => unlinkSync(path),
      (path: string) => writeFileSync(path, 'short'),
      (path: string) => {
        unlinkSync(path)
        writeFileSync(`${path}.elsewhere`, large.c)
        symlinkSync(`${path}.elsewhere`, path)
      },
    ]) {
      const path = await installTree(target)
      damage(join(path, 'c'))
      expect((await fill(target, { trees: [{ index: target.index, path }] })).missing).toEqual(onlyLast)
    }
  })

  test('what was only added to a file costs nothing', async () => {
    const target = await bundle(large)
    const path = await installTree(target)
    appendFileSync(join(path, 'c'), 'appended')
    expect(await fill(target, { trees: [{ index: target.index, path }] })).toMatchObject({ isComplete: true })
  })

  test('a frame with content that no installed file has any more is not made', async () => {
    const first = await bundle({ a: noise(100_000, 1), b: noise(5_000, 2) })
    const second = await bundle({ a: noise(100_000, 1), b: noise(5_000, 3) }, first)
    expect(second.reusedBytes).toBe(first.packBytes.length)
    const path = await installTree(second)
    const { reusedBytes } = await fill(second, { trees: [{ index: second.index, path }] })
    expect(reusedBytes).toBe(0)
  })

  test('files of another product serve as well', async () => {
    const other = await bundle({ 'vendor/runtime.bin': noise(9_000_000, 'a'), z: 'z' })
    const target = await bundle({ runtime: noise(9_000_000, 'a') })
    const path = await installTree(other)
    expect(await fill(target, { trees: [{ index: other.index, path }] })).toMatchObject({ isComplete: true })
  })
})

describe('the new pack', () => {
  test('replaces what was there, and is gone after an interruption', async () => {
    const target = await bundle(large)
    const packPath = join(temporaryFolder(), 'pack')
    writeFileSync(packPath, 'something else')
    await fillFromLocal({ index: target.index, packPath, packs: [target], trees: [] })
    expect(readFileSync(packPath).equals(target.packBytes)).toBe(true)

    const controller = new AbortController()
    const options = { index: target.index, packPath, packs: [target], trees: [], signal: controller.signal }
    const filling = fillFromLocal({ ...options, onProgress: () => controller.abort() })
    await expect(filling).rejects.toMatchObject({ code: 'ABORTED' })
    expect(existsSync(packPath)).toBe(false)
  })

  test('in a folder that does not exist is an error of the disk', async () => {
    const target = await bundle({ a: 'a' })
    const packPath = join(temporaryFolder(), 'none/pack')
    await expect(fillFromLocal({ index: target.index, packPath, packs: [], trees: [] })).rejects.toMatchObject({
      code: 'IO',
    })
  })

  test('progress goes up to the length of the pack', async () => {
    const target = await bundle(large)
    let last = {}
    await fillFromLocal({
      index: target.index,
      packPath: join(temporaryFolder(), 'pack'),
      packs: [target],
      trees: [],
      onProgress: (event) => (last = event),
    })
    expect(last).toEqual({ phase: 'reuse', doneBytes: target.packBytes.length, totalBytes: target.packBytes.length })
  })
})
