// Single zstd frames (RFC 8878), made and read as docs/bundle-format.md wants them. Looks at the headers itself, because the
// library reads on past the end of a frame and takes any window.
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { sumsOf } from './chunking.ts'
import { MIB } from './model.ts'

/** The smallest whole number b with 2^b ≥ n. */
export const ceilLog2 = (n: number): number => {
  let bits = 0
  while (2 ** bits < n) bits += 1
  return bits
}

export interface Compression {
  readonly level: number
  readonly windowLogMax: number
  readonly hashLog?: number | undefined
  readonly dictionary?: Buffer | undefined
}

/** "Frames": a frame of a pack, based on `base`. */
export const compressFrame = (content: Buffer, base?: Buffer): Buffer => {
  const alone = (): Buffer => compress(content, { level: levelOf(content), windowLogMax: 24 })
  if (base === undefined) return alone()
  const withBase = (level: number, hashLog?: number): Buffer =>
    compress(content, { level, windowLogMax: 24, hashLog, dictionary: base })
  if (content.length + base.length <= 2 ** 22) return withBase(9)
  if (content.length < MIB) {
    const [p, quick] = [alone().length, withBase(1, 20)]
    if (16 * p >= 15 * content.length || 16 * quick.length >= 15 * p) return quick
  }
  return withBase(9, 22)
}

/** "Made by a publisher": 1 for flat content, else 7. */
const levelOf = (content: Buffer): number => {
  if (content.length < MIB) return 7
  const step = Math.floor(content.length / 16)
  const stretches = Buffer.concat(Array.from({ length: 16 }, (_, i) => content.subarray(i * step, i * step + 8192)))
  const lengthAt = (level: number): number => compress(stretches, { level, windowLogMax: 24 }).length
  const sums = sumsOf(content, 9)
  const isFlat =
    16 * lengthAt(1) <= 15 * stretches.length &&
    200 * lengthAt(7) > 199 * lengthAt(1) &&
    64 * new Set(sums).size >= 63 * sums.length
  return isFlat ? 1 : 7
}

export const compress = (content: Buffer, { level, windowLogMax, hashLog, dictionary }: Compression): Buffer => {
  const togetherBytes = content.length + (dictionary?.length ?? 0)
  const params: Record<number, number> = {
    [constants.ZSTD_c_compressionLevel]: level,
    [constants.ZSTD_c_windowLog]: Math.min(Math.max(ceilLog2(togetherBytes), 10), windowLogMax),
  }
  if (hashLog !== undefined) params[constants.ZSTD_c_hashLog] = hashLog
  return zstdCompressSync(content, {
    params,
    chunkSize: Math.max(compressBound(content.length), 64),
    ...(dictionary === undefined ? {} : { dictionary }),
  })
}

/** What `ZSTD_compressBound` says. */
const compressBound = (length: number): number =>
  length + Math.floor(length / 256) + (length < 131_072 ? Math.floor((131_072 - length) / 2048) : 0)

/** Of a packed frame with `length` bytes of content. */
export const packedLimit = (length: number): number => compressBound(length) + 64

export interface Decompression {
  /** Of the content, exactly. */
  readonly length: number
  readonly windowLogMax: number
  readonly dictionary?: Buffer | undefined
}

/** Gives exactly `length` bytes, or throws. */
export const decompress = (packed: Buffer, { length, windowLogMax, dictionary }: Decompression): Buffer => {
  const { contentBytes } = parseFrameHeader(packed)
  if (contentBytes !== length) throw new Error(`frame promises ${contentBytes} bytes, not ${length}`)
  const content = decompressUpTo(packed, { length, windowLogMax, dictionary })
  if (content.length !== length) throw new Error(`frame has ${content.length} bytes, not ${length}`)
  return content
}

/** Gives at most `length` bytes; the frame need not say how many they are. */
export const decompressUpTo = (packed: Buffer, { length, windowLogMax, dictionary }: Decompression): Buffer => {
  const { headerBytes, windowBytes } = parseFrameHeader(packed)
  if (windowBytes > 2 ** windowLogMax) throw new Error(`frame has a window of ${windowBytes} bytes`)
  if (endOfBlocks(packed, headerBytes) !== packed.length) throw new Error('frame does not end where it should')
  return zstdDecompressSync(packed, {
    params: { [constants.ZSTD_d_windowLogMax]: windowLogMax },
    maxOutputLength: Math.max(length, 1),
    ...(dictionary === undefined ? {} : { dictionary }),
  })
}

export interface FrameHeader {
  readonly headerBytes: number
  readonly windowBytes: number
  readonly contentBytes: number | undefined
}

/** RFC 8878, 3.1.1.1. */
export const parseFrameHeader = (packed: Buffer): FrameHeader => {
  if (packed.readUInt32LE(0) !== 0xfd2fb528) throw new Error('not a zstd frame')
  const descriptor = packed.readUInt8(4)
  const isSingleSegment = (descriptor & 0x20) !== 0
  if ((descriptor & 0x0f) !== 0) throw new Error('frame has a checksum, a dictionary number or a reserved bit')
  let at = 5
  let windowBytes = 0
  if (!isSingleSegment) {
    const window = packed.readUInt8(at)
    windowBytes = 2 ** (10 + (window >> 3)) * (1 + (window & 7) / 8)
    at += 1
  }
  const sizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] ?? 0
  const headerBytes = at + sizeBytes
  let contentBytes = sizeBytes === 2 ? 256 : 0
  for (let byte = 0; byte < sizeBytes; byte += 1) contentBytes += packed.readUInt8(at + byte) * 256 ** byte
  if (isSingleSegment) windowBytes = contentBytes
  return { headerBytes, windowBytes, contentBytes: sizeBytes === 0 ? undefined : contentBytes }
}

/** RFC 8878, 3.1.1.2: three bytes say whether a block is the last, its kind, and its size. */
const endOfBlocks = (packed: Buffer, start: number): number => {
  for (let at = start; ; ) {
    const block = packed.readUIntLE(at, 3)
    const isRunLength = ((block >> 1) & 3) === 1
    at += 3 + (isRunLength ? 1 : block >> 3)
    if ((block & 1) === 1) return at
  }
}
