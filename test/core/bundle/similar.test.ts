import { describe, expect, test } from '@jest/globals'
import { chooseBases, sampledBitsFor, sampleOf } from '@updraft/core/bundle/similar'
import { bundle, install, listInstalled, makeBuild, noise } from './bundle-support.ts'

const half = (a: Buffer, b: Buffer): Buffer => Buffer.concat([a.subarray(0, a.length / 2), b.subarray(0, b.length / 2)])

describe('which contents resemble one another', () => {
  const [a, b, c] = [noise(400_000, 'a'), noise(400_000, 'b'), noise(400_000, 'c')]
  const basesOf = (...contents: readonly Buffer[]): number[] => [
    ...chooseBases(contents.map((content) => sampleOf([content], 9))),
  ]

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

  test('a sample is that of the chunks, and a thinner one is a part of it', () => {
    const sample = new Set(sampleOf([a, b], 9))
    expect(sample).toEqual(new Set([...sampleOf([a], 9), ...sampleOf([b], 9)]))
    const thin = sampleOf([a, b], 12)
    expect(thin.length).toBeGreaterThan(100)
    expect(thin.every((value) => sample.has(value))).toBe(true)
  })

  test('the larger the build, the thinner are its samples: a million numbers in all', () => {
    const MIB = 1024 * 1024
    expect([0, 1, 512 * MIB, 512 * MIB + 1, 1024 * MIB, 1024 * MIB + 1, 262_144 * MIB].map(sampledBitsFor)).toEqual([
      9, 9, 9, 10, 10, 11, 18,
    ])
  })

  test('it is the same whether samples were counted by one table or pair by pair', () => {
    const contents = Array.from({ length: 40 }, (_, number) =>
      half(noise(60_000, `x${number % 7}`), noise(60_000, `y${number % 5}`)),
    )
    const samples = contents.map((content) => sampleOf([content], 9))
    const keys: number[] = []
    const expected = samples.map((sample, number) => {
      const common = keys.map((key) => sample.filter((value) => samples[key]?.includes(value)).length)
      const most = Math.max(0, ...common)
      if (most > 0 && most * 4 >= sample.length) return keys[common.indexOf(most)]
      keys.push(number)
      return -1
    })
    expect([...chooseBases(samples)]).toEqual(expected)
    expect(keys.length).toBeGreaterThan(3)
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
