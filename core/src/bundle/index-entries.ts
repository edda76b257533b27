// The second part of an index's tables: the files, directories and links of a release, and the chunks that files are made of.
import { UpdateError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { BundleEntry, BundleIndex, ChunkColumns } from './bundle-index.ts'
import { type ColumnReader, type ColumnWriter, unzigzag, zigzag } from './columns.ts'
import { DIGEST_BYTES } from './digest-table.ts'
import { assertTree, readPaths, readTexts, writePaths } from './index-paths.ts'
import { STEP_ROWS, type Steps } from './turns.ts'

const KINDS = ['file', 'executable', 'directory', 'link'] as const

/**
 * Shape: number of entries; the column kind (0 file, 1 executable file, 2 directory, 3 link) and the paths, of all of them;
 *        the column runs, of all files; the columns first chunk (as the zigzag distance from the end of the run before) and
 *        chunks, of all runs; the column bytes of target, of all links, and those bytes.
 */
export const writeEntries = (writer: ColumnWriter, index: BundleIndex): void => {
  const { files } = index
  writer.number(files.length)
  for (const entry of files) writer.number(KINDS.indexOf(kindOf(entry)))
  const paths = files.map((entry) => entry.path)
  writePaths(writer, paths)

  const runs = runsOf(index)
  for (const count of runs.counts) writer.number(count)
  let expected = 0
  for (const [run, first] of runs.firsts.entries()) {
    writer.number(zigzag(first - expected))
    expected = first + (runs.lengths[run] ?? 0)
  }
  for (const length of runs.lengths) writer.number(length)

  const targets = files.flatMap((entry) => (entry.kind === 'link' ? [Buffer.from(entry.target)] : []))
  for (const target of targets) writer.number(target.length)
  for (const target of targets) writer.bytes(target)
}

export interface ReadEntries {
  readonly files: readonly BundleEntry[]
  readonly references: Uint32Array
  readonly fileDigests: Uint8Array
}

/** Errors: BUNDLE_INVALID, LIMIT_EXCEEDED. */
export function* readEntries(reader: ColumnReader, chunks: ChunkColumns, digests: Uint8Array): Steps<ReadEntries> {
  const count = reader.number()
  assertLimit('entries', count, LIMITS.filesMax)
  const kinds = Array.from(reader.numbers(count), (number, row) => {
    const kind = KINDS[number]
    if (kind === undefined)
      throw new UpdateError('BUNDLE_INVALID', `entry ${row} of the index is of unknown kind ${number}`)
    return kind
  })
  const paths = yield* readPaths(reader, count)
  const contents = readContents(reader, kinds.filter((kind) => kind === 'file' || kind === 'executable').length, chunks)
  const targets = readTexts(reader, kinds.filter((kind) => kind === 'link').length)

  const nextContent = contents.files.values()
  const nextTarget = targets.values()
  const entryOf = (path: string, row: number): BundleEntry => {
    const kind = kinds[row]
    if (kind === 'directory') return { kind, path }
    if (kind === 'link') return { kind, path, target: nextTarget.next().value ?? '' }
    const content = nextContent.next().value ?? NO_CONTENT
    if (content.lengthBytes > LIMITS.fileLengthBytes) {
      assertLimit(`bytes in ${JSON.stringify(path)}`, content.lengthBytes, LIMITS.fileLengthBytes)
    }
    return { kind: 'file', path, executable: kind === 'executable', ...content }
  }
  const files: BundleEntry[] = []
  for (const [row, path] of paths.entries()) {
    if (row % STEP_ROWS === 0) yield
    files.push(entryOf(path, row))
  }
  yield* assertTree(files)
  if (contents.files.length === 0) throw new UpdateError('BUNDLE_INVALID', 'index has no file')
  if (contents.digestRows * DIGEST_BYTES !== digests.length) {
    throw new UpdateError(
      'BUNDLE_INVALID',
      `index has ${digests.length / DIGEST_BYTES} digests of files, and ${contents.digestRows} files of two chunks or more`,
    )
  }
  return { files, references: contents.references, fileDigests: digests }
}

interface FileContent {
  readonly lengthBytes: number
  readonly firstReference: number
  readonly referenceCount: number
  readonly digestRow: number
}

const NO_CONTENT: FileContent = { lengthBytes: 0, firstReference: 0, referenceCount: 0, digestRow: -1 }

interface Contents {
  readonly files: readonly FileContent[]
  readonly references: Uint32Array
  readonly digestRows: number
}

const readContents = (reader: ColumnReader, fileCount: number, chunks: ChunkColumns): Contents => {
  const runCounts = reader.numbers(fileCount)
  const runCount = runCounts.reduce((sum, count) => sum + count, 0)
  assertLimit('runs of chunks', runCount, LIMITS.referencesMax)
  const distances = reader.numbers(runCount)
  const lengths = reader.numbers(runCount)
  const references = new Uint32Array(countReferences(lengths))
  const isUsed = new Uint8Array(chunks.count)

  let run = 0
  let end = 0
  let reference = 0
  let digestRows = 0
  let installedBytes = 0
  const files = Array.from(runCounts, (count): FileContent => {
    const firstReference = reference
    let lengthBytes = 0
    for (const lastRun = run + count; run < lastRun; run += 1) {
      const first = end + unzigzag(distances[run] ?? 0)
      end = first + (lengths[run] ?? 0)
      if (first < 0 || end > chunks.count) {
        throw new UpdateError('BUNDLE_INVALID', `index has no chunks ${first} to ${end - 1}; it has ${chunks.count}`)
      }
      for (let chunk = first; chunk < end; chunk += 1) {
        references[reference] = chunk
        reference += 1
        isUsed[chunk] = 1
        lengthBytes += chunks.lengths[chunk] ?? 0
      }
    }
    installedBytes += lengthBytes
    const referenceCount = reference - firstReference
    digestRows += referenceCount > 1 ? 1 : 0
    return { lengthBytes, firstReference, referenceCount, digestRow: referenceCount > 1 ? digestRows - 1 : -1 }
  })
  assertLimit('bytes to install', installedBytes, LIMITS.installedLengthBytes)
  const unused = isUsed.indexOf(0)
  if (unused !== -1) throw new UpdateError('BUNDLE_INVALID', `chunk ${unused} belongs to no file`)
  return { files, references, digestRows }
}

const countReferences = (lengths: Float64Array): number => {
  let sum = 0
  for (const length of lengths) {
    if (length === 0) throw new UpdateError('BUNDLE_INVALID', 'index has a run of no chunks')
    sum += length
  }
  assertLimit('chunks in files', sum, LIMITS.referencesMax)
  return sum
}

/** Chunks of files that follow one another in the pack are told as one run. */
const runsOf = ({ files, references }: BundleIndex) => {
  const runs = { counts: [] as number[], firsts: [] as number[], lengths: [] as number[] }
  for (const entry of files) {
    if (entry.kind !== 'file') continue
    const runsBefore = runs.firsts.length
    const end = entry.firstReference + entry.referenceCount
    for (let at = entry.firstReference; at < end; ) {
      const first = references[at] ?? 0
      let length = 1
      while (at + length < end && references[at + length] === first + length) length += 1
      runs.firsts.push(first)
      runs.lengths.push(length)
      at += length
    }
    runs.counts.push(runs.firsts.length - runsBefore)
  }
  return runs
}

const kindOf = (entry: BundleEntry): (typeof KINDS)[number] =>
  entry.kind === 'file' && entry.executable ? 'executable' : entry.kind

const assertLimit = (what: string, count: number, max: number): void => {
  if (count > max) throw new UpdateError('LIMIT_EXCEEDED', `index has ${count} ${what}; at most ${max} are read`)
}
