// Makes as much of a new pack as this machine has bytes for, so that only the rest crosses the network: frames of older
// packs as they are, and frames packed anew from installed files. Local bytes are checked by SHA-256 before they are used.
import { hash } from 'node:crypto'
import { type FileHandle, open, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fromFileSystem, hasCode } from '../errors.ts'
import type { ProgressListener } from '../progress.ts'
import { type BundleIndex, type FrameRow, frameOf, type Gap, packLengthOf } from './bundle-index.ts'
import { DIGEST_BYTES, digestAt, digestTableOf } from './digest-table.ts'
import { createFilledPack, type FilledPack } from './filled-pack.ts'
import { inOrder } from './in-order.ts'
import { release } from './memory.ts'
import { isFramesFolder, placeOf } from './pack-place.ts'
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

/** Stretches of the new pack's frames that belong to no file, in a file that is unchecked. */
export interface LocalGaps {
  readonly path: string
  readonly gaps: readonly LocalGap[]
}

export interface LocalGap extends Gap {
  /** Where it is in the file. */
  readonly offset: number
}

export interface FillOptions {
  readonly index: BundleIndex
  /** The pack to be made, a file or a folder of frames; see pack-place.ts. What is there is replaced. */
  readonly packPath: string
  readonly packs: readonly LocalPack[]
  readonly trees: readonly LocalTree[]
  readonly gaps?: LocalGaps | undefined
  /** Gives the packed bytes of every frame, in the order of the pack; what it gives was checked. Then nothing is packed anew. */
  readonly carried?: ((frame: FrameRow) => Promise<Uint8Array>) | undefined
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
  try {
    await using pack = await createFilledPack(index, packPath)
    const fill: Fill = { ...options, pack, filled: new Set(), report: reportLooked(options) }
    await copyFrames(fill)
    if (fill.carried === undefined) await repackFrames(fill)
    else await takeCarried(fill, fill.carried)
    await pack.finish()
    const filled = joinRanges([...fill.filled].map((number) => rangeOf(frameOf(index, number))))
    return { reusedBytes: lengthOfRanges(filled), filled }
  } catch (error) {
    await rm(packPath, { recursive: true, force: true })
    throw fromFileSystem(error, `cannot fill ${packPath}`)
  }
}

interface Fill extends FillOptions {
  readonly pack: FilledPack
  /** Numbers of the frames that are there. */
  readonly filled: Set<number>
  readonly report: (frame: FrameRow) => void
}

/** The first way: a frame that an older pack has, byte for byte. */
const copyFrames = async ({ index, packs, pack, filled, report, signal }: Fill): Promise<void> => {
  const places = new Map<string, FrameRow>()
  for (let number = 0; number < index.frames.count; number += 1) {
    const frame = frameOf(index, number)
    places.set(hexOf(frame), frame)
  }
  for (const local of packs) {
    const isFolder = isFramesFolder(local.packPath)
    await using older = isFolder ? undefined : await openLocal(local.packPath)
    if (older === undefined && !isFolder) continue
    for (let number = 0; number < local.index.frames.count; number += 1) {
      throwIfAborted(signal)
      const source = frameOf(local.index, number)
      const place = places.get(hexOf(source))
      if (place === undefined || filled.has(place.number)) continue
      const { path } = placeOf(local.packPath, source)
      const packed =
        older === undefined ? await readFrameFile(path, source) : await readPart(older, source, source.offset)
      if (packed === undefined) continue
      await pack.put(place, packed, isFolder ? path : undefined)
      release(packed)
      filled.add(place.number)
      report(place)
    }
  }
}

/** Instead of the second way: all of it was brought here. What an older pack has is read too, since all of it is judged. */
const takeCarried = async (
  { index, packPath, pack, filled, report, signal }: Fill,
  carried: NonNullable<FillOptions['carried']>,
): Promise<void> => {
  // In a folder a frame that the pack has twice is one file.
  const names = new Set(isFramesFolder(packPath) ? [...filled].map((number) => hexOf(frameOf(index, number))) : [])
  for (let number = 0; number < index.frames.count; number += 1) {
    throwIfAborted(signal)
    const frame = frameOf(index, number)
    const packed = await carried(frame)
    const name = hexOf(frame)
    if (!filled.has(number) && !names.has(name)) await pack.put(frame, packed)
    if (isFramesFolder(packPath)) names.add(name)
    release(packed)
    filled.add(number)
    report(frame)
  }
}

/** The second way: a frame whose chunks are all in installed files, if compressing them gives the same bytes. */
const repackFrames = async (fill: Fill): Promise<void> => {
  const { index, filled, trees, signal } = fill
  if (trees.length === 0 || filled.size === index.frames.count) return
  const gaps = Map.groupBy(fill.gaps?.gaps ?? [], ({ frame }) => frame)
  const found = { ...(await findChunks(index, trees, takeTurns(signal))), gapPath: fill.gaps?.path ?? '', gaps }
  const numbers = Array.from(index.frames.bases.keys()).filter((number) => !filled.has(number))
  await using workers = openWorkers({ signal })
  // Frames that others are based on come first, so that those can be made in turn.
  for (const isBased of [false, true]) {
    const frames = numbers.map((number) => frameOf(index, number)).filter(({ base }) => (base !== -1) === isBased)
    const run = async (frame: FrameRow) => ({ frame, made: await repack(fill, frame, found, workers) })
    // With a dictionary it takes 80 MB: two at a time brought an agent to 285 MiB (date-fns 4.1.0), one to 232.
    for await (const { frame, made } of inOrder(frames, isBased ? 1 : workers.count + 1, run)) {
      if (made !== undefined) {
        await fill.pack.put(frame, made)
        release(made)
        filled.add(frame.number)
      }
      fill.report(frame)
    }
  }
}

/** Where each chunk of the new release was found in an installed tree, and where the gaps of its frames are. */
interface Found {
  readonly paths: readonly string[]
  /** Row of `paths`, or -1. */
  readonly files: Int32Array
  readonly offsets: Float64Array
  readonly gapPath: string
  /** Those of each frame, in its order. */
  readonly gaps: ReadonlyMap<number, readonly LocalGap[]>
}

const findChunks = async (
  index: BundleIndex,
  trees: readonly LocalTree[],
  turn: () => Promise<void>,
): Promise<Pick<Found, 'paths' | 'files' | 'offsets'>> => {
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

/** The content of a frame, if all of its chunks were found and the gaps between them are known. */
const slicesOf = (index: BundleIndex, frame: FrameRow, found: Found): Slices | undefined => {
  const stretches = stretchesOf(index, frame, found)
  if (stretches === undefined) return undefined
  const paths = [...new Set(stretches.map(({ path }) => path))]
  const rowOf = new Map(paths.map((path, row) => [path, row]))
  const digests = new Uint8Array(stretches.length * DIGEST_BYTES)
  for (const [row, { chunk }] of stretches.entries()) {
    if (chunk !== undefined) digests.set(digestAt(index.chunks.digests, chunk), row * DIGEST_BYTES)
  }
  return {
    kind: 'slices',
    // The paths are whole ones, since chunks may come from several trees.
    root: '',
    paths: joinPaths(paths),
    files: Uint32Array.from(stretches, ({ path }) => rowOf.get(path) ?? 0),
    offsets: Float64Array.from(stretches, ({ offset }) => offset),
    lengths: Uint32Array.from(stretches, ({ lengthBytes }) => lengthBytes),
    digests,
    isUnchecked: Uint8Array.from(stretches, ({ chunk }) => (chunk === undefined ? 1 : 0)),
  }
}

/** A part of a frame's content, and the file that it is in. */
interface Stretch {
  readonly path: string
  readonly offset: number
  readonly lengthBytes: number
  /** Undefined for a gap. */
  readonly chunk: number | undefined
}

const stretchesOf = ({ chunks }: BundleIndex, frame: FrameRow, found: Found): readonly Stretch[] | undefined => {
  const stretches: Stretch[] = []
  const gaps = [...(found.gaps.get(frame.number) ?? [])]
  let at = 0
  const takeGap = (end: number): boolean => {
    const gap = end > at ? gaps.shift() : undefined
    if (gap !== undefined && gap.start === at) {
      stretches.push({ path: found.gapPath, offset: gap.offset, lengthBytes: gap.lengthBytes, chunk: undefined })
      at += gap.lengthBytes
    }
    return at === end
  }
  for (let chunk = frame.firstChunk; chunk < frame.endChunk; chunk += 1) {
    const file = found.files[chunk] ?? -1
    if (file === -1 || !takeGap(chunks.starts[chunk] ?? 0)) return undefined
    const lengthBytes = chunks.lengths[chunk] ?? 0
    stretches.push({ path: found.paths[file] ?? '', offset: found.offsets[chunk] ?? 0, lengthBytes, chunk })
    at += lengthBytes
  }
  return takeGap(frame.lengthBytes) ? stretches : undefined
}

/** An older pack may be gone or unreadable; then there is nothing to reuse in it. */
const openLocal = async (path: string): Promise<FileHandle | undefined> => await open(path).catch(() => undefined)

const readFrameFile = async (path: string, frame: FrameRow): Promise<Buffer | undefined> => {
  await using file = await openLocal(path)
  return file === undefined ? undefined : await readPart(file, frame, 0)
}

/** The packed bytes of a frame, if they are as its index says. */
const readPart = async (
  file: FileHandle,
  { packedLength, sha256 }: FrameRow,
  offset: number,
): Promise<Buffer | undefined> => {
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
