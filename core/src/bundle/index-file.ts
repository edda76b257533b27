// The index as a file: written by the publisher, parsed by agents as hostile input. What parses here is consistent in
// itself and safe to install by; whether it is the right one is decided by the signature over its bytes.
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { UpdateError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { BundleIndex } from './bundle-index.ts'
import { makeColumnReader, makeColumnWriter } from './columns.ts'
import { DIGEST_BYTES } from './digest-table.ts'
import { readEntries, writeEntries } from './index-entries.ts'
import { readFrames, writeFrames } from './index-frames.ts'
import { atOnce, inTurns, type Steps } from './turns.ts'

export type { BundleIndex } from './bundle-index.ts'

/** `docs/bundle-format.md` describes it. A reader refuses every other number. */
export const FORMAT_VERSION = 1
const MAGIC = Buffer.from('updraft')
const HEADER_BYTES = 16
/** The digests are most of an index and do not compress, so more effort with the tables would save little. */
const LEVEL = 9
/** Bounds what a reader must hold besides the result. */
const WINDOW_BITS_MAX = 23

/**
 * The bytes of an index. It writes what it is given: only parseIndex checks.
 *
 * Shape: magic and version (8 bytes), number of digests, length of the tables (4 bytes each, little endian), digests of
 *        frames, chunks and files (raw, since they do not compress), tables (one zstd frame).
 */
export const encodeIndex = (index: BundleIndex): Buffer => {
  const writer = makeColumnWriter()
  writeFrames(writer, index)
  writeEntries(writer, index)
  const tables = writer.finish()
  const digests = Buffer.concat([index.frames.digests, index.chunks.digests, index.fileDigests])

  const header = Buffer.alloc(HEADER_BYTES)
  MAGIC.copy(header)
  header[MAGIC.length] = FORMAT_VERSION
  header.writeUInt32LE(digests.length / DIGEST_BYTES, 8)
  header.writeUInt32LE(tables.length, 12)
  return Buffer.concat([header, digests, deflate(tables)])
}

/**
 * Reads an index. Every count, length, offset and path is checked before it is used.
 *
 * Errors: BUNDLE_INVALID, LIMIT_EXCEEDED.
 */
export const parseIndex = (bytes: Uint8Array): BundleIndex => atOnce(parsing(bytes))

/** The same for a program that has other things to do: 100,000 files take a fifth of a second. Errors: ABORTED as well. */
export const parseIndexInTurns = (bytes: Uint8Array, signal?: AbortSignal): Promise<BundleIndex> =>
  inTurns(parsing(bytes), signal)

function* parsing(bytes: Uint8Array): Steps<BundleIndex> {
  if (bytes.length > LIMITS.indexLengthBytes) {
    throw new UpdateError(
      'LIMIT_EXCEEDED',
      `index has ${bytes.length} bytes; at most ${LIMITS.indexLengthBytes} are read`,
    )
  }
  const { digests, tables } = openIndex(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
  const reader = makeColumnReader(tables)
  yield
  const { frames, chunks, restOfDigests } = readFrames(reader, digests)
  yield
  const { files, references, fileDigests } = yield* readEntries(reader, chunks, restOfDigests)
  if (reader.remainingBytes > 0) {
    throw new UpdateError('BUNDLE_INVALID', `index has ${reader.remainingBytes} bytes after its last table`)
  }
  return { frames, chunks, references, files, fileDigests }
}

/**
 * An index with its tables decompressed, which is the form that can be compared with another.
 *
 * Errors: BUNDLE_INVALID, LIMIT_EXCEEDED.
 */
export const unfoldIndex = (bytes: Uint8Array): Buffer => {
  const index = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const { digests, tables } = openIndex(index)
  return Buffer.concat([index.subarray(0, HEADER_BYTES + digests.length), tables])
}

/**
 * Undoes unfoldIndex. Another version of zstd may compress the tables to other bytes, so compare the SHA-256.
 *
 * Errors: BUNDLE_INVALID if it is not an unfolded index.
 */
export const foldIndex = (unfolded: Buffer): Buffer => {
  const tablesAt = unfolded.length < HEADER_BYTES ? 0 : HEADER_BYTES + unfolded.readUInt32LE(8) * DIGEST_BYTES
  if (tablesAt === 0 || unfolded.length !== tablesAt + unfolded.readUInt32LE(12)) {
    throw new UpdateError('BUNDLE_INVALID', `an unfolded index of ${unfolded.length} bytes has another length inside`)
  }
  const tables = unfolded.subarray(tablesAt)
  // In one piece and at once, as encodeIndex does: node:zlib's other way makes other bytes.
  return Buffer.concat([unfolded.subarray(0, tablesAt), deflate(tables)])
}

const openIndex = (bytes: Buffer): { digests: Buffer; tables: Buffer } => {
  if (bytes.length < HEADER_BYTES || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new UpdateError('BUNDLE_INVALID', 'index does not begin like an index of a bundle')
  }
  const version = bytes[MAGIC.length]
  if (version !== FORMAT_VERSION) {
    throw new UpdateError('BUNDLE_INVALID', `index has format version ${version}, known is ${FORMAT_VERSION}`, {
      hint: 'update the agent: a newer publisher made this release',
    })
  }
  const tablesAt = HEADER_BYTES + bytes.readUInt32LE(8) * DIGEST_BYTES
  if (tablesAt > bytes.length) {
    throw new UpdateError('BUNDLE_INVALID', `index promises ${bytes.readUInt32LE(8)} digests and ends before them`)
  }
  return {
    digests: bytes.subarray(HEADER_BYTES, tablesAt),
    tables: inflate(bytes.subarray(tablesAt), bytes.readUInt32LE(12)),
  }
}

const deflate = (tables: Buffer): Buffer =>
  zstdCompressSync(tables, {
    params: {
      [constants.ZSTD_c_compressionLevel]: LEVEL,
      [constants.ZSTD_c_windowLog]: Math.min(WINDOW_BITS_MAX, Math.max(10, Math.ceil(Math.log2(tables.length)))),
    },
  })

const inflate = (packed: Buffer, lengthBytes: number): Buffer => {
  if (lengthBytes > LIMITS.indexInflatedBytes) {
    throw new UpdateError(
      'LIMIT_EXCEEDED',
      `tables of the index have ${lengthBytes} bytes; at most ${LIMITS.indexInflatedBytes} are read`,
    )
  }
  try {
    const tables = zstdDecompressSync(packed, {
      maxOutputLength: lengthBytes,
      params: { [constants.ZSTD_d_windowLogMax]: WINDOW_BITS_MAX },
    })
    if (tables.length === lengthBytes) return tables
  } catch (error) {
    throw new UpdateError('BUNDLE_INVALID', `tables of the index do not decompress to ${lengthBytes} bytes`, {
      cause: error,
    })
  }
  throw new UpdateError('BUNDLE_INVALID', `tables of the index decompress to less than ${lengthBytes} bytes`)
}
