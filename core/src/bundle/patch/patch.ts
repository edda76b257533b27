// The difference between two releases as a file: a machine on the older one makes what is new from what it has. Made by a
// publisher, from two bundles; applied by agents. Only a saving, and never believed: what comes out is checked chunk by chunk
// like any other local bytes.
import { open, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fromFileSystem, UpdateError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { ProgressListener } from '../../progress.ts'
import type { BundleFile, BundleIndex } from '../bundle-index.ts'
import { packedLengthMaxOf } from '../frame.ts'
import { inOrder } from '../in-order.ts'
import type { LocalGaps, LocalPack, LocalTree } from '../reuse.ts'
import type { SegmentPlace, SourceFiles } from '../threads/apply-segment.ts'
import { joinPaths } from '../threads/path-list.ts'
import { openWorkers } from '../threads/workers.ts'
import { likePositions } from './likeness.ts'
import { loadedOf, stretchesOf } from './load.ts'
import { contentLengthMaxOf, LEVEL_BEST, LEVEL_QUICK, type PackedSegment } from './segment-frame.ts'
import { type Segment, type Sequence, segmentsOf, sourceOf, targetOf } from './sequence.ts'
import { windowOf } from './window.ts'

/** `docs/bundle-format.md` describes it. A reader refuses every other number. */
export const PATCH_VERSION = 1
const MAGIC = Buffer.from('updelta')
const HEADER_BYTES = 8
const SEGMENT_HEADER_BYTES = 20

export interface MakePatchOptions {
  readonly older: LocalPack
  readonly newer: LocalPack
  /** Worker threads at most; the bytes do not depend on it. Each takes up to 140 MB. */
  readonly workers?: number | undefined
  /** A patch that gets longer than this is given up. */
  readonly lengthMax?: number | undefined
  readonly onProgress?: ProgressListener | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * The patch from `older` to `newer`, or undefined where there is nothing to patch, or more than is worth the time. Each segment is
 * compared with a window of the source, so memory does not grow with the releases.
 *
 * Units:  progress in bytes that are new, phase `patch`.
 * Errors: BUNDLE_INVALID if a pack is damaged, PERMISSION, IO, ABORTED.
 */
export const makePatch = async (options: MakePatchOptions): Promise<Buffer | undefined> => {
  const { older, newer, lengthMax = Number.POSITIVE_INFINITY, onProgress, signal } = options
  const source = sourceOf(older.index)
  const target = targetOf(newer.index, older.index)
  if (target.lengthBytes === 0 || target.lengthBytes > LIMITS.patchTargetBytes) return undefined

  const like = likePositions(older.index, source, newer.index, target)
  const freshLevel = target.lengthBytes <= FRESH_BYTES_MAX ? LEVEL_BEST : LEVEL_QUICK
  await using workers = openWorkers({ count: options.workers, signal })
  let doneBytes = 0
  const report = (bytes: number): void => {
    doneBytes += bytes
    onProgress?.({ phase: 'patch', doneBytes, totalBytes: target.lengthBytes })
  }
  const run = (segment: Segment) => {
    const spans = windowOf(source, like, segment)
    const [window, stretches] = [loadedOf(older, source, spans), stretchesOf(source, spans)]
    return workers.run(
      'diffSegment',
      { window, stretches, segment: loadedOf(newer, target, [segment]), freshLevel },
      report,
    )
  }
  const parts: Uint8Array[] = [Buffer.from([...MAGIC, PATCH_VERSION])]
  let lengthBytes = HEADER_BYTES
  for await (const segment of inOrder(segmentsOf(target), workers.count + 1, run)) {
    parts.push(headerOf(segment), segment.packed)
    lengthBytes += SEGMENT_HEADER_BYTES + segment.packed.length
    if (lengthBytes > lengthMax) return undefined
  }
  return Buffer.concat(parts)
}

/** Of more than this that is new the best level would take longer than all the rest of publishing. */
const FRESH_BYTES_MAX = 32 * 1024 * 1024

const headerOf = (segment: PackedSegment): Buffer => {
  const header = Buffer.alloc(SEGMENT_HEADER_BYTES)
  header.writeUInt32LE(segment.packed.length, 0)
  header.writeUInt32LE(segment.contentLength, 4)
  header.writeUInt32LE(segment.dictionaryLength, 8)
  header.writeBigUInt64LE(BigInt(segment.dictionaryPosition), 12)
  return header
}

export interface ApplyPatchOptions {
  readonly patchPath: string
  readonly older: LocalTree
  readonly newer: BundleIndex
  /** The file to be written: the target. One that is there is replaced. */
  readonly into: string
  readonly onProgress?: ProgressListener | undefined
  readonly signal?: AbortSignal | undefined
}

/** What a patch made, for `fillFromLocal`. */
export interface MadeContent {
  readonly tree: LocalTree
  readonly gaps: LocalGaps
}

/**
 * Makes what is new from installed files. Nothing is checked here: where an installed file was changed, or the patch is not for
 * it, chunks come out wrong and are passed over by `fillFromLocal`.
 *
 * Units:  progress in bytes that are new, phase `patch`.
 * Errors: BUNDLE_INVALID if the patch contradicts itself or the indexes, DISK_FULL, PERMISSION, IO, ABORTED.
 */
export const applyPatch = async (options: ApplyPatchOptions): Promise<MadeContent> => {
  const { patchPath, older, newer, into, onProgress, signal } = options
  const source = sourceFilesOf(older)
  const target = targetOf(newer, older.index)
  const placed = await readPlaces(patchPath, segmentsOf(target), source.starts.at(-1) ?? 0)
  await createFile(into, target.lengthBytes)
  let doneBytes = 0
  const report = (bytes: number): void => {
    doneBytes += bytes
    onProgress?.({ phase: 'patch', doneBytes, totalBytes: target.lengthBytes })
  }
  await using workers = openWorkers({ signal })
  const run = ({ segment, start, lengthBytes }: Placed) =>
    workers.run('applySegment', { patchPath, segment, source, into, start, lengthBytes }, report)
  for await (const _done of inOrder(placed, workers.count + 1, run));
  return madeOf(newer, target, into)
}

/** One file that consists of the target's chunks, with its gaps behind them. */
const madeOf = (newer: BundleIndex, target: Sequence, path: string): MadeContent => {
  const { chunks, positions } = target
  const file: BundleFile = {
    kind: 'file',
    path: basename(path),
    executable: false,
    lengthBytes: positions[chunks.length] ?? 0,
    firstReference: 0,
    referenceCount: chunks.length,
    digestRow: -1,
  }
  const gaps = Array.from(target.frames.subarray(chunks.length), (frame, at) => {
    const row = chunks.length + at
    return { frame, start: target.starts[row] ?? 0, lengthBytes: target.lengths[row] ?? 0, offset: positions[row] ?? 0 }
  })
  return { tree: { index: { ...newer, references: chunks, files: [file] }, path: dirname(path) }, gaps: { path, gaps } }
}

/** Where the chunks of the source lie in the installed files. Neighbours in a file are one stretch. */
const sourceFilesOf = ({ index, path }: LocalTree): SourceFiles => {
  const isSeen = new Uint8Array(index.chunks.count)
  const paths: string[] = []
  const files: number[] = []
  const offsets: number[] = []
  const starts: number[] = []
  let position = 0
  for (const file of index.files) {
    if (file.kind !== 'file') continue
    const row = paths.push(join(path, file.path)) - 1
    let offset = 0
    let isContinued = false
    const end = file.firstReference + file.referenceCount
    for (const chunk of index.references.subarray(file.firstReference, end)) {
      const lengthBytes = index.chunks.lengths[chunk] ?? 0
      if (isSeen[chunk] === 1) isContinued = false
      else {
        if (!isContinued) {
          files.push(row)
          offsets.push(offset)
          starts.push(position)
        }
        isSeen[chunk] = 1
        isContinued = true
        position += lengthBytes
      }
      offset += lengthBytes
    }
  }
  return {
    paths: joinPaths(paths),
    files: Uint32Array.from(files),
    offsets: Float64Array.from(offsets),
    starts: Float64Array.from([...starts, position]),
  }
}

interface Placed extends Segment {
  readonly segment: SegmentPlace
}

/** Reads the headers of all segments, which must fill the file exactly. */
const readPlaces = async (
  patchPath: string,
  segments: readonly Segment[],
  sourceLength: number,
): Promise<readonly Placed[]> => {
  try {
    await using file = await open(patchPath)
    const { size } = await stat(patchPath)
    const read = async (offset: number, lengthBytes: number): Promise<Buffer> => {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(lengthBytes), 0, lengthBytes, offset)
      if (bytesRead < lengthBytes) throw invalid(`has ${size} bytes and ends in a header`)
      return buffer
    }
    const header = await read(0, HEADER_BYTES)
    if (!header.subarray(0, MAGIC.length).equals(MAGIC)) throw invalid('does not begin like one')
    if (header[MAGIC.length] !== PATCH_VERSION) {
      throw invalid(`has format version ${header[MAGIC.length]}, known is ${PATCH_VERSION}`)
    }
    const placed: Placed[] = []
    let offset = HEADER_BYTES
    for (const [number, segment] of segments.entries()) {
      const place = placeOf(await read(offset, SEGMENT_HEADER_BYTES), number, offset + SEGMENT_HEADER_BYTES)
      assertPlace(place, segment, sourceLength)
      placed.push({ ...segment, segment: place })
      offset = place.offset + place.packedLength
    }
    if (offset !== size) throw invalid(`has ${size} bytes, ${offset} by its headers`)
    return placed
  } catch (error) {
    throw fromFileSystem(error, `cannot read ${patchPath}`)
  }
}

const placeOf = (header: Buffer, number: number, offset: number): SegmentPlace => ({
  number,
  offset,
  packedLength: header.readUInt32LE(0),
  contentLength: header.readUInt32LE(4),
  dictionaryLength: header.readUInt32LE(8),
  dictionaryPosition: Number(header.readBigUInt64LE(12)),
})

const assertPlace = (place: SegmentPlace, segment: Segment, sourceLength: number): void => {
  const { number, packedLength, contentLength, dictionaryLength, dictionaryPosition } = place
  if (contentLength > contentLengthMaxOf(segment.lengthBytes) || packedLength > packedLengthMaxOf(contentLength)) {
    throw invalid(
      `has a segment ${number} with columns of ${contentLength} bytes, packed ${packedLength}, for ${segment.lengthBytes}`,
    )
  }
  if (dictionaryLength > LIMITS.frameLengthBytes || dictionaryPosition + dictionaryLength > sourceLength) {
    throw invalid(
      `has a segment ${number} with ${dictionaryLength} bytes of dictionary at ${dictionaryPosition} of ${sourceLength}`,
    )
  }
}

const createFile = async (path: string, lengthBytes: number): Promise<void> => {
  try {
    await rm(path, { force: true })
    await writeFile(path, '', { flag: 'wx', mode: 0o600 })
    await truncate(path, lengthBytes)
  } catch (error) {
    throw fromFileSystem(error, `cannot create ${path}`)
  }
}

const invalid = (what: string): UpdateError => new UpdateError('BUNDLE_INVALID', `the patch ${what}`)
