import { expect, test } from '@jest/globals'
import { createRarityBuckets } from '@updraft/core/swarm/pieces/rarity-buckets'
import fc from 'fast-check'

const STEP = fc.record({
  index: fc.nat(9),
  bucket: fc.option(fc.nat(5), { nil: undefined }),
})

test('whatever is put, moved and dropped: each piece is in the bucket where it was put last', () => {
  fc.assert(
    fc.property(
      fc.array(STEP, { maxLength: 60 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      (steps, chance) => {
        const buckets = createRarityBuckets({ pieces: 10, random: () => chance.next().value })
        const expected = new Map<number, number>()
        for (const { index, bucket } of steps) {
          if (bucket === undefined) {
            buckets.drop(index)
            expected.delete(index)
          } else {
            buckets.put(index, bucket)
            expected.set(index, bucket)
          }
        }
        const order = buckets.filter(() => true)
        expect([...order].sort()).toEqual([...expected.keys()].sort())
        const keys = order.map((index) => expected.get(index) ?? -1)
        expect(keys).toEqual([...keys].sort())
        expect(buckets.size).toBe(expected.size)
        expect(buckets.lowest).toBe(keys[0])
        expect(order.every(buckets.holds)).toBe(true)
      },
    ),
  )
})

test('the first that is taken is of the lowest bucket, and others are not asked for', () => {
  const buckets = createRarityBuckets({ pieces: 4, random: () => 0 })
  for (const [index, bucket] of [3, 1, 1, 0].entries()) buckets.put(index, bucket)
  const asked: number[] = []
  const taken = buckets.first((index) => {
    asked.push(index)
    return index === 3 ? undefined : `piece ${index}`
  })
  expect(asked).toHaveLength(2)
  expect(asked[0]).toBe(3)
  expect(taken).toBe(`piece ${asked[1]}`)
  expect(buckets.first(() => undefined)).toBeUndefined()
})

test('within a bucket chance decides, also for whoever comes first', () => {
  const firsts = new Set<number | undefined>()
  for (let round = 0; round < 100; round += 1) {
    const buckets = createRarityBuckets({ pieces: 3, random: Math.random })
    for (const index of [0, 1, 2]) buckets.put(index, 0)
    firsts.add(buckets.first((index) => index))
  }
  expect([...firsts].sort()).toEqual([0, 1, 2])
})
