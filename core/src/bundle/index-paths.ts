// Paths in an index's tables, and the rules that make a list of entries a tree that can be written below any folder.
import { UpdateError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { BundleEntry } from './bundle-index.ts'
import { type ColumnReader, type ColumnWriter, makeColumnWriter } from './columns.ts'
import { faultOfPath, faultOfTarget, foldPath, parentOf, sortKeyOf } from './paths.ts'
import { STEP_ROWS, type Steps } from './turns.ts'

/** Shape: the columns bytes shared with the path before, bytes that follow, and those bytes. */
export const writePaths = (writer: ColumnWriter, paths: readonly string[]): void => {
  const lengths = makeColumnWriter()
  const rests = makeColumnWriter()
  let before = Buffer.alloc(0)
  for (const path of paths) {
    const bytes = Buffer.from(path)
    const shared = sharedLength(before, bytes)
    writer.number(shared)
    lengths.number(bytes.length - shared)
    rests.bytes(bytes.subarray(shared))
    before = bytes
  }
  writer.bytes(lengths.finish())
  writer.bytes(rests.finish())
}

/** Errors: BUNDLE_INVALID. */
export function* readPaths(reader: ColumnReader, count: number): Steps<string[]> {
  const shared = reader.numbers(count)
  const lengths = reader.numbers(count)
  const path = Buffer.alloc(LIMITS.pathLengthBytes)
  let lengthBytes = 0
  const paths: string[] = []
  for (let row = 0; row < count; row += 1) {
    if (row % STEP_ROWS === 0) yield
    const kept = shared[row] ?? 0
    const added = lengths[row] ?? 0
    if (kept > lengthBytes || kept + added > path.length) {
      throw new UpdateError('BUNDLE_INVALID', `path ${row} of the index has ${kept} + ${added} bytes`)
    }
    path.set(reader.bytes(added), kept)
    lengthBytes = kept + added
    paths.push(decodeText(path.subarray(0, lengthBytes), `path ${row}`))
  }
  return paths
}

/** Errors: BUNDLE_INVALID. */
export const readTexts = (reader: ColumnReader, count: number): string[] => {
  const lengths = reader.numbers(count)
  return Array.from(lengths, (length, row) => decodeText(reader.bytes(length), `target ${row}`))
}

/**
 * Refuses entries that are not a tree: paths out of order or twice, names that some file system cannot hold or takes for
 * one, anything below what is no directory, links that lead out.
 *
 * Errors: BUNDLE_INVALID.
 */
export function* assertTree(entries: readonly BundleEntry[]): Steps<void> {
  const directories = new Set([''])
  const folded = new Set<string>()
  let keyBefore = ''
  for (const [row, entry] of entries.entries()) {
    if (row % STEP_ROWS === 0) yield
    const { path } = entry
    const fault = faultOfPath(path) ?? (entry.kind === 'link' ? faultOfTarget(path, entry.target) : undefined)
    if (fault !== undefined) throw invalid(path, fault)
    const key = sortKeyOf(path)
    if (key <= keyBefore) throw invalid(path, 'is twice in the index or out of order')
    if (!directories.has(parentOf(path))) throw invalid(path, 'lies below something that is no directory of the index')
    const fold = foldPath(path)
    if (folded.has(fold)) throw invalid(path, 'differs from another path only in case or in the form of accents')
    folded.add(fold)
    if (entry.kind === 'directory') directories.add(path)
    keyBefore = key
  }
}

const invalid = (path: string, fault: string): UpdateError =>
  new UpdateError('BUNDLE_INVALID', `path ${JSON.stringify(path)} of the index ${fault}`)

const sharedLength = (a: Buffer, b: Buffer): number => {
  const max = Math.min(a.length, b.length)
  let length = 0
  while (length < max && a[length] === b[length]) length += 1
  return length
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const decodeText = (bytes: Uint8Array, what: string): string => {
  try {
    return strictUtf8.decode(bytes)
  } catch (error) {
    throw new UpdateError('BUNDLE_INVALID', `${what} of the index is not UTF-8`, { cause: error })
  }
}
