// How a stretch of bytes is found in a source: whatever was found leads back to it, and what is like the source is copied.
import { describe, expect, test } from '@jest/globals'
import { findOperations, indexSource } from '@updraft/core/bundle/patch/matching'
import { decodeSegment, encodeSegment } from '@updraft/core/bundle/patch/segment'
import fc from 'fast-check'
import { noise, prose } from './bundle-support.ts'

const STEP = 4

const literalBytes = (source: Buffer, target: Buffer): number =>
  findOperations(indexSource(source, STEP), target).literals.reduce((sum, length) => sum + length, 0)

describe('what is copied', () => {
  const source = noise(400_000, 'source')

  test('is what stands behind a replaced stretch, however short it is beside that', () => {
    const target = Buffer.concat([source.subarray(0, 40_000), noise(200_000, 'new'), source.subarray(240_000, 250_000)])
    expect(literalBytes(source, target)).toBeLessThan(200_100)
    expect(literalBytes(source, target)).toBeGreaterThan(199_900)
  })

  test('is what stands behind an inserted stretch, from its first byte on', () => {
    for (const inserted of [8_191, 8_192, 8_193, 8_201, 30_001]) {
      const target = Buffer.concat([
        source.subarray(0, 5_003),
        noise(inserted, inserted),
        source.subarray(5_003, 9_000),
        source.subarray(300_001, 305_000),
      ])
      expect(Math.abs(literalBytes(source, target) - inserted)).toBeLessThan(20)
    }
  })

  test('goes on where most bytes are others but a part is the same, at the same place', () => {
    const target = Buffer.from(source.subarray(0, 100_000))
    for (let at = 20_000; at < 80_000; at += 1) if (at % 16 < 7) target[at] = (target[at] ?? 0) ^ 0x55
    const { copies } = findOperations(indexSource(source, STEP), target)
    expect(copies).toEqual([100_000])
  })
})

test('of any source and target, the operations make the target', () => {
  const pieces = [noise(6_000, 1), Buffer.from(prose(6_000, 2)), Buffer.alloc(6_000), noise(6_000, 3)]
  const piece = fc.record({
    of: fc.integer({ min: 0, max: pieces.length - 1 }),
    start: fc.integer({ min: 0, max: 5_000 }),
    length: fc.integer({ min: 1, max: 6_000 }),
  })
  const content = fc
    .array(piece, { maxLength: 6 })
    .map((list) =>
      Buffer.concat(
        list.map(({ of, start, length }) => (pieces[of] ?? Buffer.alloc(0)).subarray(start, start + length)),
      ),
    )
  fc.assert(
    fc.property(content, content, (source, target) => {
      const operations = findOperations(indexSource(source, STEP), target)
      const made = Buffer.alloc(target.length)
      const read = (position: number, into: Uint8Array) => into.set(source.subarray(position, position + into.length))
      decodeSegment(encodeSegment(operations, source, target), source.length, read, made)
      expect(made.equals(target)).toBe(true)
    }),
    { numRuns: 100 },
  )
})
