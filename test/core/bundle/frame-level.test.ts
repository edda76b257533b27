import { constants, zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import { packFrame } from '@updraft/core/bundle/frame'
import { levelOf } from '@updraft/core/bundle/frame-level'
import { flat, noise, prose } from './bundle-support.ts'

const MIB = 1024 * 1024
const level = (content: Uint8Array): number => {
  const tried: number[] = []
  const chosen = levelOf(content, (bytes, at) => {
    tried.push(at)
    return zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: at } }).length
  })
  // Whatever is looked at is looked at in no more than 128 KiB.
  expect(tried.length).toBeLessThanOrEqual(2)
  return chosen
}

describe('how hard content is compressed', () => {
  const content = flat(2 * MIB, 1)
  const twice = Buffer.concat([content, content.subarray(0, 300_000)])

  test.each([
    ['flat content is compressed quickly', content, 1],
    ['where it stands in it once more, fully', twice, 7],
    ['a short one fully', flat(MIB - 1, 2), 7],
    ['text fully', Buffer.from(prose(2 * MIB, 1)), 7],
    ['what does not compress fully, which is as fast', noise(2 * MIB, 1), 7],
    ['zeros fully', Buffer.alloc(2 * MIB), 7],
    ['half text, half flat, fully', Buffer.concat([prose(MIB, 1), flat(MIB, 1)].map((part) => Buffer.from(part))), 7],
  ] satisfies [string, Buffer, number][])('%s', (_, bytes, expected) => {
    expect(level(bytes)).toBe(expected)
  })

  test('and costs no bytes', () => {
    const full = zstdCompressSync(content, { params: { [constants.ZSTD_c_compressionLevel]: 7 } }).length
    expect(packFrame(content).length).toBeLessThan(full * 1.005)
  })
})
