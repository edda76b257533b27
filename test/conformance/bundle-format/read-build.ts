// A build folder as a release carries it: its entries in their order, and its chunks in the order in which they occur for the
// first time.
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { cutFile, sha256 } from './chunking.ts'
import { assert, sumOf } from './model.ts'
import { comparePaths, isLinkTarget, isPath, twinKey } from './paths.ts'

export interface BuildChunk {
  readonly digest: string
  readonly bytes: Buffer
  /** Where it occurs first. */
  readonly path: string
  readonly offset: number
}

export type BuildEntry =
  | {
      readonly kind: 'file'
      readonly path: string
      readonly isExecutable: boolean
      /** Digests. */
      readonly chunks: readonly string[]
      readonly digest: string
    }
  | { readonly kind: 'directory'; readonly path: string }
  | { readonly kind: 'link'; readonly path: string; readonly target: string }

export interface Build {
  readonly entries: readonly BuildEntry[]
  readonly chunks: readonly BuildChunk[]
  /** Of all files together. */
  readonly lengthBytes: number
}

export const readBuild = (root: string): Build => {
  const paths = listPaths(root).sort(comparePaths)
  const chunks = new Map<string, BuildChunk>()
  const entries = paths.map((path) => {
    assert(isPath(path), `a release cannot carry ${path}`)
    return readEntry(root, path, chunks)
  })
  assert(new Set(paths.map(twinKey)).size === paths.length, 'twins')
  assert(
    entries.some(({ kind }) => kind === 'file'),
    'no file',
  )
  const lengthOf = (digest: string): number => chunks.get(digest)?.bytes.length ?? 0
  const lengths = entries.flatMap((entry) => (entry.kind === 'file' ? entry.chunks.map(lengthOf) : []))
  return { entries, chunks: [...chunks.values()], lengthBytes: sumOf(lengths) }
}

/** Of everything below a folder; links are not followed. */
const listPaths = (root: string, folder = ''): string[] =>
  readdirSync(join(root, folder), { withFileTypes: true }).flatMap((child) => {
    const path = folder === '' ? child.name : `${folder}/${child.name}`
    return child.isDirectory() ? [path, ...listPaths(root, path)] : [path]
  })

const readEntry = (root: string, path: string, chunks: Map<string, BuildChunk>): BuildEntry => {
  const stats = lstatSync(join(root, path))
  if (stats.isDirectory()) return { kind: 'directory', path }
  if (stats.isSymbolicLink()) {
    const target = readlinkSync(join(root, path))
    assert(isLinkTarget(target, path), `a release cannot carry a link to ${target}`)
    return { kind: 'link', path, target }
  }
  assert(stats.isFile(), `a release cannot carry ${path}`)
  const content = readFileSync(join(root, path))
  let offset = 0
  const digests = cutFile(content).map((bytes) => {
    const digest = sha256(bytes)
    if (!chunks.has(digest)) chunks.set(digest, { digest, bytes, path, offset })
    offset += bytes.length
    return digest
  })
  return { kind: 'file', path, isExecutable: (stats.mode & 0o100) !== 0, chunks: digests, digest: sha256(content) }
}
