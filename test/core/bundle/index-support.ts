// Indexes that were never written by anybody: small ones made by hand, and lies told in them, below the level at which the
// encoder could mind.
import { createHash } from 'node:crypto'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import type { BundleEntry, BundleIndex, FrameColumns } from '@updraft/core/bundle/bundle-index'

/** A frame by what it promises: packed length, length of content, base, and the chunks in it as start and length. */
export interface FrameClaim {
  readonly packed: number
  readonly length: number
  readonly base?: number
  readonly chunks: readonly (readonly [start: number, length: number])[]
}

export type EntryClaim =
  | string
  | { readonly path: string; readonly chunks: readonly number[]; readonly executable?: boolean }
  | { readonly path: string; readonly target: string }
  | { readonly directory: string }

/** An index of these frames and entries, true or not. A mere string is an empty file of that name. */
export const claim = (frames: readonly FrameClaim[], entries: readonly EntryClaim[]): BundleIndex => {
  const chunks = frames.flatMap((frame) => frame.chunks)
  const references: number[] = []
  let digestRows = 0
  const files = entries.map((entry): BundleEntry => {
    if (typeof entry !== 'string' && 'directory' in entry) return { kind: 'directory', path: entry.directory }
    if (typeof entry !== 'string' && 'target' in entry) return { kind: 'link', ...entry }
    const { path, chunks: used, executable = false } = typeof entry === 'string' ? { path: entry, chunks: [] } : entry
    const firstReference = references.push(...used) - used.length
    const lengthBytes = used.reduce((sum, chunk) => sum + (chunks[chunk]?.[1] ?? 0), 0)
    const digestRow = used.length > 1 ? digestRows++ : -1
    return { kind: 'file', path, executable, lengthBytes, firstReference, referenceCount: used.length, digestRow }
  })
  return {
    frames: {
      count: frames.length,
      offsets: Float64Array.from(sums(frames.map(({ packed }) => packed))),
      packedLengths: Uint32Array.from(frames, ({ packed }) => packed),
      lengths: Uint32Array.from(frames, ({ length }) => length),
      bases: Int32Array.from(frames, ({ base = -1 }) => base),
      firstChunks: Uint32Array.from(sums(frames.map((frame) => frame.chunks.length))),
      digests: digestsOf('frame', frames.length),
    },
    chunks: {
      count: chunks.length,
      starts: Uint32Array.from(chunks, ([start]) => start),
      lengths: Uint32Array.from(chunks, ([, length]) => length),
      digests: digestsOf('chunk', chunks.length),
    },
    references: Uint32Array.from(references),
    files,
    fileDigests: digestsOf('file', digestRows),
  }
}

/** The same index with some columns of its frames replaced. */
export const withFrames = (index: BundleIndex, columns: Partial<FrameColumns>): BundleIndex => ({
  ...index,
  frames: { ...index.frames, ...columns },
})

/** An encoded index with its tables replaced by what `change` makes of them. The lengths in the header stay true. */
export const withTables = (bytes: Buffer, change: (tables: Buffer) => Buffer): Buffer => {
  const tablesAt = 16 + bytes.readUInt32LE(8) * 32
  const tables = change(Buffer.from(zstdDecompressSync(bytes.subarray(tablesAt))))
  const head = Buffer.from(bytes.subarray(0, tablesAt))
  head.writeUInt32LE(tables.length, 12)
  return Buffer.concat([head, zstdCompressSync(tables, { params: { [constants.ZSTD_c_compressionLevel]: 1 } })])
}

const sums = (lengths: readonly number[]): number[] => {
  const results = [0]
  for (const length of lengths) results.push((results.at(-1) ?? 0) + length)
  return results
}

export const digestsOf = (what: string, count: number): Buffer =>
  Buffer.concat(Array.from({ length: count }, (_, row) => createHash('sha256').update(`${what} ${row}`).digest()))
