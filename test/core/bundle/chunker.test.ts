import { describe, expect, test } from '@jest/globals'
import { type ChunkSizes, chunkSizesOf, cutAfter } from '@updraft/core/bundle/chunker'
import { noise, sha256 } from './bundle-support.ts'

const GIB = 1024 ** 3

const cuts = (bytes: Uint8Array, sizes: ChunkSizes = chunkSizesOf(bytes.length)): number[] => {
  const ends: number[] = []
  for (let at = 0; at < bytes.length; ) {
    at = cutAfter(bytes, at, bytes.length, sizes)
    ends.push(at)
  }
  return ends
}

describe('sizes', () => {
  test.each([
    [0, 16_384],
    [2 * GIB, 16_384],
    [2 * GIB + 1, 32_768],
    [4 * GIB, 32_768],
    [4 * GIB + 1, 65_536],
    [16 * GIB, 131_072],
    [64 * GIB, 262_144],
  ])('a file of %d bytes has chunks of %d on average', (length, averageBytes) => {
    expect(chunkSizesOf(length)).toEqual({ minBytes: averageBytes / 4, averageBytes, maxBytes: averageBytes * 4 })
  })
})

describe('cuts', () => {
  test('are where they have always been', () => {
    const ends = cuts(noise(1_000_000, 'frozen'))
    expect(ends.slice(0, 6)).toEqual([18_570, 43_971, 61_006, 80_357, 104_766, 122_502])
    expect(sha256(ends.join())).toBe('3e89c493a2f2d05ffc0cd9c721c18407f78b5a72413d641d62afe996917ed454')
  })

  test('cover everything, and no chunk but the last is shorter or longer than allowed', () => {
    const bytes = noise(3_000_000, 1)
    const sizes = chunkSizesOf(bytes.length)
    const lengths = cuts(bytes).map((end, row, ends) => end - (ends[row - 1] ?? 0))
    expect(lengths.reduce((sum, length) => sum + length, 0)).toBe(bytes.length)
    expect(Math.min(...lengths.slice(0, -1))).toBeGreaterThan(sizes.minBytes)
    expect(Math.max(...lengths)).toBeLessThanOrEqual(sizes.maxBytes)
    expect(bytes.length / lengths.length).toBeGreaterThan(sizes.averageBytes * 0.8)
    expect(bytes.length / lengths.length).toBeLessThan(sizes.averageBytes * 1.5)
  })

  test('depend on no more of what follows than the longest chunk', () => {
    const bytes = noise(200_000, 2)
    const sizes = chunkSizesOf(bytes.length)
    expect(cutAfter(bytes, 0, sizes.maxBytes, sizes)).toBe(cutAfter(bytes, 0, bytes.length, sizes))
  })

  test('move only near an insertion', () => {
    const bytes = noise(2_000_000, 3)
    const changed = Buffer.concat([bytes.subarray(0, 1_000_000), Buffer.from('inserted'), bytes.subarray(1_000_000)])
    const before = new Set(cuts(bytes))
    const moved = cuts(changed).filter((end) => !before.has(end > 1_000_000 ? end - 8 : end))
    expect(moved.length).toBeLessThanOrEqual(3)
  })

  test('without any content to go by are at the longest length', () => {
    expect(cuts(Buffer.alloc(200_000))).toEqual([65_536, 131_072, 196_608, 200_000])
  })

  test.each([1, 100, 4_096, 4_097])('%d bytes are one chunk', (length) => {
    expect(cuts(Buffer.alloc(length, 'x'))).toEqual([length])
  })
})
