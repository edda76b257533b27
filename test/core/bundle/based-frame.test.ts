import { describe, expect, test } from '@jest/globals'
import { type Compress, packWithBase } from '@updraft/core/bundle/based-frame'
import { packFrame, unpackFrame } from '@updraft/core/bundle/frame'
import { compressFrame } from '../../conformance/bundle-format/zstd.ts'
import { noise, prose } from './bundle-support.ts'

const MIB = 1024 * 1024
const text = Buffer.from(prose(5 * MIB, 'base'))
const edited = Buffer.concat([
  text.subarray(2 * MIB, 2 * MIB + 200_000),
  Buffer.from('edited'),
  text.subarray(3 * MIB, 3 * MIB + 50_000),
])
const dense = noise(5 * MIB, 'base')
const partly = Buffer.concat([dense.subarray(MIB, MIB + 100_000), noise(200_000, 'new')])

/** Lengths as if the content alone had `alone` bytes, and with the base and level 1 `quick`. */
const levelFor = (contentBytes: number, baseBytes: number, alone: number, quick: number): number => {
  let level = 0
  const compress: Compress = (_, how) => {
    level = how.level
    return Buffer.alloc(how.level === 1 ? quick : 1)
  }
  const packed = packWithBase(Buffer.alloc(contentBytes), Buffer.alloc(baseBytes), {
    compress,
    packAlone: () => Buffer.alloc(alone),
  })
  return packed.length === quick ? 1 : level
}

describe('how hard content with a base is compressed', () => {
  test.each([
    ['fully where the base makes it shorter', 1_000, 5 * MIB, 500, 468, 9],
    ['quickly where it hardly does', 1_000, 5 * MIB, 500, 469, 1],
    ['quickly where it is dense by itself', 1_000, 5 * MIB, 938, 100, 1],
    ['fully where it is not quite', 1_000, 5 * MIB, 937, 100, 9],
    ['fully where much is to be packed', MIB, 5 * MIB, MIB, MIB, 9],
    ['quickly where it is a byte less', MIB - 1, 5 * MIB, MIB, MIB, 1],
    ['fully where the base is loaded in no time', 1_000, 4 * MIB - 1_000, 1_000, 1_000, 9],
    ['quickly where it is a byte more', 1_000, 4 * MIB - 999, 1_000, 1_001, 1],
  ])('%s', (_, contentBytes, baseBytes, alone, quick, level) => {
    expect(levelFor(contentBytes, baseBytes, alone, quick)).toBe(level)
  })

  test('which costs no bytes, and is what the document says', () => {
    for (const [content, base, lengthMax] of [
      [Buffer.from(prose(100_000, 'other')), text, packFrame(Buffer.from(prose(100_000, 'other'))).length * 1.01],
      [partly, dense, 200_100],
      [edited, text, 200],
      [text, dense, packFrame(text).length * 1.01],
    ] as const) {
      const packed = packFrame(content, base)
      expect(packed.length).toBeLessThan(lengthMax)
      expect(packed.equals(compressFrame(content, base))).toBe(true)
      expect(unpackFrame(packed, content.length, base).equals(content)).toBe(true)
    }
  })
})
