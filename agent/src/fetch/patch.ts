// The new chunks of a release out of an installed older one, by a patch, where that is fewer bytes than the chunks are. Only a
// saving: whatever fails is told, and the chunks are fetched as they would have been without it.
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import type { BundleIndex } from '@updraft/core/bundle/index-file'
import { lackingBytesOf } from '@updraft/core/bundle/lacking'
import { applyPatch, type MadeContent } from '@updraft/core/bundle/patch/patch'
import type { LocalTree } from '@updraft/core/bundle/reuse'
import type { BytesFrom } from '@updraft/core/control/api'
import { type ErrorCode, fromFileSystem, isUpdateError, messageOf, UpdateError } from '@updraft/core/errors'
import { removeAll } from '@updraft/core/files/atomic'
import { patchMetainfoPathOf, patchNameOf, type ReleaseName } from '@updraft/core/names'
import type { Release, ReleasePatch } from '@updraft/core/release'
import { type Metainfo, parseMetainfo } from '@updraft/core/swarm/metainfo'
import type { TrustedRelease } from '../refresh.ts'
import type { KnownBundle } from './local.ts'
import { fetchTarget, type RepositoryPlace } from './target.ts'
import { type FetchTorrentOptions, fetchTorrent } from './torrent.ts'

/** What came of it. */
export interface Patched {
  readonly made: MadeContent | undefined
  /** What was fetched for it, of use or not. */
  readonly bytes: BytesFrom
  /** The patch itself, to be given back. */
  readonly metainfo: Metainfo | undefined
}

export const NOT_PATCHED: Patched = { made: undefined, bytes: { peers: 0, origin: 0, reused: 0 }, metainfo: undefined }

/** A patch, and the installed release that it starts from. */
export interface Choice {
  readonly patch: ReleasePatch
  readonly older: LocalTree
}

/** What a release says of the ways to it. */
export type PatchedRelease = Pick<Release, 'patches' | 'zstd'> & {
  readonly torrent: Pick<Release['torrent'], 'pieceLength'>
  readonly sizes: Pick<Release['sizes'], 'indexBytes'>
}

/**
 * The shortest patch from an installed release, if it is shorter than the chunks that it saves. With another version of zstd
 * than the publisher's no frame could be made of the result, so that nothing would be saved.
 */
export const choosePatch = (
  { patches = [], zstd, torrent: { pieceLength }, sizes: { indexBytes } }: PatchedRelease,
  index: BundleIndex,
  known: readonly KnownBundle[],
): Choice | undefined => {
  if (zstd !== process.versions.zstd) return undefined
  const choices = known.flatMap(({ indexSha256, index: olderIndex, treePath }): Choice[] => {
    const patch = patches.find(({ from }) => from === indexSha256)
    return patch === undefined || treePath === undefined
      ? []
      : [{ patch, older: { index: olderIndex, path: treePath } }]
  })
  const [shortest] = choices.sort((a, b) => a.patch.lengthBytes - b.patch.lengthBytes)
  const byChunks = lackingBytesOf(
    index,
    known.map((bundle) => bundle.index),
    { indexBytes, pieceLength },
  )
  if (shortest === undefined) return undefined
  const { lengthBytes, metainfo } = shortest.patch
  return lengthBytes + metainfo.lengthBytes < byChunks ? shortest : undefined
}

export interface FetchPatchOptions extends FetchTorrentOptions {
  /** This release's own folder under `staging/`. */
  readonly directory: string
  /** What may give what the repository does not. */
  readonly others?: Pick<RepositoryPlace, 'peers' | 'isUnreachable'> | undefined
}

/**
 * Shape:  the patch at `<directory>/<patch name>/patch`, what it makes at `<directory>/new-content`.
 * Errors: DISK_FULL, PERMISSION, IO, ABORTED; all others are told to `onWarning`.
 */
export const fetchPatch = async (
  release: TrustedRelease,
  index: BundleIndex,
  known: readonly KnownBundle[],
  options: FetchPatchOptions,
): Promise<Patched> => {
  const choice = choosePatch(release.release, index, known)
  if (choice === undefined) return NOT_PATCHED
  const { directory, signal, onProgress, onWarning } = options
  const name = patchNameOf(release.release, choice.patch.from)
  const patchPath = join(directory, name, 'patch')
  let bytes = NOT_PATCHED.bytes
  try {
    const metainfo = await fetchPatchMetainfo(release, choice.patch, options)
    await fetchTorrent(metainfo, directory, release, {
      ...options,
      onProgress: (state) => {
        bytes = state.bytes
        onProgress(state)
      },
    })
    await assertSha256(patchPath, choice.patch.sha256)
    const into = join(directory, 'new-content')
    const made = await applyPatch({ patchPath, older: choice.older, newer: index, into, signal })
    return { made, bytes, metainfo }
  } catch (error) {
    if (!isUpdateError(error) || !OF_NO_USE.has(error.code)) throw error
    onWarning(`chunks are fetched, since the patch was of no use: ${messageOf(error)}`)
    await removeAll(join(directory, name))
    return { ...NOT_PATCHED, bytes }
  }
}

/** What is the patch's own fault, or that of those who have it. */
const OF_NO_USE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'SOURCE_UNREACHABLE',
  'SWARM_STALLED',
  'METAINFO_INVALID',
  'BUNDLE_INVALID',
  'LIMIT_EXCEEDED',
])

const fetchPatchMetainfo = async (
  { release, repositoryUrl }: TrustedRelease,
  patch: ReleasePatch,
  { others, signal }: FetchPatchOptions,
): Promise<Metainfo> => {
  const target = { path: patchMetainfoPathOf(release), ...patch.metainfo }
  const metainfo = parseMetainfo(await fetchTarget(target, { ...others, url: repositoryUrl }, signal))
  assertSigned(metainfo, release, patch)
  return metainfo
}

/** The metainfo is signed already; this ties it to the patch that names it. */
const assertSigned = ({ infoHash, name, files }: Metainfo, release: ReleaseName, patch: ReleasePatch): void => {
  const is = JSON.stringify([infoHash, name, files])
  const signed = JSON.stringify([
    patch.btih,
    patchNameOf(release, patch.from),
    [{ path: 'patch', lengthBytes: patch.lengthBytes }],
  ])
  if (is !== signed) throw new UpdateError('METAINFO_INVALID', `torrent of the patch is ${is}, signed is ${signed}`)
}

const assertSha256 = async (path: string, signed: string): Promise<void> => {
  const digest = createHash('sha256')
  try {
    for await (const part of createReadStream(path)) digest.update(part)
  } catch (error) {
    throw fromFileSystem(error, `cannot read ${path}`)
  }
  const sha256 = digest.digest('hex')
  if (sha256 !== signed) throw new UpdateError('BUNDLE_INVALID', `it has SHA-256 ${sha256}, signed is ${signed}`)
}
