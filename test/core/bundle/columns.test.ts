import { describe, expect, test } from '@jest/globals'
import { makeColumnReader, makeColumnWriter, unzigzag, zigzag } from '@updraft/core/bundle/columns'
import fc from 'fast-check'

const written = (...numbers: number[]): Buffer => {
  const writer = makeColumnWriter()
  for (const number of numbers) writer.number(number)
  return Buffer.from(writer.finish())
}

describe('numbers', () => {
  test.each([
    [0, '00'],
    [1, '01'],
    [127, '7f'],
    [128, '8001'],
    [300, 'ac02'],
    [2 ** 32, '8080808010'],
    [Number.MAX_SAFE_INTEGER, 'ffffffffffffff0f'],
  ])('%d is spelled %s', (number, hex) => {
    expect(written(number).toString('hex')).toBe(hex)
    expect(makeColumnReader(Buffer.from(hex, 'hex')).number()).toBe(number)
  })

  test.each([
    ['ffffffffffffff10', 'more than 53 bits'],
    ['ffffffffffffffff7f', 'more than 53 bits'],
    ['ffffffffffffffffffffffff01', 'more than 53 bits'],
    ['8000', 'needless zeros'],
    ['ff8000', 'needless zeros'],
    ['', 'ends in the middle'],
    ['80', 'ends in the middle'],
  ])('refuses the spelling %j', (hex, fault) => {
    const read = () => makeColumnReader(Buffer.from(hex, 'hex')).number()
    expect(read).toThrow(expect.objectContaining({ code: 'BUNDLE_INVALID', message: expect.stringContaining(fault) }))
  })

  test('come back as they were', () => {
    fc.assert(
      fc.property(fc.array(fc.maxSafeNat()), (numbers) => {
        const reader = makeColumnReader(written(...numbers))
        expect([...reader.numbers(numbers.length)]).toEqual(numbers)
        expect(reader.remainingBytes).toBe(0)
      }),
    )
  })

  test('a column longer than the bytes is refused before memory is taken for it', () => {
    const reader = makeColumnReader(Buffer.alloc(10))
    expect(() => reader.numbers(2 ** 40)).toThrow(expect.objectContaining({ code: 'BUNDLE_INVALID' }))
    expect(() => reader.bytes(11)).toThrow(expect.objectContaining({ code: 'BUNDLE_INVALID' }))
  })
})

test('signed numbers come back as they were', () => {
  expect([0, -1, 1, -2, 2].map(zigzag)).toEqual([0, 1, 2, 3, 4])
  fc.assert(
    fc.property(fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), (number) => {
      expect(unzigzag(zigzag(number))).toBe(number)
    }),
  )
})

test('the writer grows as it must', () => {
  const writer = makeColumnWriter()
  writer.bytes(Buffer.alloc(200_000, 'a'))
  writer.number(5)
  writer.bytes(Buffer.from('end'))
  const bytes = writer.finish()
  expect(bytes.length).toBe(200_004)
  expect(bytes.subarray(-3).toString()).toBe('end')
})
