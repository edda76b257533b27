// Which contents resemble one another, told by a sample of each: where two have a stretch of 32 bytes in common, both samples
// have its number. Costs a few milliseconds per frame, where trying to compress with every dictionary costs seconds.
import { rollingSums } from './chunker.ts'

/** One place in so many of a content is in its sample. */
const SAMPLED_BITS = 9
/**
 * A frame is based on another that has this part of its sample: compressing it then saves about as much. From less, updates lose:
 * what replaces a part of the frame resembles that and not the base. At one eighth, date-fns 4.0.0 packs to 1.45 MB instead of
 * 1.56, and what is fresh in 4.1.0 takes 508 KB instead of 131.
 */
const SHARE_MIN = { of: 1, in: 4 }

/** Numbers of the stretches in the sample, each once, in no order. */
export const sampleOf = (content: Uint8Array): Int32Array => {
  const sample = new Set<number>()
  rollingSums(content, (sum) => {
    if (sum >>> (32 - SAMPLED_BITS) === 0) sample.add(sum)
  })
  return Int32Array.from(sample)
}

/**
 * For each content the number of an earlier one to be its dictionary, or -1. One that has a dictionary is none itself. Of several
 * the one with most in common is taken, of equal ones the first.
 */
export const chooseBases = (samples: readonly Int32Array[]): Int32Array => {
  const bases = new Int32Array(samples.length).fill(-1)
  // By number of the sample the contents that have it: to compare each with each takes seconds for a gigabyte.
  const keysWith = new Map<number, number[]>()
  for (const [number, sample] of samples.entries()) {
    const common = new Map<number, number>()
    for (const value of sample) for (const key of keysWith.get(value) ?? []) common.set(key, (common.get(key) ?? 0) + 1)
    let most = 0
    for (const [key, count] of [...common].sort(([a], [b]) => a - b)) {
      if (count * SHARE_MIN.in < sample.length * SHARE_MIN.of || count <= most) continue
      most = count
      bases[number] = key
    }
    if (bases[number] !== -1) continue
    for (const value of sample) {
      const keys = keysWith.get(value)
      if (keys === undefined) keysWith.set(value, [number])
      else keys.push(number)
    }
  }
  return bases
}
