// Packs a family of chunks in the way that serves best: tries the ways in turn and takes the first that does not cost first
// installs too much. Compresses on worker threads; writes nothing.
import { join } from 'node:path'
import type { BundleIndex } from './bundle-index.ts'
import { frameOf } from './bundle-index.ts'
import type { ChunkedTree } from './chunked-tree.ts'
import { DIGEST_BYTES, digestAt } from './digest-table.ts'
import { bytesOf, cutFrames, type Family, OWN_SUBJECT_BYTES, type PackPlan } from './plan.ts'
import type { Content, Slices } from './work/content.ts'
import type { Workers } from './work/workers.ts'

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
  /** Frames with content that the previous release did not have. */
  readonly fresh: readonly MadeFrame[]
  /** Frames with nothing but content of the previous release, packed anew: who has that can make them himself. */
  readonly reframed: readonly MadeFrame[]
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
 * By so much a pack may be larger than if it were made without a previous release: content that no file has any more is
 * kept in it, because updates are a tenth as large with it as dictionary.
 */
const PACK_GROWTH = 1.25
/** Below this, growth does not matter. */
const GROWTH_BYTES = 4096

/** Errors: BUILD_CHANGED, BUNDLE_INVALID if the previous pack is damaged, PERMISSION, IO, ABORTED. */
export const settleFamily = async (context: SettleContext, family: Family): Promise<Settled> => {
  const { tree, previous } = context
  const key = frameOf(previous.index, family.key)
  const packedShare = key.packedLength / key.lengthBytes
  const lengthBytes = bytesOf(tree, family.carried) + bytesOf(tree, family.fresh)
  const budget = lengthBytes * packedShare * PACK_GROWTH + GROWTH_BYTES
  for (const pack of [keep, refresh]) {
    const settled = await pack(context, family, packedShare)
    if (settled !== undefined && packedLengthOf(context, settled) <= budget) return settled
  }
  const dissolved = [...family.carried, ...family.fresh].sort((a, b) => a - b)
  return { carried: [], fresh: [], reframed: [], dissolved }
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
 * that is less than half of its family has become too small for that.
 */
const keep: Way = async (context, family, packedShare) => {
  const { index, packPath } = context.previous
  const { tree } = context
  const key = frameOf(index, family.key)
  if (key.lengthBytes * 2 < bytesOf(tree, family.carried) + bytesOf(tree, family.fresh)) return undefined
  const base = { content: { kind: 'frame', packPath, frame: key } as const, of: family.key }
  const fresh = await Promise.all(
    cutFrames(tree, family.fresh).map((chunks) => makeFreshFrame(context, chunks, base, packedShare)),
  )
  const isNeeded = family.carried.length > 0 || fresh.some(({ frame }) => frame.base === family.key)
  return { carried: isNeeded ? [family.key, ...family.deltas] : [], fresh, reframed: [], dissolved: [] }
}

/** The second way: what is old and still lives makes new key frames, and what is new is compressed with those. */
const refresh: Way = async (context, family, packedShare) => {
  const { tree, plan } = context
  const isOld = (chunk: number): boolean => plan.oldChunks[chunk] !== -1
  const all = [...family.carried, ...family.fresh].sort((a, b) => a - b)
  const old = all.filter(isOld)
  if (bytesOf(tree, old) * 2 < bytesOf(tree, all)) return undefined

  const reframed: MadeFrame[] = []
  const fresh: MadeFrame[] = []
  let rest = all
  for (const keyChunks of cutFrames(tree, old)) {
    const key = await makeFrame(context, keyChunks)
    reframed.push(key)
    const last = keyChunks.at(-1) === old.at(-1) ? Number.POSITIVE_INFINITY : (keyChunks.at(-1) ?? 0)
    const base = { content: slicesOf(tree, keyChunks), of: key.frame }
    const near = rest.filter((chunk) => chunk <= last && !isOld(chunk))
    rest = rest.filter((chunk) => chunk > last)
    for (const chunks of cutFrames(tree, near)) {
      fresh.push(await makeFreshFrame(context, chunks, base, packedShare))
    }
  }
  return { carried: [], fresh, reframed, dissolved: [] }
}

type Way = (context: SettleContext, family: Family, packedShare: number) => Promise<Settled | undefined>

/** With a dictionary, unless that does not even halve a frame of some size: then the frame can serve as one in its turn. */
const makeFreshFrame = async (
  context: SettleContext,
  chunks: readonly number[],
  base: Base,
  packedShare: number,
): Promise<MadeFrame> => {
  const made = await makeFrame(context, chunks, base)
  const isHalved = made.packed.length * 2 <= made.frame.lengthBytes * packedShare
  return isHalved || made.frame.lengthBytes < OWN_SUBJECT_BYTES ? made : await makeFrame(context, chunks)
}

const packedLengthOf = ({ previous }: SettleContext, { carried, fresh, reframed }: Settled): number =>
  [...fresh, ...reframed].reduce((sum, { packed }) => sum + packed.length, 0) +
  carried.reduce((sum, frame) => sum + (previous.index.frames.packedLengths[frame] ?? 0), 0)

/** Where in the build the chunks are read. */
const slicesOf = ({ tree, files, chunks }: ChunkedTree, numbers: readonly number[]): Slices => {
  const rows = new Map<number, number>()
  const paths: string[] = []
  const digests = new Uint8Array(numbers.length * DIGEST_BYTES)
  const fileRows = Uint32Array.from(numbers, (chunk, row) => {
    digests.set(digestAt(chunks.digests, chunk), row * DIGEST_BYTES)
    const file = chunks.files[chunk] ?? 0
    const known = rows.get(file)
    if (known !== undefined) return known
    rows.set(file, paths.length)
    return paths.push(join(tree.root, files[file]?.path ?? '')) - 1
  })
  return {
    kind: 'slices',
    paths,
    files: fileRows,
    offsets: Float64Array.from(numbers, (chunk) => chunks.offsets[chunk] ?? 0),
    lengths: Uint32Array.from(numbers, (chunk) => chunks.lengths[chunk] ?? 0),
    digests,
  }
}
