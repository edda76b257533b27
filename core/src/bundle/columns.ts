// Reading and writing columns of whole numbers, least significant seven bits first (LEB128, unsigned). The reader treats
// its bytes as hostile: it never reads past them and never returns a number that a double cannot hold.
import { UpdateError } from '../errors.ts'

export interface ColumnWriter {
  number(value: number): void
  bytes(value: Uint8Array): void
  byte(value: number): void
  finish(): Buffer
}

export interface ColumnReader {
  number(): number
  /** `count` numbers into a typed array. Every number takes a byte at least, so `count` is checked before allocating. */
  numbers(count: number): Float64Array
  bytes(lengthBytes: number): Uint8Array
  readonly remainingBytes: number
}

export const makeColumnWriter = (): ColumnWriter => {
  let buffer = Buffer.allocUnsafe(65_536)
  let used = 0
  const reserve = (lengthBytes: number): void => {
    if (used + lengthBytes <= buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, used + lengthBytes))
    buffer.copy(larger, 0, 0, used)
    buffer = larger
  }
  return {
    number: (value) => {
      reserve(LENGTH_MAX)
      let rest = value
      // Division instead of shifts: shifts know 32 bits only.
      while (rest >= 0x80) {
        buffer[used] = (rest % 0x80) | 0x80
        used += 1
        rest = Math.floor(rest / 0x80)
      }
      buffer[used] = rest
      used += 1
    },
    bytes: (value) => {
      reserve(value.length)
      buffer.set(value, used)
      used += value.length
    },
    byte: (value) => {
      reserve(1)
      buffer[used] = value
      used += 1
    },
    finish: () => buffer.subarray(0, used),
  }
}

/** `what` is what errors call it. Errors: BUNDLE_INVALID, from every method. */
export const makeColumnReader = (bytes: Uint8Array, what = 'index'): ColumnReader => {
  let at = 0
  const number = (): number => {
    let value = 0
    let factor = 1
    for (let length = 0; length < LENGTH_MAX; length += 1) {
      const byte = bytes[at]
      if (byte === undefined) throw new UpdateError('BUNDLE_INVALID', `${what} ends in the middle of a number`)
      at += 1
      value += (byte & 0x7f) * factor
      if (value > Number.MAX_SAFE_INTEGER) break
      if (byte < 0x80) {
        // One number has one spelling, so that one index has one.
        if (byte === 0 && length > 0)
          throw new UpdateError('BUNDLE_INVALID', `${what} spells a number with needless zeros`)
        return value
      }
      factor *= 0x80
    }
    throw new UpdateError('BUNDLE_INVALID', `${what} contains a number of more than 53 bits`)
  }
  const assertRemaining = (count: number): void => {
    if (count > bytes.length - at) {
      throw new UpdateError(
        'BUNDLE_INVALID',
        `${what} promises ${count} values but has ${bytes.length - at} bytes left`,
      )
    }
  }
  return {
    number,
    numbers: (count) => {
      assertRemaining(count)
      const column = new Float64Array(count)
      for (let row = 0; row < count; row += 1) column[row] = number()
      return column
    },
    bytes: (lengthBytes) => {
      assertRemaining(lengthBytes)
      at += lengthBytes
      return bytes.subarray(at - lengthBytes, at)
    },
    get remainingBytes() {
      return bytes.length - at
    },
  }
}

/** Signed as unsigned: 0, -1, 1, -2, … become 0, 1, 2, 3, … */
export const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value)
export const unzigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2)

/** Eight times seven bits hold 53. */
const LENGTH_MAX = 8
