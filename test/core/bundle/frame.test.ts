import { zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import { canBeBase, packedLengthMaxOf, packFrame, unpackFrame } from '@updraft/core/bundle/frame'
import { LIMITS } from '@updraft/core/limits'
import { noise, prose } from './bundle-support.ts'

const refusal = (fault: string) =>
  expect.objectContaining({ code: 'BUNDLE_INVALID', message: expect.stringContaining(fault) })

describe('round trips', () => {
  test.each([1, 2, 63, 64, 65, 4_096, 100_000])('%d bytes', (length) => {
    const content = noise(length, 1)
    const base = noise(5_000, 2)
    expect(content.equals(unpackFrame(packFrame(content), length))).toBe(true)
    expect(content.equals(unpackFrame(packFrame(content, base), length, base))).toBe(true)
  })

  test('with a base, what it has costs next to nothing', () => {
    const base = Buffer.from(prose(500_000, 1))
    const content = Buffer.concat([base.subarray(0, 250_000), Buffer.from('changed'), base.subarray(250_000)])
    const packed = packFrame(content, base)
    expect(packed.length).toBeLessThan(200)
    expect(content.equals(unpackFrame(packed, content.length, base))).toBe(true)
  })

  test('the end of a frame can repeat the beginning of its base', () => {
    const repeated = noise(1024 * 1024, 1)
    const zeros = Buffer.alloc(LIMITS.frameLengthBytes - repeated.length)
    const base = Buffer.concat([repeated, zeros])
    const content = Buffer.concat([zeros, repeated])
    const packed = packFrame(content, base)
    expect(packed.length).toBeLessThan(10_000)
    expect(content.equals(unpackFrame(packed, content.length, base))).toBe(true)
  })

  test('no content packs longer than the bound', () => {
    for (const length of [1, 100, 1_000, 131_071, 131_072, 1_000_000]) {
      expect(packFrame(noise(length, 1)).length).toBeLessThanOrEqual(packedLengthMaxOf(length))
    }
  })
})

describe('refusals', () => {
  const content = Buffer.from(prose(10_000, 1))
  const packed = packFrame(content)

  test('a frame longer than promised, without holding more than was promised', () => {
    expect(() => unpackFrame(packed, 9_999)).toThrow(refusal('does not decompress to 9999 bytes'))
    const bomb = zstdCompressSync(Buffer.alloc(128 * 1024 * 1024))
    const before = process.memoryUsage.rss()
    expect(() => unpackFrame(bomb, 1_000)).toThrow(refusal('does not decompress to 1000 bytes'))
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * 1024 * 1024)
  })

  test('a frame shorter than promised', () => {
    expect(() => unpackFrame(packed, 10_001)).toThrow(refusal('less than 10001 bytes'))
  })

  test('a frame that ends early', () => {
    for (const length of [0, 1, 5, 20, packed.length - 1]) {
      expect(() => unpackFrame(packed.subarray(0, length), content.length)).toThrow(
        expect.objectContaining({ code: 'BUNDLE_INVALID' }),
      )
    }
  })

  test('a window larger than any frame needs', () => {
    // Magic, no size of content, a window of 2^bits bytes, one uncompressed block. Source: RFC 8878, 3.1.1.
    const withWindow = (bits: number): Buffer =>
      Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (bits - 10) << 3, (3 << 3) | 1, 0, 0, 97, 98, 99])
    expect(unpackFrame(withWindow(24), 3).toString()).toBe('abc')
    for (const bits of [25, 27, 31]) {
      expect(() => unpackFrame(withWindow(bits), 3)).toThrow(refusal('does not decompress'))
    }
  })

  test('a frame with a base, without it or with another one', () => {
    const base = Buffer.from(prose(50_000, 2))
    const based = packFrame(base.subarray(1_000, 40_000), base)
    expect(() => unpackFrame(based, 39_000)).toThrow(expect.objectContaining({ code: 'BUNDLE_INVALID' }))
    // Another dictionary gives other bytes or none; which of them they are is found by their SHA-256.
    const other = Buffer.from(prose(50_000, 3))
    expect(base.subarray(1_000, 40_000).equals(unpackFrame(based, 39_000, other))).toBe(false)
  })

  test('content that begins like a dictionary of zstd, as a base', () => {
    const magic = Buffer.concat([Buffer.from('37a430ec', 'hex'), noise(1_000, 1)])
    expect(canBeBase(magic)).toBe(false)
    expect(canBeBase(noise(4, 1))).toBe(true)
    expect(() => unpackFrame(packed, content.length, magic)).toThrow(refusal('cannot serve as one'))
  })
})
