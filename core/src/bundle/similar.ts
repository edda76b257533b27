// Which contents resemble one another, told by a sample of each: where two have a stretch of 32 bytes in common, both samples
// have its number. Costs a few milliseconds per frame, where trying to compress with every dictionary costs seconds.
import { sumsWithZeros } from './chunker.ts'
import { release } from './memory.ts'

/** One place in 2^9 of a content is in its sample. */
const SAMPLED_BITS = 9
/** Of larger builds samples are thinner, so that all of them together have a million numbers and take 20 MB, whatever the build has. */
const SAMPLED_FULLY_BYTES = 512 * 1024 * 1024
/**
 * A frame is based on another that has this part of its sample: compressing it then saves about as much. From less, updates lose:
 * what replaces a part of the frame resembles that and not the base. At one eighth, date-fns 4.0.0 packs to 1.45 MB instead of
 * 1.56, and what is fresh in 4.1.0 takes 508 KB instead of 131.
 */
const SHARE_MIN = { of: 1, in: 4 }

/** Of how many places of a content one is in its sample, as a power of two, in a build of so many bytes. */
export const sampledBitsFor = (buildBytes: number): number =>
  SAMPLED_BITS + Math.max(0, Math.ceil(Math.log2(buildBytes / SAMPLED_FULLY_BYTES)))

/** The sample of a content that is made of these chunks. */
export const sampleOf = (chunks: readonly Uint8Array[], sampledBits: number): Int32Array =>
  distinct(Int32Array.from(chunks.flatMap((chunk) => sumsWithZeros(chunk, sampledBits))))

/** The numbers, each once, ascending, in the same memory. A Set of them would take ten times as much. */
export const distinct = (numbers: Int32Array): Int32Array => {
  numbers.sort()
  let count = 0
  for (const number of numbers) {
    if (count > 0 && numbers[count - 1] === number) continue
    numbers[count] = number
    count += 1
  }
  return numbers.subarray(0, count)
}

/**
 * For each content the number of an earlier one to be its dictionary, or -1. One that has a dictionary is none itself. Of several
 * the one with most in common is taken, of equal ones the first.
 */
export const chooseBases = (samples: readonly Int32Array[]): Int32Array => {
  const bases = new Int32Array(samples.length).fill(-1)
  const keys = makeKeys(samples.reduce((sum, sample) => sum + sample.length, 0))
  const common = new Int32Array(samples.length)
  for (const [number, sample] of samples.entries()) {
    common.fill(0, 0, number)
    for (const value of sample) keys.countIn(value, common)
    let most = 0
    for (let key = 0; key < number; key += 1) {
      const count = common[key] ?? 0
      if (count * SHARE_MIN.in < sample.length * SHARE_MIN.of || count <= most) continue
      most = count
      bases[number] = key
    }
    if (bases[number] === -1) for (const value of sample) keys.add(value, number)
  }
  keys.forget()
  return bases
}

/**
 * By number of a sample the contents that have it: to compare each content with each takes seconds for a gigabyte, and a Map of
 * lists takes ten times the memory of this table of chains.
 */
const makeKeys = (capacity: number) => {
  const slotBits = Math.max(1, Math.ceil(Math.log2(capacity + 1)))
  const heads = new Int32Array(2 ** slotBits).fill(-1)
  const nexts = new Int32Array(capacity)
  const values = new Int32Array(capacity)
  const keys = new Int32Array(capacity)
  let count = 0
  // The lower bits of a sum depend on the last few bytes only, so they are mixed upwards. Source: Knuth, TAOCP 3, 6.4.
  const slotOf = (value: number): number => Math.imul(value, 0x9e3779b1) >>> (32 - slotBits)
  return {
    add: (value: number, key: number): void => {
      const slot = slotOf(value)
      values[count] = value
      keys[count] = key
      nexts[count] = heads[slot] ?? -1
      heads[slot] = count
      count += 1
    },
    forget: () => {
      for (const column of [heads, nexts, values, keys]) release(column)
    },
    /** Adds 1 to the count of every content that has `value`. */
    countIn: (value: number, counts: Int32Array): void => {
      for (let at = heads[slotOf(value)] ?? -1; at !== -1; at = nexts[at] ?? -1) {
        if (values[at] !== value) continue
        const key = keys[at] ?? 0
        counts[key] = (counts[key] ?? 0) + 1
      }
    },
  }
}
