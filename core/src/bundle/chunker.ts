// Where a file is cut into chunks: at places that its content names, so that an insertion moves no cut but those near it.
// Pure arithmetic over bytes; it reads nothing and hashes nothing for safety.
import { createHash } from 'node:crypto'
import { LIMITS } from '../limits.ts'

export interface ChunkSizes {
  readonly minBytes: number
  readonly averageBytes: number
  readonly maxBytes: number
}

const SMALLEST_AVERAGE_BYTES = 16 * 1024
/** Chunks that a file may have on average before they grow: keeps the index of huge files small. */
const CHUNKS_PER_FILE = 131_072
/** Bits by which a cut is rarer before the average and more frequent after it. Source: FastCDC, "normalized chunking". */
const NORMALIZATION_BITS = 2

/** The sizes for a file of this length: 4, 16 and 64 KiB up to 2 GiB, then twice as much with each doubling. */
export const chunkSizesOf = (fileLengthBytes: number): ChunkSizes => {
  let averageBytes = SMALLEST_AVERAGE_BYTES
  const largest = LIMITS.chunkLengthBytes / 4
  while (averageBytes * CHUNKS_PER_FILE < fileLengthBytes && averageBytes < largest) averageBytes *= 2
  return { minBytes: averageBytes / 4, averageBytes, maxBytes: averageBytes * 4 }
}

/**
 * Where the chunk that starts at `start` ends. `end` is the end of the file, or at least `maxBytes` after `start`.
 *
 * A rolling sum over the last 32 bytes decides: the bits that are looked at are the uppermost ones, into which 32 shifts
 * have moved them. Bytes before the smallest length are skipped.
 *
 * Source: Xia et al., "FastCDC: a Fast and Efficient Content-Defined Chunking Approach", USENIX ATC 2016.
 */
export const cutAfter = (bytes: Uint8Array, start: number, end: number, sizes: ChunkSizes): number => {
  const latest = Math.min(end, start + sizes.maxBytes)
  const average = Math.min(latest, start + sizes.averageBytes)
  const averageBits = Math.log2(sizes.averageBytes)
  const rareShift = 32 - (averageBits + NORMALIZATION_BITS)
  const frequentShift = 32 - (averageBits - NORMALIZATION_BITS)
  const gear = GEAR
  let sum = 0
  let at = start + sizes.minBytes
  // Neither index is ever out of bounds, and a check for `undefined` here would cost half of the speed; so would a sum
  // that is not cut to 32 bits at once.
  for (; at < average; at += 1) {
    sum = ((sum << 1) + (gear[bytes[at] as number] as number)) | 0
    if (sum >>> rareShift === 0) return at + 1
  }
  for (; at < latest; at += 1) {
    sum = ((sum << 1) + (gear[bytes[at] as number] as number)) | 0
    if (sum >>> frequentShift === 0) return at + 1
  }
  return latest
}

/**
 * The rolling sums over every 32 bytes in a row whose uppermost `zeroBits` bits are all 0, in their order, as signed numbers:
 * about one in 2^`zeroBits`, and the same ones wherever the same bytes stand.
 */
export const sumsWithZeros = (bytes: Uint8Array, zeroBits: number): readonly number[] => {
  const gear = GEAR
  const shift = 32 - zeroBits
  const found: number[] = []
  let sum = 0
  let at = 0
  // Two loops, because one that asks each time whether it is past the 31st byte takes twice as long.
  for (; at < 31 && at < bytes.length; at += 1) sum = ((sum << 1) + (gear[bytes[at] as number] as number)) | 0
  for (; at < bytes.length; at += 1) {
    sum = ((sum << 1) + (gear[bytes[at] as number] as number)) | 0
    if (sum >>> shift === 0) found.push(sum)
  }
  return found
}

/** One random-looking number per byte value: the first four bytes, little endian, of SHA-256(`updraft gear N`). */
const GEAR = Int32Array.from({ length: 256 }, (_, value) =>
  createHash('sha256').update(`updraft gear ${value}`).digest().readInt32LE(0),
)
