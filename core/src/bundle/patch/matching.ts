// Finds how a stretch of bytes can be made from the source: copies that may differ in single bytes, and literals between them.
// That a copy may differ is the idea of bsdiff (Percival, 2003): in a program that was linked anew, code stays and addresses
// change. Instead of sorting all suffixes, places are found by a hash of eight bytes, in linear time. Only publishers run this.
import { scratch } from '../memory.ts'

/** Every so manyth place of the source, in chains of those with the same hash. */
export interface SourceIndex {
  readonly source: Uint8Array
  readonly step: number
  /** What is left of a hash after this shift is a row of `heads`. */
  readonly shift: number
  readonly heads: Int32Array
  readonly previous: Int32Array
}

/** Copies and literals in turn: first `moves` in the source, then `copies` bytes from there, then `literals` bytes of its own. */
export interface Operations {
  readonly moves: readonly number[]
  readonly copies: readonly number[]
  readonly literals: readonly number[]
}

/** Shorter equal stretches are found by going on from longer ones. */
const SEED_BYTES = 8
const HEAD_BITS_MAX = 22
/** Places with the same hash that are looked at, the last ones first. */
const CHAIN_MAX = 16
/** So many equal bytes in a row, and no better place is looked for. */
const SURE_BYTES = 32
/**
 * Another place is better if, of so many bytes, so many more are equal than at the present one. Counted over equal bytes alone
 * (as bsdiff does), tables of addresses lead astray: esbuild 0.25.9 then took 7 % more.
 */
const WINDOW_BYTES = 64
const GAIN_MIN = 16

/**
 * Every `step`th place of `source`. The memory is the thread's own and is that of the next index as well: there is one at a time.
 *
 * Units:  four bytes for each place, and up to 16 MiB.
 */
export const indexSource = (source: Uint8Array, step = 1): SourceIndex => {
  const places = Math.ceil(source.length / step)
  const bits = Math.min(HEAD_BITS_MAX, Math.max(8, Math.ceil(Math.log2(places + 1))))
  const heads = rows('heads', 2 ** bits).fill(-1)
  const previous = rows('places', places)
  const shift = 32 - bits
  for (let place = 0; place * step + SEED_BYTES <= source.length; place += 1) {
    const slot = seedHash(source, place * step) >>> shift
    previous[place] = heads[slot] ?? -1
    heads[slot] = place
  }
  return { source, step, shift, heads, previous }
}

const rows = (purpose: 'heads' | 'places', count: number): Int32Array => {
  const { buffer, byteOffset } = scratch(purpose, count * Int32Array.BYTES_PER_ELEMENT)
  return new Int32Array(buffer, byteOffset, count)
}

/** So many stretches of the target are looked at, of so many bytes. */
const PROBES = 2048
const PROBE_BYTES = 32

/**
 * The share of stretches of 32 bytes, all over the target, that have a seed in common with the source. An index of every sixteenth
 * place does: programs that were linked anew have more than half, what is compressed or encrypted has none.
 */
export const similarityOf = (index: SourceIndex, target: Uint8Array): number => {
  const stride = Math.max(PROBE_BYTES, Math.floor(target.length / PROBES))
  let probes = 0
  let found = 0
  for (let start = 0; start + PROBE_BYTES <= target.length; start += stride) {
    probes += 1
    let at = start
    while (at < start + PROBE_BYTES && longestMatch(index, target, at).length < SEED_BYTES) at += 1
    if (at < start + PROBE_BYTES) found += 1
  }
  return probes === 0 ? 1 : found / probes
}

export const findOperations = (index: SourceIndex, target: Uint8Array): Operations =>
  operationsOf(index.source, target, findAnchors(index, target))

/** From here on the target resembles the source at another place than before. */
interface Anchor {
  readonly at: number
  readonly from: number
}

/**
 * After so many bytes in a row that are like nothing, what comes is looked at only here and there. With a quarter of it, esbuild
 * 0.25.9 from three releases before took 2 % more.
 */
const UNLIKE_BYTES = 8192
/** Odd, so that within four places the source is met at one that its index has. What is passed over is found by going back. */
const UNLIKE_STEP = 9
/** What goes on like this at the present distance is still like it, even without many equal bytes in a row. */
const ALIKE_MIN = 0.25

const findAnchors = (index: SourceIndex, target: Uint8Array): readonly Anchor[] => {
  const { source } = index
  const anchors: Anchor[] = []
  let distance = Number.NaN // From the target's place to the source's; at first there is none.
  let step = 1
  let alikeUntil = 0
  for (let at = 0; at < target.length; ) {
    const equal = Number.isNaN(distance) ? 0 : equalBytes(source, at + distance, target, at)
    if (equal >= SURE_BYTES) {
      at += equal
      alikeUntil = at
      continue
    }
    if (at - alikeUntil >= UNLIKE_BYTES) {
      const begin = at - UNLIKE_BYTES
      const isAlike =
        !Number.isNaN(distance) &&
        countEqual(source, begin + distance, target, begin, UNLIKE_BYTES) >= ALIKE_MIN * UNLIKE_BYTES
      // Without a distance, what is like it again begins a copy of its own, instead of being outweighed by what is not.
      if (!isAlike) distance = Number.NaN
      step = isAlike ? 1 : UNLIKE_STEP
      alikeUntil = at
    }
    const { from, length } = longestMatch(index, target, at)
    if (length === 0) {
      at += step
      continue
    }
    const window = Math.min(Math.max(length, WINDOW_BYTES), target.length - at)
    const here = Number.isNaN(distance) ? 0 : countEqual(source, at + distance, target, at, window)
    const there = countEqual(source, from, target, at, window)
    if (there > here + GAIN_MIN) {
      anchors.push({ at, from })
      distance = from - at
      at += length
      step = 1
      alikeUntil = at
    } else at += step
  }
  return anchors
}

const longestMatch = (
  { source, step, shift, heads, previous }: SourceIndex,
  target: Uint8Array,
  at: number,
): { readonly from: number; readonly length: number } => {
  let from = 0
  let length = 0
  if (at + SEED_BYTES > target.length) return { from, length }
  let place = heads[seedHash(target, at) >>> shift] ?? -1
  for (let tries = 0; place !== -1 && tries < CHAIN_MAX; tries += 1) {
    const candidate = place * step
    place = previous[place] ?? -1
    if (length > 0 && source[candidate + length] !== target[at + length]) continue
    const equal = equalBytes(source, candidate, target, at)
    if (equal > length) {
      from = candidate
      length = equal
    }
  }
  return { from, length }
}

/** Each anchor's copy reaches as far back and forth as more than half of the bytes are equal; the rest are literals. */
const operationsOf = (source: Uint8Array, target: Uint8Array, anchors: readonly Anchor[]): Operations => {
  const operations = { moves: [] as number[], copies: [] as number[], literals: [] as number[] }
  let position = 0 // In the source, after the last copy.
  let copyAt = 0
  let copyFrom = 0
  let copyLength = 0
  for (let next = 0; next <= anchors.length; next += 1) {
    const anchor = anchors[next]
    const limit = anchor?.at ?? target.length
    // The copy before this anchor, as far as it is worth it, and the anchor's own start, moved back likewise.
    if (next > 0) copyLength = reachForward(source, copyFrom, target, copyAt, limit)
    const back = anchor === undefined ? 0 : reachBack(source, anchor.from, target, anchor.at, copyAt)
    const overlap = copyAt + copyLength - (limit - back)
    let keptBack = back
    if (anchor !== undefined && overlap > 0) {
      const begin = limit - back
      const split = bestSplit(source, copyFrom + (begin - copyAt), anchor.from - back, target, begin, overlap)
      copyLength = begin + split - copyAt
      keptBack = back - split
    }
    if (next > 0 || limit - keptBack > 0) {
      operations.moves.push(copyFrom - position)
      operations.copies.push(copyLength)
      operations.literals.push(limit - keptBack - (copyAt + copyLength))
      position = copyFrom + copyLength
    }
    if (anchor !== undefined) {
      copyAt = anchor.at - keptBack
      copyFrom = anchor.from - keptBack
      copyLength = 0
    }
  }
  return operations
}

const reachForward = (source: Uint8Array, from: number, target: Uint8Array, at: number, limit: number): number => {
  const longest = Math.min(limit - at, source.length - from)
  let balance = 0
  let best = 0
  let length = 0
  for (let reach = 1; reach <= longest; reach += 1) {
    balance += source[from + reach - 1] === target[at + reach - 1] ? 1 : -1
    if (balance > best) {
      best = balance
      length = reach
    }
  }
  return length
}

const reachBack = (source: Uint8Array, from: number, target: Uint8Array, at: number, limit: number): number => {
  const longest = Math.min(at - limit, from)
  let balance = 0
  let best = 0
  let length = 0
  for (let reach = 1; reach <= longest; reach += 1) {
    balance += source[from - reach] === target[at - reach] ? 1 : -1
    if (balance > best) {
      best = balance
      length = reach
    }
  }
  return length
}

/** How many of the `overlap` bytes from `at` on are better copied from `first`; the others are from `second`. */
const bestSplit = (
  source: Uint8Array,
  first: number,
  second: number,
  target: Uint8Array,
  at: number,
  overlap: number,
): number => {
  let balance = 0
  let best = 0
  let split = 0
  for (let row = 0; row < overlap; row += 1) {
    if (source[first + row] === target[at + row]) balance += 1
    if (source[second + row] === target[at + row]) balance -= 1
    if (balance > best) {
      best = balance
      split = row + 1
    }
  }
  return split
}

/** How many bytes from the two places on are equal, without a gap. */
const equalBytes = (source: Uint8Array, from: number, target: Uint8Array, at: number): number => {
  if (from < 0) return 0
  const longest = Math.min(source.length - from, target.length - at)
  let length = 0
  while (length < longest && source[from + length] === target[at + length]) length += 1
  return length
}

/** How many of `length` bytes are equal. */
const countEqual = (source: Uint8Array, from: number, target: Uint8Array, at: number, length: number): number => {
  let equal = 0
  for (let row = 0; row < length; row += 1) if (source[from + row] === target[at + row]) equal += 1
  return equal
}

const seedHash = (bytes: Uint8Array, at: number): number => {
  const low = wordAt(bytes, at)
  const high = wordAt(bytes, at + 4)
  const mixed = Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b)
  return Math.imul(mixed ^ (mixed >>> 15), 0xc2b2ae35)
}

const wordAt = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16) | ((bytes[at + 3] ?? 0) << 24)
