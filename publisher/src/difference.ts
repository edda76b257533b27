// What a release changes against an older one: files, and the bytes that a machine fetches which has only the older one. Pure.
import { type BundleEntry, type BundleIndex, sha256OfFile } from '@updraft/core/bundle/bundle-index'
import { lackingBytesOf } from '@updraft/core/bundle/lacking'
import type { PublishedRelease } from './repository.ts'

export interface FileDifference {
  readonly kind: 'added' | 'removed' | 'changed' | 'moved'
  readonly path: string
  /** Of what was moved. */
  readonly from?: string
  /** Bytes of content; 0 for folders and links. */
  readonly lengthBytes: number
  /** What it was before. */
  readonly lengthBytesBefore: number
}

/** What goes over the network, except for TUF metadata. Bytes. */
export interface UpdateBytes {
  /** The index, by its patch if there is one for this pair. */
  readonly index: number
  readonly metainfo: number
  /** New content, by the cheaper way: the patch with its metainfo, or chunks in whole pieces. */
  readonly content: number
  readonly way: 'patch' | 'chunks' | 'nothing'
  readonly total: number
}

export interface ReleaseDifference {
  /** In the order of their paths. */
  readonly files: readonly FileDifference[]
  readonly sameFiles: number
  readonly installedBytes: { readonly before: number; readonly after: number }
  readonly update: UpdateBytes
}

export interface IndexedRelease extends PublishedRelease {
  readonly parsed: BundleIndex
}

export const differenceOf = (older: IndexedRelease, newer: IndexedRelease): ReleaseDifference => {
  const files = fileDifferences(older.parsed, newer.parsed)
  const touched = files.filter(({ kind }) => kind !== 'removed').length
  return {
    files,
    sameFiles: newer.parsed.files.length - touched,
    installedBytes: { before: older.release.sizes.installedBytes, after: newer.release.sizes.installedBytes },
    update: updateBytesOf(older, newer),
  }
}

const fileDifferences = (older: BundleIndex, newer: BundleIndex): readonly FileDifference[] => {
  const before = describedByPath(older)
  const after = describedByPath(newer)
  const gone = [...before].filter(([path]) => !after.has(path))
  const movable = new Map(gone.filter(([, { isFile }]) => isFile).map(([path, { identity }]) => [identity, path]))
  const movedFrom = new Set<string>()
  const news = [...after].flatMap(([path, { identity, lengthBytes }]): FileDifference[] => {
    const old = before.get(path)
    if (old?.identity === identity) return []
    if (old !== undefined) return [{ kind: 'changed', path, lengthBytes, lengthBytesBefore: old.lengthBytes }]
    const from = movable.get(identity)
    if (from === undefined || movedFrom.has(from)) return [{ kind: 'added', path, lengthBytes, lengthBytesBefore: 0 }]
    movedFrom.add(from)
    return [{ kind: 'moved', path, from, lengthBytes, lengthBytesBefore: lengthBytes }]
  })
  const removed = gone
    .filter(([path]) => !movedFrom.has(path))
    .map(
      ([path, old]): FileDifference => ({ kind: 'removed', path, lengthBytes: 0, lengthBytesBefore: old.lengthBytes }),
    )
  return [...news, ...removed].sort((a, b) => (a.path < b.path ? -1 : 1))
}

interface Described {
  /** Two entries with the same one are the same, wherever they lie. */
  readonly identity: string
  readonly isFile: boolean
  readonly lengthBytes: number
}

const describedByPath = (index: BundleIndex): ReadonlyMap<string, Described> =>
  new Map(index.files.map((entry) => [entry.path, described(index, entry)]))

const described = (index: BundleIndex, entry: BundleEntry): Described => {
  switch (entry.kind) {
    case 'directory':
      return { identity: 'directory', isFile: false, lengthBytes: 0 }
    case 'link':
      return { identity: `link ${entry.target}`, isFile: false, lengthBytes: 0 }
    case 'file': {
      const digest = Buffer.from(sha256OfFile(index, entry)).toString('hex')
      return { identity: `file ${digest} ${entry.executable}`, isFile: true, lengthBytes: entry.lengthBytes }
    }
  }
}

const updateBytesOf = (older: IndexedRelease, newer: IndexedRelease): UpdateBytes => {
  const { indexPatches = [], patches = [], sizes, torrent } = newer.release
  const isFromOlder = ({ from }: { readonly from: string }) => from === older.index.sha256
  const layout = { indexBytes: sizes.indexBytes, pieceLength: torrent.pieceLength }
  const chunks = lackingBytesOf(newer.parsed, [older.parsed], layout)
  const patch = patches.find(isFromOlder)
  const byPatch = patch === undefined ? Number.POSITIVE_INFINITY : patch.lengthBytes + patch.metainfo.lengthBytes
  const content = Math.min(chunks, byPatch)
  const index = indexPatches.find(isFromOlder)?.lengthBytes ?? sizes.indexBytes
  const metainfo = newer.metainfo.lengthBytes
  return {
    index,
    metainfo,
    content,
    way: content === 0 ? 'nothing' : byPatch < chunks ? 'patch' : 'chunks',
    total: index + metainfo + content,
  }
}
