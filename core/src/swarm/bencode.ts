// Bencoding (BEP 3), for what comes from publishers and trackers: a decoder that accepts exactly one spelling of every
// value and never more than it was given, and the encoder that matches it. Knows nothing of what the values mean.

export type BencodeValue = number | Uint8Array | readonly BencodeValue[] | BencodeDictionary

export interface BencodeDictionary {
  /** Keys as Latin-1, so that one character is one byte and the order of strings is the order of bytes. */
  readonly entries: ReadonlyMap<string, BencodeValue>
  /** The dictionary as it stood in the input, for hashing. A view, not a copy. */
  readonly bytes: Uint8Array
}

/** What `encodeBencode` takes: text becomes UTF-8, an object a dictionary with sorted keys. */
export type Encodable = number | string | Uint8Array | readonly Encodable[] | { readonly [key: string]: Encodable }

export interface DecodeOptions {
  /** `any` tolerates unsorted keys, which some trackers send. Keys that stand twice are refused either way. */
  readonly keyOrder?: 'sorted' | 'any'
  /** `allowed` reads the value at the beginning, whatever follows it. */
  readonly rest?: 'refused' | 'allowed'
}

/** Metainfo nests 5 deep, a tracker's answer 3; recursion must end well before the stack does. */
const DEPTH_MAX = 16

/**
 * Reads one value that fills `bytes` to the end, unless a rest is allowed. Byte strings are views into `bytes`.
 *
 * Errors: SyntaxError with the offset; the caller knows what was malformed and wraps it.
 */
export const decodeBencode = (
  bytes: Uint8Array,
  { keyOrder = 'sorted', rest = 'refused' }: DecodeOptions = {},
): BencodeValue => {
  let at = 0

  const fail = (what: string): never => {
    throw new SyntaxError(`${what} at byte ${at}`)
  }

  /** Digits up to `end`, without leading zeros; leaves `at` behind `end`. */
  const readDigits = (end: number, sign = 1): number => {
    const start = at
    let value = 0
    while (at < bytes.length && bytes[at] !== end) {
      const digit = (bytes[at] ?? 0) - ZERO
      if (digit < 0 || digit > 9 || (at > start && value === 0)) fail('malformed number')
      value = value * 10 + digit
      if (value > Number.MAX_SAFE_INTEGER) fail('number too large')
      at += 1
    }
    if (at === start || at >= bytes.length) fail('malformed number')
    if (value === 0 && sign < 0) fail('negative zero')
    at += 1
    return sign * value
  }

  const readInteger = (): number => {
    at += 1
    if (bytes[at] !== MINUS) return readDigits(END)
    at += 1
    return readDigits(END, -1)
  }

  const readString = (): Uint8Array => {
    const length = readDigits(COLON)
    if (length > bytes.length - at) fail('string longer than the input')
    at += length
    return bytes.subarray(at - length, at)
  }

  const readList = (depth: number): readonly BencodeValue[] => {
    const items: BencodeValue[] = []
    at += 1
    while (bytes[at] !== END) items.push(readValue(depth))
    at += 1
    return items
  }

  const readDictionary = (depth: number): BencodeDictionary => {
    const start = at
    const entries = new Map<string, BencodeValue>()
    let previous: string | undefined
    at += 1
    while (bytes[at] !== END) {
      const key = latin1(readString())
      if (entries.has(key)) fail(`key ${JSON.stringify(key)} twice`)
      if (keyOrder === 'sorted' && previous !== undefined && key < previous) fail('keys out of order')
      entries.set(key, readValue(depth))
      previous = key
    }
    at += 1
    return { entries, bytes: bytes.subarray(start, at) }
  }

  const readValue = (depth: number): BencodeValue => {
    if (depth > DEPTH_MAX) fail('nested too deep')
    switch (bytes[at]) {
      case undefined:
        return fail('unexpected end')
      case INTEGER:
        return readInteger()
      case LIST:
        return readList(depth + 1)
      case DICTIONARY:
        return readDictionary(depth + 1)
      default:
        return readString()
    }
  }

  const value = readValue(0)
  if (rest === 'refused' && at !== bytes.length) fail('bytes behind the value')
  return value
}

/**
 * Whether a value stands at the beginning. To be asked before bytes from outside reach a library that decodes them: the
 * package `bencode` (2.0.3, 4.0.1) goes round in circles for ever over a string whose length is negative (no upstream issue
 * found).
 */
export const beginsWithBencode = (bytes: Uint8Array): boolean => {
  try {
    decodeBencode(bytes, { keyOrder: 'any', rest: 'allowed' })
    return true
  } catch {
    return false // Why does not matter: nobody is told.
  }
}

export const isDictionary = (value: BencodeValue | undefined): value is BencodeDictionary =>
  typeof value === 'object' && 'entries' in value && value.entries instanceof Map

/** Text of a byte string, or undefined if it is not one or is not UTF-8. */
export const textOf = (value: BencodeValue | undefined): string | undefined => {
  if (!(value instanceof Uint8Array)) return undefined
  try {
    return utf8.decode(value)
  } catch {
    return undefined // Not UTF-8, so not text.
  }
}

export const encodeBencode = (value: Encodable): Uint8Array => {
  const parts: Uint8Array[] = []
  const write = (item: Encodable): void => {
    if (typeof item === 'number') parts.push(Buffer.from(`i${item}e`))
    else if (typeof item === 'string') write(Buffer.from(item))
    else if (item instanceof Uint8Array) parts.push(Buffer.from(`${item.length}:`), item)
    else if (isList(item)) {
      parts.push(Buffer.from('l'))
      item.forEach(write)
      parts.push(Buffer.from('e'))
    } else {
      parts.push(Buffer.from('d'))
      const entries = Object.entries(item).map(([key, entry]) => [Buffer.from(key), entry] as const)
      for (const [key, entry] of entries.sort(([a], [b]) => Buffer.compare(a, b))) {
        write(key)
        write(entry)
      }
      parts.push(Buffer.from('e'))
    }
  }
  write(value)
  return Buffer.concat(parts)
}

const isList = (value: Encodable): value is readonly Encodable[] => Array.isArray(value)

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const latin1 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')

const MINUS = 0x2d // '-'
const ZERO = 0x30 // '0'
const COLON = 0x3a // ':'
const DICTIONARY = 0x64 // 'd'
const END = 0x65 // 'e'
const INTEGER = 0x69 // 'i'
const LIST = 0x6c // 'l'
