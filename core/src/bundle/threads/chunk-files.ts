// Job: cuts files of a build into chunks, hashes chunks and files, and takes samples. Keeps no content: whoever packs reads it again.
import { createHash, type Hash, hash } from 'node:crypto'
import { join } from 'node:path'
import { fromFileSystem, systemCodeOf, UpdateError } from '../../errors.ts'
import { chunkSizesOf, cutAfter, sumsWithZeros } from '../chunker.ts'
import { type ColumnWriter, makeColumnWriter } from '../columns.ts'
import { scratch } from '../memory.ts'
import type { TreeFile } from '../tree.ts'
import { type CutsBefore, type CutsFollower, followCuts } from './cuts-before.ts'
import { isUnchanged, READ, readFully, withFile } from './files.ts'
import type { Report } from './jobs.ts'

export interface ChunkFilesJob {
  readonly root: string
  readonly files: readonly TreeFile[]
  /** How the files were cut in the previous release, in their order, where that is known. */
  readonly before?: readonly (CutsBefore | undefined)[] | undefined
  /** How thin the samples of the chunks are; without it there are none. */
  readonly sampledBits?: number | undefined
}

/** Columns over all chunks of all files, in order. */
export interface ChunkedFiles {
  /** Number of chunks of each file. */
  readonly counts: Uint32Array
  readonly lengths: Uint32Array
  /** SHA-256 of each chunk, 32 bytes a row. */
  readonly digests: Uint8Array
  /** Numbers in the sample of each chunk. */
  readonly sampleLengths: Uint32Array
  /** The samples, end to end. */
  readonly samples: Int32Array
  /** SHA-256 of each file, 32 bytes a row. */
  readonly fileDigests: Uint8Array
}

/** Read at once. The largest chunk fits several times, so that little is moved to the front again. */
const BLOCK_BYTES = 4 * 1024 * 1024
/** Likewise of what is read once more. */
const AGAIN_BYTES = 1024 * 1024

/** Errors: BUILD_CHANGED, PERMISSION, IO. */
export const chunkFiles = ({ root, files, before, sampledBits }: ChunkFilesJob, report: Report): ChunkedFiles => {
  const counts = new Uint32Array(files.length)
  const chunks: Chunks = {
    lengths: [],
    digests: makeColumnWriter(),
    lastDigest: Buffer.alloc(0),
    sampledBits,
    sampleLengths: [],
    samples: [],
  }
  const fileDigests = makeColumnWriter()
  for (const [row, file] of files.entries()) {
    const first = chunks.lengths.length
    const known = before?.[row]
    const follower = known && followCuts(known, chunkSizesOf(file.lengthBytes))
    fileDigests.bytes(chunkFile(root, { file, follower, chunks, report }))
    counts[row] = chunks.lengths.length - first
  }
  return {
    counts,
    lengths: Uint32Array.from(chunks.lengths),
    digests: chunks.digests.finish(),
    sampleLengths: Uint32Array.from(chunks.sampleLengths),
    samples: Int32Array.from(chunks.samples),
    fileDigests: fileDigests.finish(),
  }
}

/** The chunks so far. Digests stand end to end, because a hundred thousand buffers of their own take three times as much. */
interface Chunks {
  readonly lengths: number[]
  readonly digests: ColumnWriter
  lastDigest: Buffer
  readonly sampledBits: number | undefined
  readonly sampleLengths: number[]
  readonly samples: number[]
}

interface Cutting {
  readonly file: TreeFile
  readonly follower: CutsFollower | undefined
  readonly chunks: Chunks
  readonly report: Report
}

/** Adds the chunks of one file and returns the digest of the whole. */
const chunkFile = (root: string, cutting: Cutting): Uint8Array => {
  const { file } = cutting
  const path = join(root, file.path)
  try {
    return withFile(path, READ, (handle) => {
      const digest = file.lengthBytes <= BLOCK_BYTES ? chunkAtOnce(handle, cutting) : chunkInBlocks(handle, cutting)
      // Compared after reading: a change before or during it shows in length, time or inode.
      if (!isUnchanged(handle, file)) throw changed(file.path)
      return digest
    })
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT' || systemCodeOf(error) === 'ELOOP') throw changed(file.path, error)
    throw fromFileSystem(error, `cannot read ${path}`)
  }
}

const chunkAtOnce = (handle: number, cutting: Cutting): Uint8Array => {
  const { file, follower, chunks, report } = cutting
  const content = scratch('content', BLOCK_BYTES).subarray(0, file.lengthBytes)
  if (readFully(handle, content, 0) < content.length) throw changed(file.path)
  const before = chunks.lengths.length
  cutBlock(content, content.length, true, cutting)
  report(content.length)
  // Most files of most builds are one chunk, which has just been hashed.
  if (chunks.lengths.length === before + 1) return chunks.lastDigest
  return follower?.sha256() ?? hash('sha256', content, 'buffer')
}

const chunkInBlocks = (handle: number, cutting: Cutting): Uint8Array => {
  const { file, follower, report } = cutting
  const block = scratch('content', BLOCK_BYTES)
  let whole = follower === undefined ? createHash('sha256') : undefined
  let kept = 0
  for (let position = 0; position < file.lengthBytes; ) {
    const read = readFully(handle, block.subarray(kept), position)
    if (read === 0) throw changed(file.path)
    whole?.update(block.subarray(kept, kept + read))
    position += read
    kept = cutBlock(block, kept + read, position >= file.lengthBytes, cutting)
    // What was as it was has a digest already. Where it ends, all before it is read once more.
    if (whole === undefined && follower?.isSame() === false) whole = hashBeginning(handle, position)
    report(read)
  }
  return follower?.sha256() ?? (whole ?? hashBeginning(handle, file.lengthBytes)).digest()
}

const hashBeginning = (handle: number, lengthBytes: number): Hash => {
  const digest = createHash('sha256')
  const block = scratch('block', AGAIN_BYTES)
  for (let position = 0; position < lengthBytes; ) {
    const read = readFully(handle, block.subarray(0, lengthBytes - position), position)
    if (read === 0) break // It became shorter, which is seen at the end.
    digest.update(block.subarray(0, read))
    position += read
  }
  return digest
}

/** Cuts what can be cut of the block's first `filled` bytes, moves the rest to the front and returns its length. */
const cutBlock = (block: Buffer, filled: number, isLast: boolean, { file, follower, chunks }: Cutting): number => {
  const sizes = chunkSizesOf(file.lengthBytes)
  let start = 0
  while (start < filled && (isLast || filled - start >= sizes.maxBytes)) {
    const expected = follower?.take(block, start, filled, isLast)
    const end = expected?.end ?? cutAfter(block, start, filled, sizes)
    const content = block.subarray(start, end)
    const digest = expected?.digest ?? hash('sha256', content, 'buffer')
    if (expected === undefined) follower?.pass(digest)
    addChunk(chunks, content, digest)
    start = end
  }
  block.copyWithin(0, start, filled)
  return filled - start
}

const addChunk = (chunks: Chunks, content: Buffer, digest: Buffer): void => {
  chunks.lengths.push(content.length)
  chunks.lastDigest = digest
  chunks.digests.bytes(chunks.lastDigest)
  if (chunks.sampledBits === undefined) return
  const sums = sumsWithZeros(content, chunks.sampledBits)
  chunks.sampleLengths.push(sums.length)
  for (const sum of sums) chunks.samples.push(sum)
}

const changed = (path: string, cause?: unknown): UpdateError =>
  new UpdateError('BUILD_CHANGED', `${path} changed while the build was read`, {
    cause,
    hint: 'publish once the build has finished',
  })
