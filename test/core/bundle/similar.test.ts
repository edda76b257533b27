import { describe, expect, test } from '@jest/globals'
import { chooseBases, sampleOf } from '@updraft/core/bundle/similar'
import { bundle, install, listInstalled, makeBuild, noise } from './bundle-support.ts'

const half = (a: Buffer, b: Buffer): Buffer => Buffer.concat([a.subarray(0, a.length / 2), b.subarray(0, b.length / 2)])

describe('which contents resemble one another', () => {
  const [a, b, c] = [noise(400_000, 'a'), noise(400_000, 'b'), noise(400_000, 'c')]
  const basesOf = (...contents: readonly Buffer[]): number[] => [...chooseBases(contents.map(sampleOf))]

  test('is told by what they have in common, wherever it stands', () => {
    expect(basesOf(a, b, c)).toEqual([-1, -1, -1])
    expect(basesOf(a, half(a, b))).toEqual([-1, 0])
    expect(basesOf(a, half(b, a))).toEqual([-1, 0])
    expect(basesOf(a, Buffer.concat([b, a.subarray(0, 100_000)]))).toEqual([-1, -1])
  })

  test('the most similar one is taken, the first of equal ones, and none that has a base itself', () => {
    expect(basesOf(a, b, Buffer.concat([half(a, b), b.subarray(0, 250_000)]))).toEqual([-1, -1, 1])
    expect(basesOf(a, half(a, b), half(a, b))).toEqual([-1, 0, 0])
    expect(basesOf(a, half(a, b), b)).toEqual([-1, 0, -1])
  })

  test('nothing resembles content that is too short to have a sample, and it resembles nothing', () => {
    expect(basesOf(Buffer.alloc(20), a, Buffer.alloc(0))).toEqual([-1, -1, -1])
  })
})

test('a first bundle has similar frames based on one another, and is unpacked from them', async () => {
  const common = noise(7_000_000, 'common')
  // No chunk is the same, and nearly every stretch of 32 bytes.
  const copy = Buffer.from(common)
  for (let at = 0; at < copy.length; at += 3_000) copy[at] = (copy[at] ?? 0) ^ 1
  const nodes = { 'a.js': common, 'b.bin': noise(1_300_000, 'other'), 'c.js': copy }
  const similar = await bundle(makeBuild(nodes))
  expect([...similar.index.frames.bases]).toEqual([-1, 0])
  expect(similar.packBytes.length).toBeLessThan(9_000_000)
  expect(await install(similar)).toEqual(listInstalled(nodes))
  const changed = { ...nodes, 'c.js': Buffer.concat([Buffer.from('changed'), copy]) }
  const next = await bundle(makeBuild(changed), similar)
  expect(next.packBytes.length - next.reusedBytes).toBeLessThan(100_000)
  expect(await install(next)).toEqual(listInstalled(changed))
}, 30_000)
