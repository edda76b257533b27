import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import type { PreviousBundle } from '@updraft/core/bundle/bundle'
import { parseIndex } from '@updraft/core/bundle/index-file'
import { applyPatch, makePatch } from '@updraft/core/bundle/patch/patch'
import { fillFromLocal } from '@updraft/core/bundle/reuse'
import { bundle, install, installTree, listInstalled, makeBuild, temporaryFolder } from './bundle-support.ts'
import { FROZEN_ONE, FROZEN_TWO } from './frozen-releases.ts'

const fixture = (name: string): string => join(import.meta.dirname, '../../fixtures/bundle', name)
const frozen = (release: string): PreviousBundle & { indexBytes: Buffer; packBytes: Buffer } => {
  const packPath = fixture(`${release}.pack.bin`)
  const indexBytes = readFileSync(fixture(`${release}.index.bin`))
  return { index: parseIndex(indexBytes), packPath, indexBytes, packBytes: readFileSync(packPath) }
}

/** The library that made the fixtures. Another version may compress differently, and must read them all the same. */
const ZSTD_OF_FIXTURES = '1.5.7'

describe('bundles of format version 1, as they were published once', () => {
  test.each([
    ['one', FROZEN_ONE],
    ['two', FROZEN_TWO],
  ])('release %s is unpacked to what it was made of', async (release, nodes) => {
    expect(await install(frozen(release))).toEqual(listInstalled(nodes))
  })

  test('the second carries the frame of the first along, and bases a new one on it', () => {
    const [one, two] = [frozen('one'), frozen('two')]
    expect([...two.index.frames.bases]).toEqual([1, -1])
    expect(two.packBytes.subarray(-one.packBytes.length).equals(one.packBytes)).toBe(true)
  })

  test('the same builds give the same bytes to this day', async () => {
    const one = await bundle(makeBuild(FROZEN_ONE))
    const two = await bundle(makeBuild(FROZEN_TWO), frozen('one'))
    const isSameLibrary = process.versions.zstd === ZSTD_OF_FIXTURES
    for (const [now, then] of [
      [one, frozen('one')],
      [two, frozen('two')],
    ] as const) {
      // What does not depend on the library is the same with any: how files are cut, and which frames there are.
      expect(now.index.files).toEqual(then.index.files)
      expect([...now.index.references]).toEqual([...then.index.references])
      expect([...now.index.frames.bases]).toEqual([...then.index.frames.bases])
      expect(Buffer.from(now.index.chunks.digests).equals(then.index.chunks.digests)).toBe(true)
      if (!isSameLibrary) continue
      expect(now.indexBytes.equals(then.indexBytes)).toBe(true)
      expect(now.packBytes.equals(then.packBytes)).toBe(true)
    }
    // A frame that is carried over does not depend on it either.
    expect(two.packBytes.subarray(-frozen('one').packBytes.length).equals(frozen('one').packBytes)).toBe(true)
  })

  test('the patch from the first to the second is applied, and made again', async () => {
    const [one, two] = [frozen('one'), frozen('two')]
    const into = join(temporaryFolder(), 'new')
    const patchPath = fixture('two-after-one.patch.bin')
    const installed = { index: one.index, path: await installTree(one) }
    const made = await applyPatch({ patchPath, older: installed, newer: two.index, into })
    const packPath = join(temporaryFolder(), 'pack')
    await fillFromLocal({ index: two.index, packPath, packs: [one], trees: [made.tree, installed], gaps: made.gaps })
    const now = (await makePatch({ older: one, newer: two })) ?? Buffer.alloc(0)
    if (process.versions.zstd !== ZSTD_OF_FIXTURES) return
    expect(readFileSync(packPath).equals(two.packBytes)).toBe(true)
    expect(now.equals(readFileSync(patchPath))).toBe(true)
  })
})
