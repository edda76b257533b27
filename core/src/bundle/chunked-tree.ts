// The content of a build as chunks: every file cut and hashed, every chunk counted once however often it occurs.
import type { ProgressListener } from '../progress.ts'
import { type BundleFile, type BundleIndex, sha256OfFile } from './bundle-index.ts'
import { chunkSizesOf } from './chunker.ts'
import { gatherDigests, makeDigestTable } from './digest-table.ts'
import { inOrder } from './in-order.ts'
import { release } from './memory.ts'
import { sampledBitsFor } from './similar.ts'
import type { ChunkedFiles } from './threads/chunk-files.ts'
import type { CutsBefore } from './threads/cuts-before.ts'
import type { Workers } from './threads/workers.ts'
import type { Tree, TreeFile } from './tree.ts'
import { takeTurns, throwIfAborted } from './turns.ts'

export interface ChunkedTree {
  readonly tree: Tree
  readonly files: readonly TreeFile[]
  /** For each file the number of its first reference, and, as one more row, the number of references. */
  readonly firstReferences: Uint32Array
  /** Chunk numbers of all files, one file after the other. */
  readonly references: Uint32Array
  /** SHA-256 of each file, 32 bytes a row. */
  readonly fileDigests: Uint8Array
  readonly chunks: TreeChunks
  /** How thin samples are: see similar.ts. */
  readonly sampledBits: number
}

/** Different chunks, numbered as they occur for the first time. */
export interface TreeChunks {
  readonly count: number
  readonly lengths: Uint32Array
  readonly digests: Uint8Array
  /** Where each occurs for the first time: number of the file, and offset in it. */
  readonly files: Uint32Array
  readonly offsets: Float64Array
  readonly samples: ChunkSamples | undefined
}

/** A sample of each chunk, where it was taken: the place of the first of its numbers, and how many they are. */
export interface ChunkSamples {
  readonly starts: Uint32Array
  readonly lengths: Uint32Array
  readonly numbers: Int32Array
}

export interface ChunkTreeOptions {
  /** Samples are taken of all chunks at once, while they are in memory: for whoever will have to compare all frames. */
  readonly isSampled: boolean
  /** Files that were cut there in the same way need not be searched for cuts again. */
  readonly previous?: BundleIndex | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ProgressListener | undefined
}

/** One order to a worker is for so much content, or so many small files. */
const BATCH_BYTES = 4 * 1024 * 1024
const BATCH_FILES = 256

/** Errors: BUILD_CHANGED, PERMISSION, IO, ABORTED. */
export const chunkTree = async (
  tree: Tree,
  workers: Workers,
  { isSampled, previous, signal, onProgress }: ChunkTreeOptions,
): Promise<ChunkedTree> => {
  const files = tree.entries.filter((entry) => entry.kind === 'file')
  const totalBytes = files.reduce((sum, file) => sum + file.lengthBytes, 0)
  let doneBytes = 0
  const report = (bytes: number): void => {
    doneBytes += bytes
    onProgress?.({ phase: 'read', doneBytes, totalBytes })
  }
  const results: ChunkedFiles[] = []
  const sampledBits = sampledBitsFor(totalBytes)
  const job = { root: tree.root, sampledBits: isSampled ? sampledBits : undefined }
  const cutsBefore = previous && findCuts(previous)
  const run = (batch: readonly TreeFile[]) =>
    workers.run('chunkFiles', { ...job, files: batch, before: cutsBefore && batch.map(cutsBefore) }, report)
  for await (const result of inOrder(batchesOf(files), workers.count * 2, run)) {
    throwIfAborted(signal)
    results.push(result)
  }
  const all = {
    counts: joined(Uint32Array, results, ({ counts }) => counts),
    lengths: joined(Uint32Array, results, ({ lengths }) => lengths),
    digests: joined(Uint8Array, results, ({ digests }) => digests),
    fileDigests: joined(Uint8Array, results, ({ fileDigests }) => fileDigests),
    sampleLengths: joined(Uint32Array, results, ({ sampleLengths }) => sampleLengths),
    samples: joined(Int32Array, results, ({ samples }) => samples),
  }
  for (const { samples } of results) release(samples)
  return { tree, files, sampledBits, fileDigests: all.fileDigests, ...(await deduplicate(all, takeTurns(signal))) }
}

/** Finds how a file was cut in the previous release, if by the same sizes and into more than one chunk. */
const findCuts = (previous: BundleIndex) => {
  const { files, references, chunks } = previous
  const known = new Map<string, BundleFile>()
  for (const file of files) if (file.kind === 'file' && file.referenceCount > 1) known.set(file.path, file)
  return ({ path, lengthBytes }: TreeFile): CutsBefore | undefined => {
    const file = known.get(path)
    if (file === undefined || chunkSizesOf(file.lengthBytes).maxBytes !== chunkSizesOf(lengthBytes).maxBytes) {
      return undefined
    }
    const rows = references.subarray(file.firstReference, file.firstReference + file.referenceCount)
    return {
      lengths: Uint32Array.from(rows, (chunk) => chunks.lengths[chunk] ?? 0),
      digests: gatherDigests(chunks.digests, rows),
      // In memory of its own: a view would take the whole column along to the other thread.
      sha256: new Uint8Array(sha256OfFile(previous, file)),
    }
  }
}

function* batchesOf(files: readonly TreeFile[]): Generator<readonly TreeFile[]> {
  let batch: TreeFile[] = []
  let batchBytes = 0
  for (const file of files) {
    batch.push(file)
    batchBytes += file.lengthBytes
    if (batchBytes < BATCH_BYTES && batch.length < BATCH_FILES) continue
    yield batch
    batch = []
    batchBytes = 0
  }
  if (batch.length > 0) yield batch
}

const deduplicate = async (all: ChunkedFiles, turn: () => Promise<void>) => {
  const total = all.lengths.length
  const table = makeDigestTable(all.digests, total)
  const references = new Uint32Array(total)
  const firstReferences = new Uint32Array(all.counts.length + 1)
  const rows: number[] = []
  const files: number[] = []
  const offsets: number[] = []
  const sampleStarts: number[] = []
  const numbers = new Uint32Array(total)
  let sampled = 0
  let row = 0
  for (const [file, count] of all.counts.entries()) {
    await turn()
    let offset = 0
    firstReferences[file] = row
    for (const end = row + count; row < end; row += 1) {
      if (row % 4096 === 0) await turn()
      const known = table.find(all.digests, row)
      if (known === -1) {
        table.add(row)
        numbers[row] = rows.length
        rows.push(row)
        files.push(file)
        offsets.push(offset)
        sampleStarts.push(sampled)
      }
      references[row] = numbers[known === -1 ? row : known] ?? 0
      offset += all.lengths[row] ?? 0
      sampled += all.sampleLengths[row] ?? 0
    }
  }
  firstReferences[all.counts.length] = total
  const chunks: TreeChunks = {
    count: rows.length,
    lengths: Uint32Array.from(rows, (source) => all.lengths[source] ?? 0),
    digests: gatherDigests(all.digests, rows),
    files: Uint32Array.from(files),
    offsets: Float64Array.from(offsets),
    samples:
      all.sampleLengths.length === 0
        ? undefined
        : {
            starts: Uint32Array.from(sampleStarts),
            lengths: Uint32Array.from(rows, (source) => all.sampleLengths[source] ?? 0),
            numbers: all.samples,
          },
  }
  return { firstReferences, references, chunks }
}

/** A column of all results, end to end. */
const joined = <Column extends Uint8Array | Uint32Array | Int32Array>(
  Kind: new (length: number) => Column,
  results: readonly ChunkedFiles[],
  columnOf: (result: ChunkedFiles) => Column,
): Column => {
  const all = new Kind(results.reduce((sum, result) => sum + columnOf(result).length, 0))
  let at = 0
  for (const result of results) {
    const column = columnOf(result)
    all.set(column, at)
    at += column.length
  }
  return all
}
