// A segment as it stands in a patch: its columns as one zstd frame, with a stretch of the source as dictionary where that is
// shorter. Bytes in memory only.
import { constants, zstdCompressSync } from 'node:zlib'
import { LIMITS } from '../../limits.ts'
import { canBeBase, windowBitsOf } from '../frame.ts'
import type { Operations } from './matching.ts'
import { endAt, positionAt, type Stretches } from './stretches.ts'

/** Made once and fetched by every machine, and never made again: it may take its time. */
export const LEVEL_BEST = 19
/** Finds out whether something is worth the best. */
export const LEVEL_QUICK = 9

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
export const packSegment = (
  content: Uint8Array,
  dictionary?: Dictionary,
  level: number = LEVEL_BEST,
): PackedSegment => {
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

/** What does not even get a tenth shorter; told from its middle. */
export const isIncompressible = (content: Uint8Array): boolean => {
  const start = Math.max(0, Math.floor((content.length - PROBE_BYTES) / 2))
  const probe = content.subarray(start, start + PROBE_BYTES)
  return packSegment(probe, undefined, LEVEL_QUICK).packed.length > 0.9 * probe.length
}

const PROBE_BYTES = 256 * 1024
const BLOCK_BYTES = 256 * 1024
/** The best level takes time in proportion to the dictionary, of which what is long behind is seldom used. */
const DICTIONARY_PER_TARGET = 8

/** The stretch of the window from which most is copied: of bytes in proportion to the target, within what a dictionary may have. */
export const chooseDictionary = (
  { moves, copies }: Operations,
  { source, stretches, target }: { source: Uint8Array; stretches: Stretches; target: Uint8Array },
): Dictionary => {
  const copied = new Float64Array(Math.ceil(source.length / BLOCK_BYTES) + 1)
  let place = 0
  for (const [row, copy] of copies.entries()) {
    place += moves[row] ?? 0
    for (let at = place; at < place + copy; at += BLOCK_BYTES) {
      const block = Math.floor(at / BLOCK_BYTES)
      copied[block] = (copied[block] ?? 0) + Math.min(BLOCK_BYTES, place + copy - at)
    }
    place += copy
  }
  const wanted = Math.max(BLOCK_BYTES, target.length * DICTIONARY_PER_TARGET)
  let best = { start: 0, end: 0, copied: -1 }
  for (let block = 0; block < copied.length; block += 1) {
    const start = block * BLOCK_BYTES
    const end = Math.min(start + wanted, start + LIMITS.frameLengthBytes, endAt(stretches, start))
    const sum = copied.subarray(block, Math.ceil(end / BLOCK_BYTES)).reduce((total, bytes) => total + bytes, 0)
    if (sum > best.copied) best = { start, end, copied: sum }
  }
  return { position: positionAt(stretches, best.start), bytes: source.subarray(best.start, best.end) }
}
