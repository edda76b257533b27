// Makes an input into another one: a few small changes, of the kinds at which parsers usually go wrong. Knows no format.
import type { Random } from './random.ts'

export interface Material {
  readonly words: readonly Uint8Array[]
  /** Any other input, to take a part of. */
  readonly other: Uint8Array
}

/** One to four changes, seldom many. */
export const mutate = (bytes: Uint8Array, random: Random, material: Material, maxBytes: number): Buffer => {
  let result = Buffer.from(bytes)
  for (let changes = random(16) === 0 ? 24 : 1 + random(4); changes > 0; changes -= 1) {
    const change = CHANGES[random(CHANGES.length)]
    if (change !== undefined) result = Buffer.from(change(result, random, material))
  }
  return result.subarray(0, maxBytes)
}

type Change = (bytes: Buffer, random: Random, material: Material) => Uint8Array

/** Numbers at which something usually goes wrong. */
const EDGES = [
  0,
  1,
  127,
  128,
  255,
  256,
  65_535,
  2 ** 20,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 36,
  2 ** 53 - 1,
  2 ** 53,
]

const asVarint = (value: number): Buffer => {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push((rest % 128) | (rest >= 128 ? 128 : 0))
    if (rest < 128) return Buffer.from(bytes)
  }
}

const asFixed = (value: number, width: number, isBig: boolean): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigUInt64LE(BigInt(value))
  const low = bytes.subarray(0, width)
  return isBig ? Buffer.from(low).reverse() : low
}

const SPELLINGS: readonly ((value: number) => Buffer)[] = [
  asVarint,
  (value) => Buffer.from(String(value)),
  (value) => Buffer.from(String(-value)),
  ...[1, 2, 4, 8].flatMap((width) => [
    (value: number) => asFixed(value, width, false),
    (value: number) => asFixed(value, width, true),
  ]),
]

const spliced = (bytes: Buffer, at: number, removed: number, put: Uint8Array): Buffer =>
  Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + removed)])

const part = (bytes: Uint8Array, random: Random, most: number): { readonly at: number; readonly length: number } => {
  const at = random(bytes.length + 1)
  return { at, length: random(Math.min(most, bytes.length - at) + 1) }
}

/** Over what was there, or between. */
const put = (bytes: Buffer, random: Random, what: Uint8Array): Buffer =>
  spliced(bytes, random(bytes.length + 1), random(2) === 0 ? what.length : 0, what)

const CHANGES: readonly Change[] = [
  (bytes, random) => {
    const { at, length } = part(bytes, random, 8)
    return spliced(
      bytes,
      at,
      length,
      bytes.subarray(at, at + length).map((byte) => byte ^ (1 << random(8))),
    )
  },
  (bytes, random) => put(bytes, random, Buffer.from([random(256)])),
  (bytes, random) => {
    const { at, length } = part(bytes, random, 64)
    return spliced(bytes, at, length, Buffer.alloc(0))
  },
  (bytes, random) => {
    const { at, length } = part(bytes, random, 64)
    return spliced(bytes, at, 0, bytes.subarray(at, at + length))
  },
  (bytes, random) => {
    const { at, length } = part(bytes, random, 256)
    return put(bytes, random, bytes.subarray(at, at + length))
  },
  (bytes, random) => {
    const spell = SPELLINGS[random(SPELLINGS.length)] ?? asVarint
    return put(bytes, random, spell(EDGES[random(EDGES.length)] ?? 0))
  },
  (bytes, random) => {
    const at = random(bytes.length + 1)
    const byte = bytes[at]
    return byte === undefined ? bytes : spliced(bytes, at, 1, Buffer.from([(byte + random(17) - 8) & 255]))
  },
  (bytes, random, { words }) => put(bytes, random, words[random(words.length || 1)] ?? Buffer.alloc(0)),
  (bytes, random, { words }) => put(bytes, random, words[random(words.length || 1)] ?? Buffer.alloc(0)),
  (bytes, random, { other }) => {
    const { at, length } = part(other, random, 512)
    return put(bytes, random, other.subarray(at, at + length))
  },
  (bytes, random, { other }) => {
    const at = random(Math.min(bytes.length, other.length) + 1)
    return Buffer.concat([bytes.subarray(0, at), other.subarray(at)])
  },
  (bytes, random) => (random(8) === 0 ? bytes.subarray(0, random(bytes.length + 1)) : bytes),
]
