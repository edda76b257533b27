// Decides where the chunks of a build go in its pack, given the release before it: into frames that are carried over as
// they are, or into new ones. Pure: it reads no file, compresses nothing, and the same input gives the same plan.
import { LIMITS } from '../limits.ts'
import { type BundleIndex, framesOfChunks } from './bundle-index.ts'
import type { ChunkedTree } from './chunked-tree.ts'
import { digestTableOf } from './digest-table.ts'
import { makeFinder } from './find-chunk.ts'

/**
 * A key frame of the previous release, and all that belongs with it: frames based on it, and chunks that resemble its
 * content because they stand where its chunks stood.
 */
export interface Family {
  /** Number of the frame in the previous release. It has no base. */
  readonly key: number
  /** Numbers of the frames based on it that are worth carrying along. */
  readonly deltas: readonly number[]
  /** Chunks of the build that are in these frames, ascending. */
  readonly carried: readonly number[]
  /** Those of them that are in the key frame itself. */
  readonly own: readonly number[]
  /** Chunks of the build that are in none and are to be packed, ascending. */
  readonly fresh: readonly number[]
}

export interface PackPlan {
  /** In the order of the previous pack. */
  readonly families: readonly Family[]
  /** Chunks that resemble nothing in the previous release, ascending. */
  readonly unrelated: readonly number[]
  /** For each chunk of the build its number in the previous release, or -1. */
  readonly oldChunks: Int32Array
}

/** New files of less than this are compressed with their neighbours' frame as dictionary; more is a subject of its own. */
export const OWN_SUBJECT_BYTES = 1024 * 1024
/** More than this at once is not held in memory while it is tried out how it packs best. */
const FRESH_BYTES_MAX = 4 * LIMITS.frameLengthBytes

export const planPack = async (
  tree: ChunkedTree,
  previous: BundleIndex | undefined,
  turn: () => Promise<void>,
): Promise<PackPlan> => {
  const { chunks } = tree
  if (previous === undefined) {
    return {
      families: [],
      unrelated: Array.from(chunks.lengths.keys()),
      oldChunks: new Int32Array(chunks.count).fill(-1),
    }
  }
  const oldChunks = await findOldChunks(tree, previous, turn)
  const frameOfChunk = framesOfChunks(previous)
  const isCarried = carriedFrames(tree, previous, oldChunks, frameOfChunk)
  const frameOf = (chunk: number): number => frameOfChunk[oldChunks[chunk] ?? -1] ?? -1

  const members = makeMembers(previous, isCarried)
  const keys = await relateChunks(tree, previous, { oldChunks, frameOfChunk, turn })
  const unrelated: number[] = []
  for (const [chunk, key] of keys.entries()) {
    const frame = frameOf(chunk)
    const family = members.get(key)
    if (frame !== -1 && isCarried[frame] === 1) {
      family?.carried.push(chunk)
      if (frame === key) family?.own.push(chunk)
    } else (family?.fresh ?? unrelated).push(chunk)
  }
  const families: Family[] = []
  for (const family of members.values()) {
    if (bytesOf(tree, family.fresh) > FRESH_BYTES_MAX) unrelated.push(...family.fresh.splice(0))
    if (family.carried.length + family.fresh.length > 0) families.push(family)
  }
  return { families, unrelated: unrelated.sort((a, b) => a - b), oldChunks }
}

export const bytesOf = ({ chunks }: ChunkedTree, numbers: readonly number[]): number =>
  numbers.reduce((sum, chunk) => sum + (chunks.lengths[chunk] ?? 0), 0)

/** Cuts a list of chunks into contents of frames, none longer than a frame may be. */
export const cutFrames = ({ chunks }: ChunkedTree, numbers: readonly number[]): number[][] => {
  const frames: number[][] = []
  let lengthBytes = Number.POSITIVE_INFINITY
  for (const chunk of numbers) {
    const length = chunks.lengths[chunk] ?? 0
    lengthBytes += length
    if (lengthBytes > LIMITS.frameLengthBytes) {
      frames.push([])
      lengthBytes = length
    }
    frames.at(-1)?.push(chunk)
  }
  return frames
}

const findOldChunks = async (
  { chunks }: ChunkedTree,
  previous: BundleIndex,
  turn: () => Promise<void>,
): Promise<Int32Array> => {
  const table = digestTableOf(previous.chunks.digests)
  const oldChunks = new Int32Array(chunks.count)
  for (let chunk = 0; chunk < chunks.count; chunk += 1) {
    if (chunk % 4096 === 0) await turn()
    oldChunks[chunk] = table.find(chunks.digests, chunk)
  }
  return oldChunks
}

/**
 * 1 for each frame of the previous release that may be carried over: key frames, and others while files still use two thirds
 * of them. Whole numbers only, here and wherever it is decided what bytes there will be: they round nowhere.
 */
const carriedFrames = (
  { chunks }: ChunkedTree,
  { frames }: BundleIndex,
  oldChunks: Int32Array,
  frameOfChunk: Uint32Array,
): Uint8Array => {
  const liveBytes = new Float64Array(frames.count)
  for (const [chunk, old] of oldChunks.entries()) {
    const frame = frameOfChunk[old]
    if (frame !== undefined) liveBytes[frame] = (liveBytes[frame] ?? 0) + (chunks.lengths[chunk] ?? 0)
  }
  return Uint8Array.from(frames.lengths, (length, frame) =>
    frames.bases[frame] === -1 || (liveBytes[frame] ?? 0) * 3 >= length * 2 ? 1 : 0,
  )
}

/** One empty family for each key frame. */
const makeMembers = ({ frames }: BundleIndex, isCarried: Uint8Array) => {
  const members = new Map<
    number,
    { key: number; deltas: number[]; carried: number[]; own: number[]; fresh: number[] }
  >()
  for (const [frame, base] of frames.bases.entries()) {
    if (base === -1) members.set(frame, { key: frame, deltas: [], carried: [], own: [], fresh: [] })
  }
  for (const [frame, base] of frames.bases.entries()) if (isCarried[frame] === 1) members.get(base)?.deltas.push(frame)
  return members
}

interface Old {
  readonly oldChunks: Int32Array
  readonly frameOfChunk: Uint32Array
  readonly turn: () => Promise<void>
}

/**
 * For each chunk the key frame whose content it should resemble most, or -1: its own if the chunk is an old one, else that
 * of what stood at the same place of the same file, else that of the chunk before it, unless there is much of the kind.
 */
const relateChunks = async (tree: ChunkedTree, previous: BundleIndex, old: Old): Promise<Int32Array> => {
  const { chunks, files } = tree
  const keyOfChunk = (chunk: number): number => {
    const frame = old.frameOfChunk[chunk] ?? -1
    const base = previous.frames.bases[frame] ?? -1
    return base === -1 ? frame : base
  }
  const findAt = makeFinder(previous)
  const keys = new Int32Array(chunks.count).fill(-1)
  let runStart = 0
  let runBytes = 0
  for (let chunk = 0; chunk < chunks.count; chunk += 1) {
    if (chunk % 1024 === 0) await old.turn()
    const path = files[chunks.files[chunk] ?? 0]?.path ?? ''
    const known = old.oldChunks[chunk] ?? -1
    const place = known === -1 ? findAt(path, chunks.offsets[chunk] ?? 0) : known
    if (place === -1) {
      runBytes += chunks.lengths[chunk] ?? 0
      continue
    }
    keys[chunk] = keyOfChunk(place)
    const neighbour = runStart === 0 ? (keys[chunk] ?? -1) : (keys[runStart - 1] ?? -1)
    if (runBytes < OWN_SUBJECT_BYTES) keys.fill(neighbour, runStart, chunk)
    runStart = chunk + 1
    runBytes = 0
  }
  if (runBytes < OWN_SUBJECT_BYTES && runStart > 0) keys.fill(keys[runStart - 1] ?? -1, runStart)
  return keys
}
