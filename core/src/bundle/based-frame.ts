// How hard a frame with a base is compressed: fully where that finds more than the quickest level does. To load a dictionary of
// 8 MiB for the full level takes 100 ms, whatever is packed with it; for the quickest, 15. Pure: the same content and base
// always give the same bytes, because machines make frames again.

/** The lowest level at which zstd still finds short matches megabytes back, which is what makes an update small. */
const LEVEL = 9
/**
 * The level's own table has no room for all places of a large dictionary. With this one, a frame of esbuild 0.25.9 based on one of
 * 0.25.8 has 584 KB instead of 664, of date-fns 49 instead of 52, in a fifth more time; a table twice as large would save another
 * percent and take 16 MB more of each thread.
 */
const LARGE_HASH_BITS = 22

const LEVEL_QUICK = 1
/** The smallest table for which zstd reads all of the largest dictionary, and not only its end. */
const QUICK_HASH_BITS = 20
/** Of more content loading the dictionary is the smaller part. */
const QUICK_CONTENT_BYTES = 1024 * 1024

export interface Compression {
  readonly level: number
  readonly base?: Uint8Array
  readonly hashBits?: number
}

export type Compress = (content: Uint8Array, how: Compression) => Buffer

export interface Ways {
  readonly compress: Compress
  /** Without a base. */
  readonly packAlone: (content: Uint8Array) => Buffer
}

/**
 * Nothing is lost where content is dense by itself, since only long matches can be found in the base, nor where the base hardly
 * helps. In what resembles its base, level 9 makes half of what level 1 makes.
 */
export const packWithBase = (content: Uint8Array, base: Uint8Array, { compress, packAlone }: Ways): Buffer => {
  const isLarge = content.length + base.length > 2 ** LARGE_HASH_BITS
  if (isLarge && content.length < QUICK_CONTENT_BYTES) {
    const alone = packAlone(content).length
    const quick = compress(content, { level: LEVEL_QUICK, base, hashBits: QUICK_HASH_BITS })
    if (isNearly(alone, content.length) || isNearly(quick.length, alone)) return quick
  }
  return compress(content, { level: LEVEL, base, ...(isLarge ? { hashBits: LARGE_HASH_BITS } : {}) })
}

/** Not even a sixteenth less. */
const isNearly = (lengthBytes: number, ofBytes: number): boolean => lengthBytes * 16 >= ofBytes * 15
