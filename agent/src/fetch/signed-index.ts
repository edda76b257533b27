// The index of a release, by the cheapest way: it is here already, or a patch makes it from one that is here, or all of it is
// fetched. Whichever way, its bytes are the signed ones or it is an error.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { applyIndexPatch } from '@updraft/core/bundle/index-patch'
import { hasCode, isUpdateError, messageOf, UpdateError } from '@updraft/core/errors'
import { readFileBounded } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { indexPatchPathOf } from '@updraft/core/names'
import type { Release } from '@updraft/core/release'
import type { TargetFile, TrustedRelease } from '../refresh.ts'
import type { LocalBundle } from './local.ts'
import { fetchTarget, type RepositoryPlace } from './target.ts'

export interface FetchIndexOptions {
  readonly local: readonly LocalBundle[]
  readonly signal: AbortSignal
  readonly onWarning: (message: string) => void
  /** What brings all files of the release, in place of the repository. */
  readonly carrier?: RepositoryPlace | undefined
  /** What may give what the repository does not. */
  readonly others?: Pick<RepositoryPlace, 'peers' | 'isUnreachable'> | undefined
}

/** What a trusted release says of its index. */
export type IndexedRelease = Pick<TrustedRelease, 'index' | 'repositoryUrl'> & {
  readonly release: Pick<Release, 'product' | 'version' | 'platform' | 'indexPatches'>
}

/**
 * Errors: SOURCE_UNREACHABLE, BUNDLE_INVALID (other bytes than the signed ones), ABORTED. A patch that fails is told and
 *         costs its own bytes, no more.
 */
export const fetchIndex = async (release: IndexedRelease, options: FetchIndexOptions): Promise<Buffer> => {
  const { signal, onWarning, carrier, others } = options
  const place = { ...others, url: release.repositoryUrl }
  if (carrier !== undefined) return await fetchTarget(release.index, carrier, signal)
  for (const { bundleDirectory } of options.local) {
    const older = await readLocalIndex(bundleDirectory)
    if (older === undefined) continue
    const from = sha256Of(older)
    if (from === release.index.sha256) return older
    const patch = release.release.indexPatches?.find((each) => each.from === from)
    if (patch === undefined) continue
    try {
      return await patched(release, older, { path: indexPatchPathOf(release.release), ...patch }, place, signal)
    } catch (error) {
      if (!isUpdateError(error) || hasCode(error, 'ABORTED')) throw error
      onWarning(`the index is fetched whole, its patch was of no use: ${messageOf(error)}`)
      break
    }
  }
  return await fetchTarget(release.index, place, signal)
}

const patched = async (
  { index }: IndexedRelease,
  older: Buffer,
  patch: TargetFile,
  place: RepositoryPlace,
  signal: AbortSignal,
): Promise<Buffer> => {
  const bytes = await applyIndexPatch(older, await fetchTarget(patch, place, signal))
  const sha256 = sha256Of(bytes)
  if (sha256 === index.sha256) return bytes
  throw new UpdateError('BUNDLE_INVALID', `it makes an index with SHA-256 ${sha256}, signed is ${index.sha256}`)
}

/** Gone or unreadable: then there is nothing to start from. What is damaged has another digest. */
const readLocalIndex = async (bundleDirectory: string): Promise<Buffer | undefined> =>
  await readFileBounded(join(bundleDirectory, 'index'), LIMITS.indexLengthBytes).catch(() => undefined)

const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
