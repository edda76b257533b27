// A segment as it stands in a patch: its columns as one zstd frame, with a stretch of the source as dictionary where that is
// shorter. Bytes in memory only.
import { constants, zstdCompressSync } from 'node:zlib'
import { LIMITS } from '../../limits.ts'
import { canBeBase, windowBitsOf } from '../frame.ts'
import type { Operations } from './matching.ts'

/** Made once and fetched by every machine, and never made again: it may take its time. */
const LEVEL = 19

/** A stretch of the source. */
export interface Dictionary {
  readonly position: number
  readonly bytes: Uint8Array
}

export interface PackedSegment {
  readonly packed: Uint8Array
  /** Of the columns. */
  readonly contentLength: number
  /** Where the dictionary is in the source; it has no bytes if there is none. */
  readonly dictionaryPosition: number
  readonly dictionaryLength: number
}

/** More than columns ever need for so many bytes: without a bound they would be a bomb. */
export const contentLengthMaxOf = (lengthBytes: number): number => 2 * lengthBytes + 64

/** Source: RFC 8878. */
export const packSegment = (content: Uint8Array, dictionary?: Dictionary, level: number = LEVEL): PackedSegment => {
  const bytes = dictionary !== undefined && canBeBase(dictionary.bytes) ? dictionary.bytes : undefined
  const packed = zstdCompressSync(content, {
    ...(bytes === undefined ? {} : { dictionary: bytes }),
    params: {
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_windowLog]: windowBitsOf(content.length + (bytes?.length ?? 0)),
    },
  })
  return {
    packed,
    contentLength: content.length,
    dictionaryPosition: bytes === undefined ? 0 : (dictionary?.position ?? 0),
    dictionaryLength: bytes?.length ?? 0,
  }
}

const BLOCK_BYTES = 1024 * 1024

/** The stretch, of as many bytes as a dictionary may have, from which most is copied. */
export const chooseDictionary = ({ moves, copies }: Operations, source: Uint8Array): Dictionary => {
  const copied = new Float64Array(Math.ceil(source.length / BLOCK_BYTES) + 1)
  let position = 0
  for (const [row, copy] of copies.entries()) {
    position += moves[row] ?? 0
    for (let at = position; at < position + copy; at += BLOCK_BYTES) {
      const block = Math.floor(at / BLOCK_BYTES)
      copied[block] = (copied[block] ?? 0) + Math.min(BLOCK_BYTES, position + copy - at)
    }
    position += copy
  }
  const width = LIMITS.frameLengthBytes / BLOCK_BYTES
  let best = 0
  let most = -1
  for (let block = 0; block < copied.length; block += 1) {
    const sum = copied.subarray(block, block + width).reduce((total, bytes) => total + bytes, 0)
    if (sum <= most) continue
    most = sum
    best = block
  }
  const start = best * BLOCK_BYTES
  return { position: start, bytes: source.subarray(start, start + LIMITS.frameLengthBytes) }
}
