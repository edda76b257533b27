// "Chunks" of docs/bundle-format.md: where a file is cut, and the sample of a content, which comes of the same rolling sum.
import { createHash } from 'node:crypto'

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')

export const GEAR = Uint32Array.from({ length: 256 }, (_, value) =>
  createHash('sha256').update(`updraft gear ${value}`).digest().readUInt32LE(0),
)

export const averageChunkBytes = (fileBytes: number): number => {
  let average = 16 * 1024
  while (average * 131_072 < fileBytes && average < 256 * 1024) average *= 2
  return average
}

export const cutFile = (content: Buffer): Buffer[] => {
  const average = averageChunkBytes(content.length)
  const chunks: Buffer[] = []
  for (let start = 0; start < content.length; ) {
    const end = cut(content, start, average)
    chunks.push(content.subarray(start, end))
    start = end
  }
  return chunks
}

const cut = (content: Buffer, start: number, average: number): number => {
  let sum = 0
  const last = Math.min(content.length, start + 4 * average)
  const bits = Math.log2(average)
  for (let at = start + average / 4; at < last; at += 1) {
    sum = nextSum(sum, content[at])
    const zeroBits = at < start + average ? bits + 2 : bits - 2
    if (sum >>> (32 - zeroBits) === 0) return at + 1
  }
  return last
}

const nextSum = (sum: number, byte = 0): number => (2 * sum + (GEAR[byte] ?? 0)) >>> 0

/** "Making a bundle": one more for each doubling of the build, begun or complete, beyond 512 MiB. */
export const sampleBitsOf = (buildBytes: number): number => {
  let bits = 9
  for (let most = 512 * 1024 * 1024; most < buildBytes; most *= 2) bits += 1
  return bits
}

/** "Making a bundle": the sums whose uppermost `bits` bits are all 0, from the 32nd byte on, once for every place. */
export const sumsOf = (content: Buffer, bits: number): number[] => {
  const sums: number[] = []
  const { length } = content
  let sum = 0
  for (let at = 0; at < length; at += 1) {
    sum = nextSum(sum, content[at])
    if (at >= 31 && sum >>> (32 - bits) === 0) sums.push(sum)
  }
  return sums
}
