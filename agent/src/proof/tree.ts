// Compares an installed tree with its index: every file, link and directory, their bytes and their modes. Follows no link and
// changes nothing.
import { createHash } from 'node:crypto'
import { createReadStream, type Stats } from 'node:fs'
import { lstat, readdir, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type BundleEntry, type BundleIndex, sha256OfFile } from '@updraft/core/bundle/bundle-index'
import { throwIfAborted } from '@updraft/core/bundle/turns'
import { fromFileSystem, systemCodeOf } from '@updraft/core/errors'

export interface Difference {
  readonly kind: 'missing' | 'changed' | 'extra'
  /** Below the tree; `/` between parts. */
  readonly path: string
  /** What is there, and what was signed. */
  readonly detail: string
}

/** In the order of the index, then what it does not have. Errors: PERMISSION, IO, ABORTED. */
export const differencesOf = async (
  index: BundleIndex,
  root: string,
  signal: AbortSignal,
): Promise<readonly Difference[]> => {
  const differences: Difference[] = []
  for (const entry of index.files) {
    throwIfAborted(signal)
    const { path } = entry
    const stats = await statsOf(join(root, path))
    if (stats === undefined) differences.push({ kind: 'missing', path, detail: `this ${entry.kind} is not there` })
    else {
      const detail = await changeOf(index, entry, join(root, path), stats)
      if (detail !== undefined) differences.push({ kind: 'changed', path, detail })
    }
  }
  const signed = new Set(index.files.map(({ path }) => path))
  for await (const { path, what } of entriesBelow(root, '', signal)) {
    if (!signed.has(path)) differences.push({ kind: 'extra', path, detail: `this ${what} is no part of the release` })
  }
  return differences
}

const statsOf = async (path: string): Promise<Stats | undefined> => {
  try {
    return await lstat(path)
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')) return undefined
    throw fromFileSystem(error, `cannot look at ${path}`)
  }
}

const kindOf = (stats: Pick<Stats, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): string => {
  if (stats.isFile()) return 'file'
  if (stats.isDirectory()) return 'directory'
  return stats.isSymbolicLink() ? 'link' : 'special file'
}

const changeOf = async (
  index: BundleIndex,
  entry: BundleEntry,
  path: string,
  stats: Stats,
): Promise<string | undefined> => {
  const kind = kindOf(stats)
  if (kind !== entry.kind) return `it is a ${kind}, signed is a ${entry.kind}`
  if (entry.kind === 'link') {
    const target = await readlink(path)
    return target === entry.target ? undefined : `it leads to ${target}, signed is ${entry.target}`
  }
  const isExecutable = entry.kind === 'directory' || entry.executable
  const mode = modeFault(stats.mode & 0o7777, isExecutable ? 0o755 : 0o644)
  if (entry.kind === 'directory' || mode !== undefined) return mode
  if (stats.size !== entry.lengthBytes) return `it has ${stats.size} bytes, signed are ${entry.lengthBytes}`
  const is = await sha256Of(path)
  const signed = Buffer.from(sha256OfFile(index, entry)).toString('hex')
  return is === signed ? undefined : `it has the SHA-256 ${is}, signed is ${signed}`
}

/** Windows has no such modes. */
const modeFault = (is: number, signed: number): string | undefined =>
  process.platform === 'win32' || is === signed
    ? undefined
    : `its mode is ${is.toString(8).padStart(4, '0')}, installed was ${signed.toString(8).padStart(4, '0')}`

const sha256Of = async (path: string): Promise<string> => {
  const digest = createHash('sha256')
  try {
    for await (const part of createReadStream(path, { highWaterMark: 1024 * 1024 })) digest.update(part)
  } catch (error) {
    throw fromFileSystem(error, `cannot read ${path}`)
  }
  return digest.digest('hex')
}

async function* entriesBelow(
  root: string,
  folder: string,
  signal: AbortSignal,
): AsyncGenerator<{ readonly path: string; readonly what: string }, void, undefined> {
  throwIfAborted(signal)
  const entries = await readdir(join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
    throw fromFileSystem(error, `cannot list ${join(root, folder)}`)
  })
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`
    yield { path, what: kindOf(entry) }
    if (entry.isDirectory()) yield* entriesBelow(root, path, signal)
  }
}
