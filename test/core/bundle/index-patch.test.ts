import { constants, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import { encodeIndex, foldIndex, unfoldIndex } from '@updraft/core/bundle/index-file'
import { applyIndexPatch, makeIndexPatch } from '@updraft/core/bundle/index-patch'
import { claim, type FrameClaim } from './index-support.ts'

const frame = (): FrameClaim => ({
  packed: 5_000,
  length: 16_000,
  chunks: Array.from({ length: 16 }, (_, at) => [at * 1_000, 1_000] as const),
})

/** A release of so many frames; the digests of two such releases are the same as far as both go. */
const indexOf = (frames: number, name = 'file'): Buffer =>
  encodeIndex(
    claim(
      Array.from({ length: frames }, frame),
      Array.from({ length: frames * 16 }, (_, chunk) => ({
        path: `${name}-${String(chunk).padStart(6, '0')}`,
        chunks: [chunk],
      })),
    ),
  )

const older = indexOf(40)
const newer = indexOf(42)

/** A patch that says what it likes, with the older index as dictionary as it should be. */
const patchOf = (content: Buffer): Buffer =>
  zstdCompressSync(content, {
    dictionary: unfoldIndex(older),
    params: { [constants.ZSTD_c_windowLog]: 24 },
  })

describe('a patch of an index', () => {
  test('makes the newer one byte for byte, at a fraction of it', async () => {
    const patch = await makeIndexPatch(older, newer)
    expect(patch?.length).toBeLessThan(newer.length / 5)
    expect(await applyIndexPatch(older, patch ?? Buffer.alloc(0))).toEqual(newer)
  })

  test('of an index of megabytes is a fraction of it as well', async () => {
    const [large, larger] = [indexOf(16_000), indexOf(16_100)]
    expect(large.length).toBeGreaterThan(8 * 1024 * 1024)
    const patch = await makeIndexPatch(large, larger)
    expect(patch?.length).toBeLessThan(larger.length / 20)
    expect((await applyIndexPatch(large, patch ?? Buffer.alloc(0))).equals(larger)).toBe(true)
  }, 180_000)

  test('is the same on every run', async () => {
    expect(await makeIndexPatch(older, newer)).toEqual(await makeIndexPatch(older, newer))
  })

  test('unfolding and folding gives the same bytes', () => {
    for (const index of [older, newer, indexOf(1)]) expect(foldIndex(unfoldIndex(index))).toEqual(index)
  })

  test('against another index than its own never makes the newer one', async () => {
    const patch = (await makeIndexPatch(older, newer)) ?? Buffer.alloc(0)
    const result = await applyIndexPatch(indexOf(41, 'other'), patch).catch((error) => error)
    expect(Buffer.isBuffer(result) ? result.equals(newer) : result.code).toEqual(
      Buffer.isBuffer(result) ? false : 'BUNDLE_INVALID',
    )
  })

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['garbage', Buffer.from('this is no zstd frame at all')],
    ['half a frame', patchOf(unfoldIndex(newer)).subarray(0, 200)],
    ['no index inside', patchOf(Buffer.from('updraft'))],
    ['an index that ends too early', patchOf(unfoldIndex(newer).subarray(0, -1))],
    ['an index that goes on', patchOf(Buffer.concat([unfoldIndex(newer), Buffer.alloc(1)]))],
    ['a bomb', patchOf(Buffer.alloc(129 * 1024 * 1024))],
  ])('%s is refused', async (_, patch) => {
    await expect(applyIndexPatch(older, patch)).rejects.toMatchObject({ code: 'BUNDLE_INVALID' })
  })
})
