// Bencoding as hostile input: one spelling of each value, nothing else.
import { describe, expect, test } from '@jest/globals'
import { type BencodeValue, decodeBencode, encodeBencode, isDictionary, textOf } from '@updraft/core/swarm/bencode'
import fc from 'fast-check'

const decode = (text: string, options = {}): BencodeValue => decodeBencode(Buffer.from(text, 'latin1'), options)

test('gives back what was encoded, whatever it was', () => {
  const encodable = fc.letrec((tie) => ({
    value: fc.oneof(
      fc.maxSafeInteger(),
      fc.string({ unit: 'grapheme' }),
      fc.uint8Array(),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(fc.string(), tie('value'), { maxKeys: 4 }),
    ),
  })).value
  const plain = (value: BencodeValue): unknown => {
    if (value instanceof Uint8Array) return [...value]
    if (isDictionary(value)) return Object.fromEntries([...value.entries].map(([key, entry]) => [key, plain(entry)]))
    return Array.isArray(value) ? value.map(plain) : value
  }
  const expected = (value: unknown): unknown => {
    if (typeof value === 'string') return [...Buffer.from(value)]
    if (value instanceof Uint8Array) return [...value]
    if (Array.isArray(value)) return value.map(expected)
    if (typeof value !== 'object' || value === null) return value === 0 ? 0 : value
    return Object.fromEntries(
      Object.entries(value).map(([key, entry]) => [Buffer.from(key).toString('latin1'), expected(entry)]),
    )
  }
  fc.assert(
    fc.property(encodable, (value) => {
      expect(plain(decodeBencode(encodeBencode(value as string)))).toEqual(expected(value))
    }),
  )
})

test('hands out a dictionary with the bytes that it was read from', () => {
  const value = decode('d4:infod1:ai1eee')
  const info = isDictionary(value) ? value.entries.get('info') : undefined
  expect(isDictionary(info) && Buffer.from(info.bytes).toString()).toBe('d1:ai1ee')
})

test('never throws anything but a SyntaxError, and never reads past the end', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      try {
        decodeBencode(bytes)
      } catch (error) {
        expect((error as Error).name).toBe('SyntaxError')
      }
    }),
  )
})

describe('refuses', () => {
  test.each([
    ['nothing', ''],
    ['a number without digits', 'ie'],
    ['a leading zero', 'i01e'],
    ['minus zero', 'i-0e'],
    ['a fraction', 'i1.5e'],
    ['a number that does not end', 'i1'],
    ['a number beyond 2^53', 'i9007199254740992e'],
    ['a number of a thousand digits', `i${'9'.repeat(1000)}e`],
    ['a string that is longer than the input', '5:abc'],
    ['a string with a leading zero in its length', '03:abc'],
    ['a string with a negative length', '-1:a'],
    ['a list that does not end', 'li1e'],
    ['a dictionary with a key that is not a string', 'di1ei2ee'],
    ['a dictionary without a value', 'd1:ae'],
    ['keys out of order', 'd1:bi1e1:ai1ee'],
    ['a key twice', 'd1:ai1e1:ai1ee'],
    ['bytes behind the value', 'i1ei2e'],
    ['a value that is deeper than 16', `${'l'.repeat(18)}${'e'.repeat(18)}`],
    ['a value that is a million deep', 'l'.repeat(1_000_000)],
  ])('%s', (_, text) => {
    expect(() => decode(text)).toThrow(expect.objectContaining({ name: 'SyntaxError' }))
  })

  test('a key twice also where order does not matter', () => {
    expect(() => decode('d1:bi1e1:ai1e1:bi2ee', { keyOrder: 'any' })).toThrow(/twice/)
    expect(() => decode('d1:bi1e1:ai1ee', { keyOrder: 'any' })).not.toThrow()
  })
})

test('compares keys by bytes, beyond ASCII too', () => {
  expect(() => decode('d1:\x80i1e1:\x99i1e1:\xe9i1ee')).not.toThrow()
  expect(() => decode('d1:\x99i1e1:\x80i1ee')).toThrow(/order/)
})

test('text is UTF-8 or nothing', () => {
  expect(textOf(Buffer.from('grüß'))).toBe('grüß')
  expect(textOf(Buffer.from([0xff]))).toBeUndefined()
  expect(textOf(7)).toBeUndefined()
})
