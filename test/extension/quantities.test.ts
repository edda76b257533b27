import { expect, test } from '@jest/globals'
import { formatBytes, formatShare, formatTime } from '../../extension/src/quantities.ts'

test.each([
  [0, '0 bytes'],
  [1, '1 byte'],
  [999, '999 bytes'],
  [1_000, '1 kB'],
  [1_500_000, '1.5 MB'],
  [123_456_789, '123 MB'],
  [2_500_000_000, '2.5 GB'],
  [Number.MAX_SAFE_INTEGER, '9,007 TB'],
])('%d bytes are %s', (lengthBytes, shown) => {
  expect(formatBytes(lengthBytes, 'en')).toBe(shown)
})

test('sizes follow the language', () => {
  expect(formatBytes(1_500_000, 'de')).toBe('1,5 MB')
})

test('a share is rounded down, so that 100% means all of it', () => {
  expect(formatShare(0.999, 'en')).toBe('99%')
  expect(formatShare(1, 'en')).toBe('100%')
})

test('what is not a time is a question mark', () => {
  expect(formatTime(undefined, 'en')).toBe('?')
})

test('a time names day, month, year and minute', () => {
  expect(formatTime(new Date(2026, 2, 3, 14, 5), 'en-GB')).toBe('3 Mar 2026, 14:05')
})
