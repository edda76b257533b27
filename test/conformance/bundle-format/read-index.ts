// "Index" of docs/bundle-format.md, read: from the bytes of an index to what it says, refusing all that a reader refuses.
import { type ColumnReader, columnReader, unzigzag } from './columns.ts'
import {
  assert,
  at,
  type BundleIndex,
  type Chunk,
  type Entry,
  FRAME_BYTES,
  type Frame,
  GIB,
  MIB,
  sumOf,
} from './model.ts'
import { comparePaths, isLinkTarget, isPath, parentOf, textOf, twinKey } from './paths.ts'
import { decompress, packedLimit } from './zstd.ts'

const HEADER_BYTES = 16
const DIGEST_BYTES = 32

/** The three parts of an index; the tables decompressed. */
export interface OpenIndex {
  readonly header: Buffer
  readonly digests: Buffer
  readonly tables: Buffer
}

export const openIndex = (index: Buffer): OpenIndex => {
  assert(index.length <= 64 * MIB, 'index is too long')
  const header = index.subarray(0, HEADER_BYTES)
  assert(header.length === HEADER_BYTES && header.toString('latin1', 0, 7) === 'updraft', 'not an index')
  assert(header.readUInt8(7) === 1, 'unknown version of the format')
  const tablesBytes = header.readUInt32LE(12)
  assert(tablesBytes <= 64 * MIB, 'tables are too long')
  const tablesAt = HEADER_BYTES + DIGEST_BYTES * header.readUInt32LE(8)
  assert(tablesAt <= index.length, 'digests are missing')
  const tables = decompress(index.subarray(tablesAt), { length: tablesBytes, windowLogMax: 23 })
  return { header, digests: index.subarray(HEADER_BYTES, tablesAt), tables }
}

export const readIndex = (bytes: Buffer): BundleIndex => {
  const { digests, tables } = openIndex(bytes)
  const reader = columnReader(tables)
  const digestList = Array.from({ length: digests.length / DIGEST_BYTES }, (_, number) =>
    digests.toString('hex', number * DIGEST_BYTES, (number + 1) * DIGEST_BYTES),
  )
  const frameCount = reader.number()
  const chunkCount = reader.number()
  assert(frameCount <= 1_048_576 && chunkCount <= 1_048_576, 'too many frames or chunks')
  const frames = readFrames(reader, digestList.splice(0, frameCount), frameCount, chunkCount)
  const chunks = readChunks(reader, digestList.splice(0, chunkCount), frames)
  const entries = readEntries(reader, digestList, chunks)
  reader.end()

  const used = new Set(entries.flatMap((entry) => (entry.kind === 'file' ? entry.chunks : [])))
  assert(used.size === chunks.length, 'a chunk that no file has')
  return { frames, chunks, entries }
}

const readFrames = (reader: ColumnReader, digests: string[], frameCount: number, chunkCount: number): Frame[] => {
  const packed = reader.column(frameCount)
  const lengths = reader.column(frameCount)
  const bases = reader.column(frameCount)
  const chunkCounts = reader.column(frameCount)
  assert(digests.length === frameCount, 'digests are missing')
  assert(sumOf(chunkCounts) === chunkCount, 'chunks per frame do not add up')
  assert(sumOf(packed) <= 256 * GIB, 'pack is too long')

  let packOffset = 0
  let firstChunk = 0
  const frames = lengths.map((lengthBytes, number): Frame => {
    const packedBytes = at(packed, number)
    const base = at(bases, number)
    assert(lengthBytes >= 1 && lengthBytes <= FRAME_BYTES, 'length of a frame')
    assert(packedBytes >= 1 && packedBytes <= packedLimit(lengthBytes), 'packed length of a frame')
    const frame = {
      digest: at(digests, number),
      packedBytes,
      lengthBytes,
      base: base === 0 ? undefined : base - 1,
      firstChunk,
      chunkCount: at(chunkCounts, number),
      packOffset,
    }
    packOffset += packedBytes
    firstChunk += frame.chunkCount
    return frame
  })
  for (const { base } of frames) {
    if (base !== undefined) assert(at(frames, base).base === undefined, 'a base has a base')
  }
  const bound = new Set(frames.map(({ base }) => base))
  assert(
    frames.every(({ chunkCount: count }, number) => count > 0 || bound.has(number)),
    'a frame with no chunk that is the base of none',
  )
  return frames
}

const readChunks = (reader: ColumnReader, digests: string[], frames: readonly Frame[]): Chunk[] => {
  const skips = reader.column(digests.length)
  const lengths = reader.column(digests.length)
  return frames.flatMap((frame, number) => {
    let end = 0
    return Array.from({ length: frame.chunkCount }, (_, index): Chunk => {
      const chunk = frame.firstChunk + index
      const lengthBytes = at(lengths, chunk)
      assert(lengthBytes >= 1 && lengthBytes <= MIB, 'length of a chunk')
      const offset = end + at(skips, chunk)
      end = offset + lengthBytes
      assert(end <= frame.lengthBytes, 'a chunk reaches beyond its frame')
      return { digest: at(digests, chunk), lengthBytes, frame: number, offset }
    })
  })
}

const readEntries = (reader: ColumnReader, digests: string[], chunks: readonly Chunk[]): Entry[] => {
  const count = reader.number()
  assert(count <= 500_000, 'too many entries')
  const kinds = reader.column(count)
  assert(
    kinds.every((kind) => kind <= 3),
    'kind of an entry',
  )
  const paths = readPaths(reader, count)
  const fileChunks = readRuns(reader, kinds.filter((kind) => kind <= 1).length, chunks)
  const targetBytes = reader.column(kinds.filter((kind) => kind === 3).length)
  const targets = targetBytes.map((length) => textOf(reader.bytes(length)))

  const directories = new Set<string>()
  let releaseBytes = 0
  const entries = kinds.map((kind, number): Entry => {
    const path = at(paths, number)
    const parent = parentOf(path)
    assert(parent === undefined || directories.has(parent), 'an entry whose parent is no earlier entry')
    if (kind === 2) {
      directories.add(path)
      return { kind: 'directory', path }
    }
    if (kind === 3) {
      const target = targets.shift() ?? ''
      assert(isLinkTarget(target, path), `target of a link: ${target}`)
      return { kind: 'link', path, target }
    }
    const numbers = fileChunks.shift() ?? []
    const lengthBytes = sumOf(numbers.map((chunk) => at(chunks, chunk).lengthBytes))
    assert(lengthBytes <= 64 * GIB, 'file is too long')
    releaseBytes += lengthBytes
    const digest = numbers.length >= 2 ? digests.shift() : undefined
    assert(numbers.length < 2 || digest !== undefined, 'digests are missing')
    return { kind: 'file', path, isExecutable: kind === 1, chunks: numbers, digest }
  })
  assert(digests.length === 0, 'more digests than there should be')
  assert(releaseBytes <= 256 * GIB, 'release is too long')
  assert(
    entries.some(({ kind }) => kind === 'file'),
    'no file',
  )
  return entries
}

const readPaths = (reader: ColumnReader, count: number): string[] => {
  const shared = reader.column(count)
  const rests = reader.column(count)
  let before: Buffer = Buffer.alloc(0)
  const paths = shared.map((sharedBytes, number) => {
    assert(sharedBytes <= before.length, 'a path shares more than there is')
    const rest = reader.bytes(at(rests, number))
    const isLongest = rest.length === 0 || rest[0] !== before[sharedBytes]
    assert(isLongest, 'a path shares more than it says')
    before = Buffer.concat([before.subarray(0, sharedBytes), rest])
    return textOf(before)
  })
  assert(paths.every(isPath), 'a path that a release cannot carry')
  assert(
    paths.every((path, number) => number === 0 || comparePaths(at(paths, number - 1), path) < 0),
    'entries out of order',
  )
  assert(new Set(paths.map(twinKey)).size === paths.length, 'twins')
  return paths
}

/** The chunks of each file. */
const readRuns = (reader: ColumnReader, fileCount: number, chunks: readonly Chunk[]): number[][] => {
  const runCounts = reader.column(fileCount)
  const runCount = sumOf(runCounts)
  const distances = reader.column(runCount)
  const lengths = reader.column(runCount)
  assert(sumOf(lengths) <= 4_194_304, 'runs are too long')
  let run = 0
  let end = 0
  return runCounts.map((count) => {
    const numbers: number[] = []
    for (let index = 0; index < count; index += 1, run += 1) {
      const first = end + unzigzag(at(distances, run))
      const length = at(lengths, run)
      assert(length >= 1 && first >= 0 && first + length <= chunks.length, 'a run of chunks that do not exist')
      assert(index === 0 || first !== end, 'a run could be longer')
      for (let chunk = first; chunk < first + length; chunk += 1) numbers.push(chunk)
      end = first + length
    }
    return numbers
  })
}
