// One frame of a pack: chunks compressed together, with the content of another frame as dictionary or without. Only bytes
// in memory; what the content must be is for the caller to check.
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { UpdateError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { type Compress, packWithBase } from './based-frame.ts'
import { levelOf, type PackedLength } from './frame-level.ts'
import { release } from './memory.ts'

const WINDOW_BITS_MIN = 10
/** A frame and its dictionary, both of the greatest length, are within one window. */
const WINDOW_BITS_MAX = 24
/** A dictionary that begins with these bytes would be read as one of zstd's own format. Source: RFC 8878, 5. */
const DICTIONARY_MAGIC = Buffer.from([0x37, 0xa4, 0x30, 0xec])

/**
 * Compresses `content`, with `base` as dictionary. The same library version always gives the same bytes.
 *
 * Source: RFC 8878.
 */
export const packFrame = (content: Uint8Array, base?: Uint8Array): Buffer =>
  base === undefined ? packAlone(content) : packWithBase(content, base, { packAlone, compress })

const packAlone = (content: Uint8Array): Buffer => compress(content, { level: levelOf(content, packedLengthAt) })

const packedLengthAt: PackedLength = (content, level) => {
  const packed = compress(content, { level })
  const { length } = packed
  release(packed)
  return length
}

const compress: Compress = (content, { level, base, hashBits }) =>
  zstdCompressSync(content, {
    ...(base === undefined ? {} : { dictionary: base }),
    chunkSize: onePiece(packedLengthMaxOf(content.length)),
    params: {
      ...(hashBits === undefined ? {} : { [constants.ZSTD_c_hashLog]: hashBits }),
      [constants.ZSTD_c_compressionLevel]: level,
      [constants.ZSTD_c_windowLog]: windowBitsOf(content.length + (base?.length ?? 0)),
    },
  })

/**
 * Decompresses a frame to exactly `lengthBytes`. It never holds more than that, whatever the frame says of itself.
 *
 * Errors: BUNDLE_INVALID, to be told with the frame's number by the caller.
 */
export const unpackFrame = (packed: Uint8Array, lengthBytes: number, base?: Uint8Array): Buffer => {
  if (base !== undefined && !canBeBase(base)) {
    throw new UpdateError('BUNDLE_INVALID', 'its base begins like a dictionary of zstd and cannot serve as one')
  }
  try {
    const content = zstdDecompressSync(packed, {
      ...(base === undefined ? {} : { dictionary: base }),
      maxOutputLength: lengthBytes,
      chunkSize: onePiece(lengthBytes),
      params: { [constants.ZSTD_d_windowLogMax]: WINDOW_BITS_MAX },
    })
    if (content.length === lengthBytes) return content
  } catch (error) {
    throw new UpdateError('BUNDLE_INVALID', `it does not decompress to ${lengthBytes} bytes`, { cause: error })
  }
  throw new UpdateError('BUNDLE_INVALID', `it decompresses to less than ${lengthBytes} bytes`)
}

/** Whether content can serve as a dictionary. */
export const canBeBase = (content: Uint8Array): boolean => !DICTIONARY_MAGIC.equals(content.subarray(0, 4))

/** The most bytes that a frame of this content can have, packed. Source: `ZSTD_COMPRESSBOUND` in zstd.h. */
export const packedLengthMaxOf = (lengthBytes: number): number =>
  lengthBytes + Math.floor(lengthBytes / 256) + (lengthBytes < 131_072 ? (131_072 - lengthBytes) >> 11 : 0) + 64

/** Whether a content of this length is allowed in one frame. */
export const isFrameLength = (lengthBytes: number): boolean => lengthBytes > 0 && lengthBytes <= LIMITS.frameLengthBytes

/** The result in one piece of memory, instead of many that are put together afterwards; node:zlib refuses less than 64. */
const onePiece = (lengthBytes: number): number => Math.max(64, lengthBytes + 1)

export const windowBitsOf = (reachBytes: number): number =>
  Math.min(WINDOW_BITS_MAX, Math.max(WINDOW_BITS_MIN, Math.ceil(Math.log2(reachBytes))))
