// Columns of whole numbers in LEB128, as the tables of an index and the segments of a patch have them.
export const zigzag = (distance: number): number => (distance >= 0 ? 2 * distance : -2 * distance - 1)
export const unzigzag = (value: number): number => (value % 2 === 0 ? value / 2 : -(value + 1) / 2)

export interface ColumnReader {
  readonly number: () => number
  readonly column: (count: number) => number[]
  readonly bytes: (length: number) => Buffer
  readonly end: () => void
}

export const columnReader = (from: Buffer): ColumnReader => {
  let at = 0
  const number = (): number => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = from.readUInt8(at)
      at += 1
      value += (byte & 127) * factor
      if (value > Number.MAX_SAFE_INTEGER) throw new Error('number of 2^53 or more')
      if (byte < 128) {
        if (byte === 0 && factor > 1) throw new Error('number with a needless zero byte')
        return value
      }
      if (factor > 2 ** 53) throw new Error('number of too many bytes')
    }
  }
  const assertLeft = (length: number): void => {
    if (length > from.length - at) throw new Error(`${length} more bytes are needed, ${from.length - at} are left`)
  }
  return {
    number,
    column: (count) => {
      assertLeft(count)
      return Array.from({ length: count }, number)
    },
    bytes: (length) => {
      assertLeft(length)
      at += length
      return from.subarray(at - length, at)
    },
    end: () => {
      if (at !== from.length) throw new Error('bytes after the last column')
    },
  }
}

export const leb128 = (values: readonly number[]): Buffer => {
  const bytes: number[] = []
  for (const value of values) {
    let rest = value
    while (rest >= 128) {
      bytes.push((rest % 128) + 128)
      rest = Math.floor(rest / 128)
    }
    bytes.push(rest)
  }
  return Buffer.from(bytes)
}
