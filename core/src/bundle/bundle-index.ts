// What an index says, once it was parsed: which files a release has, which chunks make them up, and where those lie in the
// pack. Numbers stand in typed arrays, one row per frame, chunk or reference, because a release may have a million.
import { createHash } from 'node:crypto'
import type { ReleasePayload } from '../release.ts'
import { copyDigests, digestAt } from './digest-table.ts'

export interface BundleFile {
  readonly kind: 'file'
  /** `/` between parts. */
  readonly path: string
  readonly executable: boolean
  readonly lengthBytes: number
  /** Its chunks are `references[firstReference]` and the `referenceCount - 1` after it, in the order of the content. */
  readonly firstReference: number
  readonly referenceCount: number
  /** Row of `fileDigests` for a file of two chunks or more; otherwise -1. Use `sha256OfFile`. */
  readonly digestRow: number
}

export interface BundleDirectory {
  readonly kind: 'directory'
  readonly path: string
}

export interface BundleLink {
  readonly kind: 'link'
  readonly path: string
  /** Relative to the link's directory; never leaves the tree, whatever other links it passes. */
  readonly target: string
}

export type BundleEntry = BundleFile | BundleDirectory | BundleLink

/** Frames in the order of the pack, which is nothing but them, one right after the other. */
export interface FrameColumns {
  readonly count: number
  /** Where each begins in the pack, and, as one more row, the length of the pack. */
  readonly offsets: Float64Array
  readonly packedLengths: Uint32Array
  /** Bytes of content, decompressed. */
  readonly lengths: Uint32Array
  /** The frame whose content is the dictionary, or -1. That one has no base itself. */
  readonly bases: Int32Array
  /** Number of the first chunk of each, and, as one more row, the number of chunks. */
  readonly firstChunks: Uint32Array
  /** SHA-256 of each frame's packed bytes, 32 bytes a row: the frame's identity over all releases. */
  readonly digests: Uint8Array
}

/** Chunks in the order of the frames that hold them. What lies between them in a frame belongs to no file any more. */
export interface ChunkColumns {
  readonly count: number
  /** Where each begins in its frame's content. */
  readonly starts: Uint32Array
  readonly lengths: Uint32Array
  /** SHA-256 of each chunk, 32 bytes a row. */
  readonly digests: Uint8Array
}

export interface BundleIndex {
  readonly frames: FrameColumns
  readonly chunks: ChunkColumns
  /** Chunk numbers of all files, one file after the other. */
  readonly references: Uint32Array
  /** A directory stands before what it contains. */
  readonly files: readonly BundleEntry[]
  readonly fileDigests: Uint8Array
}

const EMPTY_SHA256 = createHash('sha256').digest()

/** SHA-256 of the whole file. */
export const sha256OfFile = (index: BundleIndex, file: BundleFile): Uint8Array => {
  if (file.referenceCount === 0) return EMPTY_SHA256
  if (file.referenceCount > 1) return digestAt(index.fileDigests, file.digestRow)
  return digestAt(index.chunks.digests, index.references[file.firstReference] ?? 0)
}

export const packLengthOf = ({ frames }: BundleIndex): number => frames.offsets[frames.count] ?? 0

/** The sizes that a release states of its bundle. */
export const sizesOf = (index: BundleIndex, indexBytes: number): ReleasePayload['sizes'] => {
  const files = index.files.filter((entry) => entry.kind === 'file')
  return {
    files: files.length,
    installedBytes: files.reduce((sum, file) => sum + file.lengthBytes, 0),
    indexBytes,
    packBytes: packLengthOf(index),
  }
}

/** One frame and where it lies: all that a reader needs to know of it. */
export interface FrameRow {
  readonly number: number
  readonly offset: number
  readonly packedLength: number
  readonly lengthBytes: number
  /** Number of the frame whose content is the dictionary, or -1. */
  readonly base: number
  readonly firstChunk: number
  readonly endChunk: number
  readonly sha256: Uint8Array
}

export const frameOf = ({ frames }: BundleIndex, number: number): FrameRow => ({
  number,
  offset: frames.offsets[number] ?? 0,
  packedLength: frames.packedLengths[number] ?? 0,
  lengthBytes: frames.lengths[number] ?? 0,
  base: frames.bases[number] ?? -1,
  firstChunk: frames.firstChunks[number] ?? 0,
  endChunk: frames.firstChunks[number + 1] ?? 0,
  sha256: copyDigests(frames.digests, number, number + 1),
})

/** For each chunk the number of its frame. */
export const framesOfChunks = ({ frames, chunks }: BundleIndex): Uint32Array => {
  const column = new Uint32Array(chunks.count)
  for (let frame = 0; frame < frames.count; frame += 1) {
    column.fill(frame, frames.firstChunks[frame], frames.firstChunks[frame + 1])
  }
  return column
}

/** A stretch of a frame's content that was chunks once and belongs to no file any more. */
export interface Gap {
  readonly frame: number
  readonly start: number
  readonly lengthBytes: number
}

/** In the order of the frames. */
export const gapsOf = (index: BundleIndex, isWanted: (frame: number) => boolean = () => true): readonly Gap[] => {
  const { frames, chunks } = index
  const gaps: Gap[] = []
  for (const [frame, length] of frames.lengths.entries()) {
    if (!isWanted(frame)) continue
    let at = 0
    const end = frames.firstChunks[frame + 1] ?? 0
    for (let chunk = frames.firstChunks[frame] ?? 0; chunk < end; chunk += 1) {
      const start = chunks.starts[chunk] ?? 0
      if (start > at) gaps.push({ frame, start: at, lengthBytes: start - at })
      at = start + (chunks.lengths[chunk] ?? 0)
    }
    if (length > at) gaps.push({ frame, start: at, lengthBytes: length - at })
  }
  return gaps
}
