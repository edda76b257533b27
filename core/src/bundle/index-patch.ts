// A new index as its difference from an older one: most of its digests are the same, and so are most rows of its tables. Only
// a saving, and never believed: whoever applies one compares the result with the signed SHA-256.
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'
import { UpdateError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { foldIndex, unfoldIndex } from './index-file.ts'

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

/** Both indexes unfolded have to be within one window, and in memory. */
const WINDOW_BITS_MAX = 27
/**
 * Level 9 loses digests that are megabytes back: of 8 MiB it still sends half, of 32 MiB nearly all. This one finds them, as 19
 * does in twice the time (32 MiB: 9 s).
 */
const LEVEL = 15
/** The level's own tables, which take 35 MB for indexes of 1 MB. In proportion to the two they find as much. */
const HASH_BITS_MAX = 23
const CHAIN_BITS_MAX = 23

/**
 * The difference, or undefined where the two are too large for it, or it would save nothing.
 *
 * Shape:  one zstd frame; its content is `newer` with its tables decompressed, its dictionary is `older` likewise.
 * Errors: BUNDLE_INVALID, LIMIT_EXCEEDED if either is no index.
 * Source: RFC 8878; `docs/bundle-format.md`, "Index patches".
 */
export const makeIndexPatch = async (older: Uint8Array, newer: Uint8Array): Promise<Buffer | undefined> => {
  const [dictionary, content] = [unfoldIndex(older), unfoldIndex(newer)]
  const reachBytes = dictionary.length + content.length
  if (reachBytes > 2 ** WINDOW_BITS_MAX) return undefined
  const windowBits = Math.max(10, Math.ceil(Math.log2(reachBytes)))
  const patch = await compress(content, {
    dictionary,
    params: {
      [constants.ZSTD_c_compressionLevel]: LEVEL,
      [constants.ZSTD_c_windowLog]: windowBits,
      [constants.ZSTD_c_hashLog]: Math.min(windowBits - 2, HASH_BITS_MAX),
      [constants.ZSTD_c_chainLog]: Math.min(windowBits, CHAIN_BITS_MAX),
    },
  })
  return patch.length < newer.length ? patch : undefined
}

/**
 * The newer index, if the patch and zstd's version allow it: the caller compares its SHA-256 with the signed one.
 *
 * Errors: BUNDLE_INVALID, LIMIT_EXCEEDED.
 */
export const applyIndexPatch = async (older: Uint8Array, patch: Uint8Array): Promise<Buffer> => {
  const dictionary = unfoldIndex(older)
  return foldIndex(await unpack(patch, dictionary))
}

const unpack = async (patch: Uint8Array, dictionary: Buffer): Promise<Buffer> => {
  try {
    return await decompress(patch, {
      dictionary,
      maxOutputLength: LIMITS.indexLengthBytes + LIMITS.indexInflatedBytes,
      params: { [constants.ZSTD_d_windowLogMax]: WINDOW_BITS_MAX },
    })
  } catch (error) {
    throw new UpdateError('BUNDLE_INVALID', 'the patch of the index does not decompress', { cause: error })
  }
}
