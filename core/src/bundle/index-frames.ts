// The first part of an index's tables: the frames of the pack and the chunks in them.
import { UpdateError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { BundleIndex, ChunkColumns, FrameColumns } from './bundle-index.ts'
import type { ColumnReader, ColumnWriter } from './columns.ts'
import { DIGEST_BYTES } from './digest-table.ts'
import { isFrameLength, packedLengthMaxOf } from './frame.ts'

/**
 * Shape: number of frames, number of chunks; then the columns packed length, length, base (0 none, otherwise its number
 *        plus 1), chunks, of all frames; then the columns skipped bytes and length, of all chunks.
 */
export const writeFrames = (writer: ColumnWriter, { frames, chunks }: BundleIndex): void => {
  writer.number(frames.count)
  writer.number(chunks.count)
  for (const length of frames.packedLengths) writer.number(length)
  for (const length of frames.lengths) writer.number(length)
  for (const base of frames.bases) writer.number(base + 1)
  for (let frame = 0; frame < frames.count; frame += 1) {
    writer.number((frames.firstChunks[frame + 1] ?? 0) - (frames.firstChunks[frame] ?? 0))
  }
  for (let frame = 0; frame < frames.count; frame += 1) {
    let end = 0
    for (let chunk = frames.firstChunks[frame] ?? 0; chunk < (frames.firstChunks[frame + 1] ?? 0); chunk += 1) {
      writer.number((chunks.starts[chunk] ?? 0) - end)
      end = (chunks.starts[chunk] ?? 0) + (chunks.lengths[chunk] ?? 0)
    }
  }
  for (const length of chunks.lengths) writer.number(length)
}

export interface ReadFrames {
  readonly frames: FrameColumns
  readonly chunks: ChunkColumns
  /** Digests that belong to neither: those of files. */
  readonly restOfDigests: Uint8Array
}

/** Errors: BUNDLE_INVALID, LIMIT_EXCEEDED. */
export const readFrames = (reader: ColumnReader, digests: Uint8Array): ReadFrames => {
  const frameCount = reader.number()
  const chunkCount = reader.number()
  assertCount('frames', frameCount, LIMITS.chunksMax)
  assertCount('chunks', chunkCount, LIMITS.chunksMax)
  const chunksAt = frameCount * DIGEST_BYTES
  const filesAt = chunksAt + chunkCount * DIGEST_BYTES
  if (filesAt > digests.length) {
    throw new UpdateError(
      'BUNDLE_INVALID',
      `index has ${frameCount} frames and ${chunkCount} chunks, but fewer digests`,
    )
  }

  const packedLengths = reader.numbers(frameCount)
  const lengths = reader.numbers(frameCount)
  const bases = reader.numbers(frameCount)
  const chunkCounts = reader.numbers(frameCount)
  assertFrames(packedLengths, lengths, bases, chunkCounts)
  const offsets = sumsOf(packedLengths)
  const packLength = offsets[frameCount] ?? 0
  if (packLength > LIMITS.installedLengthBytes) {
    throw new UpdateError(
      'LIMIT_EXCEEDED',
      `pack has ${packLength} bytes; at most ${LIMITS.installedLengthBytes} are read`,
    )
  }
  const firstChunks = sumsOf(chunkCounts)
  if (firstChunks[frameCount] !== chunkCount) {
    throw new UpdateError(
      'BUNDLE_INVALID',
      `frames hold ${firstChunks[frameCount]} chunks, but index has ${chunkCount}`,
    )
  }
  const frames: FrameColumns = {
    count: frameCount,
    offsets,
    packedLengths: Uint32Array.from(packedLengths),
    lengths: Uint32Array.from(lengths),
    bases: Int32Array.from(bases, (base) => base - 1),
    firstChunks: Uint32Array.from(firstChunks),
    digests: digests.subarray(0, chunksAt),
  }
  const chunks = readChunks(reader, frames, digests.subarray(chunksAt, filesAt))
  return { frames, chunks, restOfDigests: digests.subarray(filesAt) }
}

const assertFrames = (
  packedLengths: Float64Array,
  lengths: Float64Array,
  bases: Float64Array,
  chunkCounts: Float64Array,
): void => {
  const isBase = new Uint8Array(lengths.length)
  for (let frame = 0; frame < lengths.length; frame += 1) {
    const length = lengths[frame] ?? 0
    const packed = packedLengths[frame] ?? 0
    const base = (bases[frame] ?? 0) - 1
    if (!isFrameLength(length)) {
      throw new UpdateError(
        'LIMIT_EXCEEDED',
        `frame ${frame} has ${length} bytes of content; 1 to ${LIMITS.frameLengthBytes} are allowed`,
      )
    }
    if (packed === 0 || packed > packedLengthMaxOf(length)) {
      throw new UpdateError(
        'BUNDLE_INVALID',
        `frame ${frame} cannot have ${packed} bytes packed and ${length} unpacked`,
      )
    }
    if (base >= lengths.length) {
      throw new UpdateError('BUNDLE_INVALID', `frame ${frame} is based on frame ${base}, which does not exist`)
    }
    // A base without a base of its own: so there are no cycles, and one dictionary at a time is all that memory must hold.
    if (base >= 0 && bases[base] !== 0) {
      throw new UpdateError('BUNDLE_INVALID', `frame ${frame} is based on frame ${base}, which has a base itself`)
    }
    if (base >= 0) isBase[base] = 1
  }
  const useless = chunkCounts.findIndex((count, frame) => count === 0 && isBase[frame] === 0)
  if (useless !== -1) throw new UpdateError('BUNDLE_INVALID', `frame ${useless} has no chunk and is the base of none`)
}

const readChunks = (reader: ColumnReader, frames: FrameColumns, digests: Uint8Array): ChunkColumns => {
  const count = digests.length / DIGEST_BYTES
  const skips = reader.numbers(count)
  const lengths = reader.numbers(count)
  const starts = new Uint32Array(count)
  for (let frame = 0; frame < frames.count; frame += 1) {
    let end = 0
    for (let chunk = frames.firstChunks[frame] ?? 0; chunk < (frames.firstChunks[frame + 1] ?? 0); chunk += 1) {
      const length = lengths[chunk] ?? 0
      if (length === 0 || length > LIMITS.chunkLengthBytes) {
        throw new UpdateError(
          'LIMIT_EXCEEDED',
          `chunk ${chunk} has ${length} bytes; 1 to ${LIMITS.chunkLengthBytes} are allowed`,
        )
      }
      const start = end + (skips[chunk] ?? 0)
      end = start + length
      if (end > (frames.lengths[frame] ?? 0)) {
        throw new UpdateError('BUNDLE_INVALID', `chunk ${chunk} reaches beyond the end of frame ${frame}`)
      }
      starts[chunk] = start
    }
  }
  return { count, starts, lengths: Uint32Array.from(lengths), digests }
}

const assertCount = (what: string, count: number, max: number): void => {
  if (count > max) throw new UpdateError('LIMIT_EXCEEDED', `index has ${count} ${what}; at most ${max} are read`)
}

/** Running sums from 0, one row more than the column. */
const sumsOf = (column: Float64Array): Float64Array => {
  const sums = new Float64Array(column.length + 1)
  for (let row = 0; row < column.length; row += 1) sums[row + 1] = (sums[row] ?? 0) + (column[row] ?? 0)
  return sums
}
