// Makes as much of a new pack as this machine has bytes for, so that only the rest crosses the network: frames of older
// packs as they are, and frames packed anew from installed files. Local bytes are checked by SHA-256 before they are used.
import { hash } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fromFileSystem, hasCode } from '../errors.ts'
import type { ProgressListener } from '../progress.ts'
import { type BundleIndex, type FrameRow, frameOf, packLengthOf } from './bundle-index.ts'
import { copyDigests, digestTableOf } from './digest-table.ts'
import { inOrder } from './in-order.ts'
import { release } from './memory.ts'
import { joinRanges, lengthOfRanges, type Ranges } from './ranges.ts'
import type { Content, Slices } from './threads/content.ts'
import type { PackedFrame } from './threads/pack-content.ts'
import { joinPaths } from './threads/path-list.ts'
import { openWorkers, type Workers } from './threads/workers.ts'
import { takeTurns, throwIfAborted } from './turns.ts'

export interface LocalPack {
  readonly index: BundleIndex
  readonly packPath: string
}

export interface LocalTree {
  /** What was installed there. The files may have been changed or removed since. */
  readonly index: BundleIndex
  readonly path: string
}

export interface FillOptions {
  readonly index: BundleIndex
  /** The pack to be made. A file that is there is replaced. */
  readonly packPath: string
  readonly packs: readonly LocalPack[]
  readonly trees: readonly LocalTree[]
  readonly onProgress?: ProgressListener | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Filled {
  readonly reusedBytes: number
  /** Bytes of the pack that are as they should be; between them are holes. */
  readonly filled: Ranges
}

/**
 * Creates the pack in its full length and fills what can be filled. What is damaged or missing here is left out: it is only
 * a saving.
 *
 * Units:  progress in bytes of the pack that were looked for, phase `reuse`.
 * Errors: DISK_FULL, PERMISSION, IO of the new pack, ABORTED. Then it is gone.
 */
export const fillFromLocal = async (options: FillOptions): Promise<Filled> => {
  const { index, packPath } = options
  const pack = await createPack(packPath)
  try {
    await pack.truncate(packLengthOf(index))
    const fill: Fill = { ...options, pack, filled: new Set(), report: reportLooked(options) }
    await copyFrames(fill)
    await repackFrames(fill)
    await pack.sync()
    const filled = joinRanges([...fill.filled].map((number) => rangeOf(frameOf(index, number))))
    return { reusedBytes: lengthOfRanges(filled), filled }
  } catch (error) {
    await rm(packPath, { force: true })
    throw fromFileSystem(error, `cannot fill ${packPath}`)
  } finally {
    await pack.close()
  }
}

interface Fill extends FillOptions {
  readonly pack: FileHandle
  /** Numbers of the frames that are there. */
  readonly filled: Set<number>
  readonly report: (frame: FrameRow) => void
}

const createPack = async (path: string): Promise<FileHandle> => {
  try {
    await rm(path, { force: true })
    return await open(path, 'wx+', 0o600)
  } catch (error) {
    throw fromFileSystem(error, `cannot create ${path}`)
  }
}

/** The first way: a frame that an older pack has, byte for byte. */
const copyFrames = async ({ index, packs, pack, filled, report, signal }: Fill): Promise<void> => {
  const places = new Map<string, FrameRow>()
  for (let number = 0; number < index.frames.count; number += 1) {
    const frame = frameOf(index, number)
    places.set(hexOf(frame), frame)
  }
  for (const local of packs) {
    await using older = await openLocal(local.packPath)
    if (older === undefined) continue
    for (let number = 0; number < local.index.frames.count; number += 1) {
      throwIfAborted(signal)
      const source = frameOf(local.index, number)
      const place = places.get(hexOf(source))
      if (place === undefined || filled.has(place.number)) continue
      const packed = await readPart(older, source)
      if (packed === undefined) continue
      await writeFully(pack, packed, place.offset)
      release(packed)
      filled.add(place.number)
      report(place)
    }
  }
}

/** The second way: a frame whose chunks are all in installed files, if compressing them gives the same bytes. */
const repackFrames = async (fill: Fill): Promise<void> => {
  const { index, filled, trees, signal } = fill
  if (trees.length === 0 || filled.size === index.frames.count) return
  const found = await findChunks(index, trees, takeTurns(signal))
  const numbers = Array.from(index.frames.bases.keys()).filter((number) => !filled.has(number))
  await using workers = openWorkers({ signal })
  // Frames that others are based on come first, so that those can be made in turn.
  for (const isBased of [false, true]) {
    const frames = numbers.map((number) => frameOf(index, number)).filter(({ base }) => (base !== -1) === isBased)
    const run = async (frame: FrameRow) => ({ frame, made: await repack(fill, frame, found, workers) })
    for await (const { frame, made } of inOrder(frames, workers.count + 1, run)) {
      if (made !== undefined) {
        await writeFully(fill.pack, made, frame.offset)
        release(made)
        filled.add(frame.number)
      }
      fill.report(frame)
    }
  }
}

/** Where each chunk of the new release was found in an installed tree. */
interface Found {
  readonly paths: readonly string[]
  /** Row of `paths`, or -1. */
  readonly files: Int32Array
  readonly offsets: Float64Array
}

const findChunks = async (
  index: BundleIndex,
  trees: readonly LocalTree[],
  turn: () => Promise<void>,
): Promise<Found> => {
  const table = digestTableOf(index.chunks.digests)
  const paths: string[] = []
  const files = new Int32Array(index.chunks.count).fill(-1)
  const offsets = new Float64Array(index.chunks.count)
  for (const tree of trees) {
    const { chunks, references } = tree.index
    const wanted = Int32Array.from({ length: chunks.count }, (_, chunk) => table.find(chunks.digests, chunk))
    for (const file of tree.index.files) {
      if (file.kind !== 'file') continue
      await turn()
      let offset = 0
      const pathRow = paths.push(join(tree.path, file.path)) - 1
      for (const local of references.subarray(file.firstReference, file.firstReference + file.referenceCount)) {
        const chunk = wanted[local] ?? -1
        if (chunk !== -1 && files[chunk] === -1) {
          files[chunk] = pathRow
          offsets[chunk] = offset
        }
        offset += chunks.lengths[local] ?? 0
      }
    }
  }
  return { paths, files, offsets }
}

const repack = async (fill: Fill, frame: FrameRow, found: Found, workers: Workers): Promise<Uint8Array | undefined> => {
  const { index, packPath, filled } = fill
  const content = slicesOf(index, frame, found)
  if (content === undefined || (frame.base !== -1 && !filled.has(frame.base))) return undefined
  const base: Content | undefined =
    frame.base === -1 ? undefined : { kind: 'frame', packPath, frame: frameOf(index, frame.base) }
  const made = await packOrSkip(workers, content, base)
  // Another version of zstd may compress differently: then the frame is fetched like any other.
  return made !== undefined && Buffer.from(made.sha256).equals(frame.sha256) ? made.packed : undefined
}

const packOrSkip = async (
  workers: Workers,
  content: Slices,
  base: Content | undefined,
): Promise<PackedFrame | undefined> => {
  try {
    return await workers.run('packContent', { content, base })
  } catch (error) {
    if (hasCode(error, 'ABORTED')) throw error
    return undefined // An installed file is gone or was changed: this frame cannot be made here.
  }
}

/** The content of a frame, if every byte of it belongs to a chunk that was found. */
const slicesOf = (index: BundleIndex, frame: FrameRow, found: Found): Slices | undefined => {
  const { firstChunk, endChunk } = frame
  const lengths = index.chunks.lengths.slice(firstChunk, endChunk)
  const rows = found.files.subarray(firstChunk, endChunk)
  if (rows.includes(-1) || lengths.reduce((sum, length) => sum + length, 0) !== frame.lengthBytes) return undefined
  const unique = [...new Set(rows)]
  const rowOf = new Map(unique.map((pathRow, row) => [pathRow, row]))
  return {
    kind: 'slices',
    // The paths are whole ones, since chunks may come from several trees.
    root: '',
    paths: joinPaths(unique.map((pathRow) => found.paths[pathRow] ?? '')),
    files: Uint32Array.from(rows, (pathRow) => rowOf.get(pathRow) ?? 0),
    offsets: found.offsets.slice(firstChunk, endChunk),
    lengths,
    digests: copyDigests(index.chunks.digests, firstChunk, endChunk),
  }
}

/** An older pack may be gone or unreadable; then there is nothing to reuse in it. */
const openLocal = async (path: string): Promise<FileHandle | undefined> => await open(path).catch(() => undefined)

/** The packed bytes of a frame, if they are as its index says. */
const readPart = async (file: FileHandle, { offset, packedLength, sha256 }: FrameRow): Promise<Buffer | undefined> => {
  const packed = Buffer.allocUnsafeSlow(packedLength)
  try {
    for (let done = 0; done < packedLength; ) {
      const { bytesRead } = await file.read(packed, done, packedLength - done, offset + done)
      if (bytesRead === 0) return undefined
      done += bytesRead
    }
  } catch {
    return undefined // A disk that cannot read this part costs the frame, no more.
  }
  return hash('sha256', packed, 'buffer').equals(sha256) ? packed : undefined
}

const writeFully = async (file: FileHandle, bytes: Uint8Array, position: number): Promise<void> => {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten
  }
}

const rangeOf = ({ offset, packedLength }: FrameRow) => ({ start: offset, end: offset + packedLength })

const hexOf = ({ sha256 }: FrameRow): string => Buffer.from(sha256).toString('hex')

const reportLooked = ({ index, onProgress }: FillOptions) => {
  const totalBytes = packLengthOf(index)
  let doneBytes = 0
  return (frame: FrameRow): void => {
    doneBytes += frame.packedLength
    onProgress?.({ phase: 'reuse', doneBytes, totalBytes })
  }
}
