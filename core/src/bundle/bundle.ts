// Writes a bundle: a build becomes an index and a pack. The same build after the same previous release always gives the
// same bytes, on every machine and with any number of threads. `docs/bundle-format.md` describes them.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fromFileSystem, UpdateError } from '../errors.ts'
import { writeFileAtomic } from '../files/atomic.ts'
import { LIMITS } from '../limits.ts'
import type { ProgressListener } from '../progress.ts'
import type { ReleasePayload } from '../release.ts'
import { assembleIndex, type CarriedFrame } from './assemble.ts'
import { type BundleIndex, frameOf, framesOfChunks, sizesOf } from './bundle-index.ts'
import { type ChunkedTree, chunkTree } from './chunked-tree.ts'
import { sampleFrames } from './frame-samples.ts'
import { inOrder } from './in-order.ts'
import { encodeIndex } from './index-file.ts'
import { release } from './memory.ts'
import { createPackFile, type PackFile } from './pack-file.ts'
import { bytesOf, cutFrames, type PackPlan, planPack } from './plan.ts'
import { type MadeFrame, makeFrame, type NewFrame, type SettleContext, settleFamily, slicesOf } from './settle.ts'
import { chooseBases } from './similar.ts'
import { openWorkers, type Workers } from './threads/workers.ts'
import { scanTree, type Tree } from './tree.ts'
import { takeTurns, throwIfAborted } from './turns.ts'

/** The release that machines are expected to have: its chunks are carried over, so that they need not be fetched again. */
export interface PreviousBundle {
  readonly index: BundleIndex
  readonly packPath: string
}

export interface WriteBundleOptions {
  /** A directory or a single file. */
  readonly build: string
  /** The folder in which `index` and `pack` come to be. It is created if need be. */
  readonly into: string
  readonly previous?: PreviousBundle | undefined
  /** Worker threads at most; the bytes do not depend on it. */
  readonly workers?: number | undefined
  readonly onProgress?: ProgressListener | undefined
  readonly signal?: AbortSignal | undefined
}

export interface WrittenBundle {
  readonly index: BundleIndex
  readonly indexPath: string
  readonly packPath: string
  readonly sizes: ReleasePayload['sizes']
  /** Bytes of the pack that are the previous pack's. */
  readonly reusedBytes: number
}

/**
 * Packs `build`. The index is written last: where one is, the pack beside it is complete.
 *
 * Shape:  `<into>/index`, `<into>/pack`.
 * Units:  progress in bytes of the build, phases `read` and `pack`.
 * Errors: BUILD_MISSING, BUILD_EMPTY, BUILD_UNSUPPORTED, BUILD_CHANGED, BUNDLE_INVALID if the previous pack is damaged,
 *         LIMIT_EXCEEDED, DISK_FULL, PERMISSION, IO, ABORTED. Then neither file is there.
 */
export const writeBundle = async (options: WriteBundleOptions): Promise<WrittenBundle> => {
  const { into, signal } = options
  const indexPath = join(into, 'index')
  const packPath = join(into, 'pack')
  const scanned = await scanTree(options.build, { signal })
  await makeFolder(into)
  await using packFile = await createPackFile(packPath)
  const { tree, created, carried } = await packTree(scanned, options, packFile)

  const index = assembleIndex(tree, created, carried)
  const indexBytes = encodeIndex(index)
  assertIndexLength(indexBytes)
  throwIfAborted(signal)
  await packFile.finish()
  await writeFileAtomic(indexPath, indexBytes)
  const reusedBytes = carried.reduce((sum, frame) => sum + frame.packedLength, 0)
  return { index, indexPath, packPath, sizes: sizesOf(index, indexBytes.length), reusedBytes }
}

/** The work of the threads. They are gone afterwards, and what they held is free for the index. */
const packTree = async (scanned: Tree, options: WriteBundleOptions, packFile: PackFile) => {
  const { previous, onProgress, signal } = options
  await using workers = openWorkers({ count: options.workers, signal })
  const tree = await chunkTree(scanned, workers, {
    isSampled: previous === undefined,
    previous: previous?.index,
    signal,
    onProgress,
  })
  assertWithinLimits(tree)
  const plan = await planPack(tree, previous?.index, takeTurns(signal))
  const work: Work = { tree, plan, previous, workers, packFile, report: reportPacked(tree, onProgress) }
  const { created, kept } = await packNew(work)
  return { tree, created, carried: await carryOver(work, kept) }
}

interface Work {
  readonly tree: ChunkedTree
  readonly plan: PackPlan
  readonly previous: PreviousBundle | undefined
  readonly workers: Workers
  readonly packFile: PackFile
  readonly report: (chunks: readonly number[]) => void
}

/** Writes all new frames, and says which frames of the previous release are kept. */
const packNew = async (work: Work): Promise<{ created: readonly NewFrame[]; kept: ReadonlySet<number> }> => {
  const { tree, plan, previous, workers, packFile, report } = work
  const fresh: NewFrame[] = []
  const reframed: NewFrame[] = []
  const kept = new Set<number>()
  const dissolved: number[] = []
  const add = async (made: MadeFrame): Promise<void> => {
    // A machine with the previous release can make what has old chunks only, so that need not stand in front.
    const isFresh = made.frame.chunks.some((chunk) => plan.oldChunks[chunk] === -1)
    await (isFresh ? packFile.addFresh(made.packed) : packFile.addReframed(made.packed))
    release(made.packed)
    ;(isFresh ? fresh : reframed).push(made.frame)
    report(made.frame.chunks)
  }

  if (previous !== undefined) {
    const context: SettleContext = { tree, plan, previous, workers }
    for await (const settled of inOrder(plan.families, familiesAhead(workers), (family) =>
      settleFamily(context, family),
    )) {
      for (const made of settled.made) await add(made)
      for (const frame of settled.carried) kept.add(frame)
      dissolved.push(...settled.dissolved)
    }
  }
  const others = [...plan.unrelated, ...dissolved].sort((a, b) => a - b)
  for await (const made of makeUnrelated(work, cutFrames(tree, others))) await add(made)
  return { created: [...fresh, ...reframed], kept }
}

/** Frames that the previous release has nothing for: each is based on an earlier one of them that it resembles, or on none. */
async function* makeUnrelated(
  work: Work,
  frames: readonly (readonly number[])[],
): AsyncGenerator<MadeFrame, void, void> {
  const { tree, workers } = work
  const samples = frames.length > 1 ? await sampleFrames(tree, frames, workers) : []
  const bases = chooseBases(samples)
  for (const sample of samples) release(sample)
  const keys = new Map<number, Promise<NewFrame>>()
  const make = async (number: number): Promise<MadeFrame> => {
    const key = bases[number] ?? -1
    const of = await keys.get(key)
    const base = of === undefined ? undefined : { content: slicesOf(tree, of.chunks), of }
    return await makeFrame(work, frames[number] ?? [], base)
  }
  const run = (number: number): Promise<MadeFrame> => {
    const made = make(number)
    const frame = made.then((each) => each.frame)
    frame.catch(() => {}) // It is thrown where the frame is awaited.
    keys.set(number, frame)
    return made
  }
  yield* inOrder(frames.keys(), workers.count + 1, run)
}

/** A frame and its dictionary take 100 MB to compress, three times what other work takes: so one thread is left to that. */
const familiesAhead = ({ count }: Workers): number => Math.max(1, count - 1)

/** Copies the kept frames, in the order that they had. */
const carryOver = async (work: Work, kept: ReadonlySet<number>): Promise<CarriedFrame[]> => {
  const { plan, previous, packFile, report } = work
  if (previous === undefined) return []
  const { index, packPath } = previous
  const frameOfChunk = framesOfChunks(index)
  const chunks = new Map([...kept].map((number) => [number, [] as number[]]))
  const byOldNumber = Array.from(plan.oldChunks.keys()).sort(
    (a, b) => (plan.oldChunks[a] ?? 0) - (plan.oldChunks[b] ?? 0),
  )
  for (const chunk of byOldNumber) chunks.get(frameOfChunk[plan.oldChunks[chunk] ?? -1] ?? -1)?.push(chunk)

  const carried: CarriedFrame[] = []
  for (const number of [...kept].sort((a, b) => a - b)) {
    const frame = frameOf(index, number)
    await packFile.addCarried(packPath, frame)
    const live = chunks.get(number) ?? []
    const starts = live.map((chunk) => index.chunks.starts[plan.oldChunks[chunk] ?? -1] ?? 0)
    carried.push({ ...frame, chunks: live, starts })
    report(live)
  }
  return carried
}

const makeFolder = async (path: string): Promise<void> => {
  try {
    await mkdir(path, { recursive: true })
  } catch (error) {
    throw fromFileSystem(error, `cannot create ${path}`)
  }
}

const assertWithinLimits = ({ chunks, references }: ChunkedTree): void => {
  if (chunks.count <= LIMITS.chunksMax && references.length <= LIMITS.referencesMax) return
  throw new UpdateError(
    'LIMIT_EXCEEDED',
    `the build has ${chunks.count} chunks at ${references.length} places; ${LIMITS.chunksMax} and ${LIMITS.referencesMax} are allowed`,
    { hint: 'publish it as several products' },
  )
}

const assertIndexLength = (bytes: Uint8Array): void => {
  if (bytes.length <= LIMITS.indexLengthBytes) return
  throw new UpdateError(
    'LIMIT_EXCEEDED',
    `the index would have ${bytes.length} bytes; ${LIMITS.indexLengthBytes} are allowed`,
    { hint: 'publish the build as several products' },
  )
}

const reportPacked = (tree: ChunkedTree, onProgress: ProgressListener | undefined) => {
  const totalBytes = tree.chunks.lengths.reduce((sum, length) => sum + length, 0)
  let doneBytes = 0
  return (chunks: readonly number[]): void => {
    doneBytes += bytesOf(tree, chunks)
    onProgress?.({ phase: 'pack', doneBytes, totalBytes })
  }
}
