import { expect, test } from '@jest/globals'
import { joinRanges, lengthOfRanges, missingRanges, type Range } from '@updraft/core/bundle/ranges'
import fc from 'fast-check'

test('ranges that touch or overlap are joined', () => {
  const ranges = [
    { start: 10, end: 20 },
    { start: 0, end: 5 },
    { start: 20, end: 25 },
    { start: 12, end: 15 },
    { start: 7, end: 7 },
  ]
  expect(joinRanges(ranges)).toEqual([
    { start: 0, end: 5 },
    { start: 10, end: 25 },
  ])
})

test('what is missing is the rest', () => {
  const ranges = [
    { start: 5, end: 10 },
    { start: 20, end: 30 },
  ]
  expect(missingRanges(ranges, 40)).toEqual([
    { start: 0, end: 5 },
    { start: 10, end: 20 },
    { start: 30, end: 40 },
  ])
  expect(missingRanges([], 3)).toEqual([{ start: 0, end: 3 }])
  expect(missingRanges([{ start: 0, end: 3 }], 3)).toEqual([])
  expect(missingRanges([], 0)).toEqual([])
})

test('every byte is either there or missing', () => {
  const range = fc.tuple(fc.nat(50), fc.nat(20)).map(([start, length]): Range => ({ start, end: start + length }))
  fc.assert(
    fc.property(fc.array(range), (ranges) => {
      const there = joinRanges(ranges)
      const missing = missingRanges(there, 80)
      expect(lengthOfRanges(there) + lengthOfRanges(missing)).toBe(80)
      expect(joinRanges([...there, ...missing])).toEqual([{ start: 0, end: 80 }])
    }),
  )
})
