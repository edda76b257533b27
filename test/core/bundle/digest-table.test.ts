import { createHash } from 'node:crypto'
import { expect, test } from '@jest/globals'
import { digestAt, digestTableOf, makeDigestTable } from '@updraft/core/bundle/digest-table'

const column = (values: readonly number[]): Buffer =>
  Buffer.concat(values.map((value) => createHash('sha256').update(String(value)).digest()))

test('finds every row by its digest, and nothing else', () => {
  const digests = column(Array.from({ length: 5_000 }, (_, row) => row))
  const table = digestTableOf(digests)
  const asked = column(Array.from({ length: 10_000 }, (_, row) => row))
  const found = Array.from({ length: 10_000 }, (_, row) => table.find(asked, row))
  expect(found).toEqual(Array.from({ length: 10_000 }, (_, row) => (row < 5_000 ? row : -1)))
})

test('of equal digests the first row counts', () => {
  const table = digestTableOf(column([1, 2, 1, 2, 3]))
  expect([0, 1, 2].map((row) => table.find(column([1, 2, 3]), row))).toEqual([0, 1, 4])
})

test('an empty table finds nothing', () => {
  expect(makeDigestTable(new Uint8Array(), 0).find(column([1]), 0)).toBe(-1)
})

test('digests that differ in their last byte only are told apart, and a hundred thousand of them cost no more', () => {
  const digests = Buffer.alloc(100_000 * 32)
  for (let row = 0; row < 100_000; row += 1) digests.writeUInt32BE(row, row * 32 + 28)
  const table = digestTableOf(digests)
  let wrong = 0
  // Were the last bytes not mixed in, every search would walk through all rows: minutes, which jest does not wait.
  for (let row = 0; row < 100_000; row += 1) if (table.find(digests, row) !== row) wrong += 1
  expect(wrong).toBe(0)
  expect(digestAt(digests, 1).at(-1)).toBe(1)
})
