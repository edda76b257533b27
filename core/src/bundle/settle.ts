// Packs a family of chunks in the way that serves best: tries the ways in turn and takes the first that does not cost first
// installs too much. Compresses on worker threads; writes nothing.
import type { BundleIndex } from './bundle-index.ts'
import { frameOf } from './bundle-index.ts'
import type { ChunkedTree } from './chunked-tree.ts'
import { gatherDigests } from './digest-table.ts'
import { bytesOf, cutFrames, type Family, OWN_SUBJECT_BYTES, type PackPlan } from './plan.ts'
import type { Content, Slices } from './threads/content.ts'
import { joinPaths } from './threads/path-list.ts'
import type { Workers } from './threads/workers.ts'

/** A frame that the previous release does not have, without its bytes. */
export interface NewFrame {
  /** Chunks of the build, in order and without gaps. */
  readonly chunks: readonly number[]
  readonly packedLength: number
  readonly lengthBytes: number
  /** Of the packed bytes. */
  readonly sha256: Uint8Array
  /** Number of a frame of the previous release, or another new one. */
  readonly base: number | NewFrame | undefined
}

export interface MadeFrame {
  readonly frame: NewFrame
  readonly packed: Uint8Array
}

export interface Settled {
  /** Numbers of frames of the previous release that are carried over. */
  readonly carried: readonly number[]
  /** New frames; which of them have nothing but old chunks is told by the plan. */
  readonly made: readonly MadeFrame[]
  /** Chunks that are to be packed with others instead; then there are no frames. */
  readonly dissolved: readonly number[]
}

export interface SettleContext {
  readonly tree: ChunkedTree
  readonly plan: PackPlan
  readonly previous: { readonly index: BundleIndex; readonly packPath: string }
  readonly workers: Workers
}

/**
 * By a quarter, and so many bytes, a pack may be larger than if it were made without a previous release: content that no
 * file has any more is kept in it, because updates are a tenth as large with it as dictionary.
 */
const GROWTH_BYTES = 4096

/** Errors: BUILD_CHANGED, BUNDLE_INVALID if the previous pack is damaged, PERMISSION, IO, ABORTED. */
export const settleFamily = async (context: SettleContext, family: Family): Promise<Settled> => {
  for (const pack of [keep, refresh]) {
    const settled = await pack(context, family)
    if (settled !== undefined && isWithinBudget(context, family, settled)) return settled
  }
  const dissolved = [...family.carried, ...family.fresh].sort((a, b) => a - b)
  return { carried: [], made: [], dissolved }
}

/** What the family would take without a previous release is reckoned from how well the key frame was compressed. */
const isWithinBudget = ({ tree, previous }: SettleContext, family: Family, settled: Settled): boolean => {
  const key = frameOf(previous.index, family.key)
  const { carried, made } = settled
  const packedLength =
    made.reduce((sum, { packed }) => sum + packed.length, 0) +
    carried.reduce((sum, frame) => sum + (previous.index.frames.packedLengths[frame] ?? 0), 0)
  const lengthBytes = bytesOf(tree, family.carried) + bytesOf(tree, family.fresh)
  return (packedLength - GROWTH_BYTES) * 4 * key.lengthBytes <= 5 * lengthBytes * key.packedLength
}

/** Packs chunks into one frame, on its own or with a dictionary. */
export const makeFrame = async (
  { tree, workers }: Pick<SettleContext, 'tree' | 'workers'>,
  chunks: readonly number[],
  base?: Base,
): Promise<MadeFrame> => {
  const made = await workers.run('packContent', { content: slicesOf(tree, chunks), base: base?.content })
  const { packed, sha256, lengthBytes, isBased } = made
  const frame = { chunks, packedLength: packed.length, lengthBytes, sha256, base: isBased ? base?.of : undefined }
  return { frame, packed }
}

interface Base {
  readonly content: Content
  readonly of: number | NewFrame
}

/**
 * The first way: everything stays where it is, and what is new is compressed with the key frame as dictionary. A key frame
 * that is less than half of what lives in it and what is new has become too small for that.
 */
const keep: Way = async (context, family) => {
  const { index, packPath } = context.previous
  const { tree } = context
  const key = frameOf(index, family.key)
  if (key.lengthBytes * 2 < bytesOf(tree, family.own) + bytesOf(tree, family.fresh)) return undefined
  const base = { content: { kind: 'frame', packPath, frame: key } as const, of: family.key }
  const made = await Promise.all(
    cutFrames(tree, family.fresh).map((chunks) => makeFreshFrame(context, family, chunks, base)),
  )
  const isNeeded = family.carried.length > 0 || made.some(({ frame }) => frame.base === family.key)
  return { carried: isNeeded ? [family.key, ...family.deltas] : [], made, dissolved: [] }
}

/** The second way: what is old and still lives makes new key frames, and what is new is compressed with those. */
const refresh: Way = async (context, family) => {
  const { tree, plan } = context
  const isOld = (chunk: number): boolean => plan.oldChunks[chunk] !== -1
  const all = [...family.carried, ...family.fresh].sort((a, b) => a - b)
  const old = all.filter(isOld)
  if (bytesOf(tree, old) * 2 < bytesOf(tree, all)) return undefined

  const made: MadeFrame[] = []
  let rest = all
  for (const keyChunks of cutFrames(tree, old)) {
    const key = await makeFrame(context, keyChunks)
    made.push(key)
    const last = keyChunks.at(-1) === old.at(-1) ? Number.POSITIVE_INFINITY : (keyChunks.at(-1) ?? 0)
    const base = { content: slicesOf(tree, keyChunks), of: key.frame }
    const near = rest.filter((chunk) => chunk <= last && !isOld(chunk))
    rest = rest.filter((chunk) => chunk > last)
    for (const chunks of cutFrames(tree, near)) {
      made.push(await makeFreshFrame(context, family, chunks, base))
    }
  }
  return { carried: [], made, dissolved: [] }
}

type Way = (context: SettleContext, family: Family) => Promise<Settled | undefined>

/** With a dictionary, unless that does not even halve a frame of some size: then the frame can serve as one in its turn. */
const makeFreshFrame = async (
  context: SettleContext,
  family: Family,
  chunks: readonly number[],
  base: Base,
): Promise<MadeFrame> => {
  const made = await makeFrame(context, chunks, base)
  const key = frameOf(context.previous.index, family.key)
  const isHalved = made.packed.length * 2 * key.lengthBytes <= made.frame.lengthBytes * key.packedLength
  return isHalved || made.frame.lengthBytes < OWN_SUBJECT_BYTES ? made : await makeFrame(context, chunks)
}

/** Where in the build the chunks are read. They are ascending, so those of one file stand together. */
export const slicesOf = ({ tree, files, chunks }: ChunkedTree, numbers: readonly number[]): Slices => {
  const paths: string[] = []
  let fileBefore = -1
  const fileRows = Uint32Array.from(numbers, (chunk) => {
    const file = chunks.files[chunk] ?? 0
    if (file !== fileBefore) paths.push(files[file]?.path ?? '')
    fileBefore = file
    return paths.length - 1
  })
  return {
    kind: 'slices',
    root: tree.root,
    paths: joinPaths(paths),
    files: fileRows,
    offsets: Float64Array.from(numbers, (chunk) => chunks.offsets[chunk] ?? 0),
    lengths: Uint32Array.from(numbers, (chunk) => chunks.lengths[chunk] ?? 0),
    digests: gatherDigests(chunks.digests, numbers),
  }
}
