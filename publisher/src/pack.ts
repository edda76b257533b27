// First room of publishing: the build becomes a bundle (index and pack) in the staging folder, with the chunks of the
// previous release carried over. Knows nothing of torrents and signatures.
import { readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { type PreviousBundle, writeBundle } from '@updraft/core/bundle/bundle'
import type { BundleIndex } from '@updraft/core/bundle/bundle-index'
import { parseIndex } from '@updraft/core/bundle/index-file'
import { fromFileSystem, hasCode, messageOf, systemCodeOf, UpdateError } from '@updraft/core/errors'
import { makeDirectory, readFileBounded } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { bundleNameOf } from '@updraft/core/names'
import type { ProgressListener } from '@updraft/core/progress'
import type { ReleasePayload } from '@updraft/core/release'
import type { ReleasePlan } from './publish/plan.ts'
import { isInside } from './repository/layout.ts'
import { isWhole } from './repository/releases.ts'
import type { PublishedRelease } from './repository.ts'

export interface PackedBundle {
  /** Name of the torrent, and of the folder under `bundles/`. */
  readonly name: string
  readonly directory: string
  readonly indexPath: string
  readonly packPath: string
  /** The index file, byte for byte. */
  readonly indexBytes: Buffer
  readonly index: BundleIndex
  /** The newest release before, as it was read for this. */
  readonly previous: PreviousBundle | undefined
  readonly sizes: ReleasePayload['sizes']
  /** Bytes of the pack that are chunks of the previous release. */
  readonly reusedBytes: number
}

export interface PackOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ProgressListener | undefined
}

/**
 * The build's real path, if it can be published at all. `forbidden` are folders that must never end up in a release.
 *
 * Errors: BUILD_MISSING, BUILD_UNSUPPORTED if the repository or its keys lie in the build, PERMISSION, IO.
 */
export const findBuild = async (build: string, forbidden: readonly string[]): Promise<string> => {
  try {
    const path = await realpath(build)
    for (const folder of forbidden) {
      const real = await realpath(folder).catch(() => folder) // Not there: then its name has to do.
      if (!isInside(real, path) && !isInside(path, real)) continue
      throw new UpdateError('BUILD_UNSUPPORTED', `the build ${build} and ${folder} lie in one another`, {
        hint: 'publish a folder with nothing but the build in it: neither repository nor keys belong into a release',
      })
    }
    return path
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw fromFileSystem(error, `cannot read the build ${build}`)
    throw new UpdateError('BUILD_MISSING', `there is no build at ${build}`, { cause: error })
  }
}

/**
 * Packs `build` into a folder under `staging`.
 *
 * Errors: BUILD_EMPTY, BUILD_UNSUPPORTED, BUILD_CHANGED, REPOSITORY_INVALID if the previous release is damaged,
 *         LIMIT_EXCEEDED, DISK_FULL, PERMISSION, IO, ABORTED.
 */
export const pack = async (
  build: string,
  plan: ReleasePlan,
  staging: string,
  { signal, onProgress }: PackOptions = {},
): Promise<PackedBundle> => {
  const name = bundleNameOf(plan)
  const directory = join(staging, name)
  await makeDirectory(directory)
  const [newest] = plan.recent
  const previous = newest && (await readPrevious(newest))
  const written = await writeBundle({ build, into: directory, previous, signal, onProgress }).catch(
    (error: unknown) => {
      // The build is not a bundle, so this can only be about the previous one.
      throw hasCode(error, 'BUNDLE_INVALID') && newest ? damagedPrevious(newest, messageOf(error), error) : error
    },
  )
  const { index, indexPath, packPath, sizes, reusedBytes } = written
  const indexBytes = await readFile(indexPath)
  return { name, directory, indexPath, packPath, indexBytes, index, previous, sizes, reusedBytes }
}

/** The previous release's index as it was signed. Its pack is checked chunk by chunk when it is read. */
const readPrevious = async (previous: PublishedRelease): Promise<PreviousBundle> => {
  const { index, bundleDirectory } = previous
  const bytes = await readFileBounded(index.file, LIMITS.indexLengthBytes)
  if (!isWhole(index, bytes)) {
    throw damagedPrevious(previous, `${index.file} is not the index that was signed`)
  }
  return { index: parseIndex(bytes), packPath: join(bundleDirectory, 'pack') }
}

const damagedPrevious = ({ bundleDirectory }: PublishedRelease, why: string, cause?: unknown): UpdateError =>
  new UpdateError('REPOSITORY_INVALID', `the previous release is damaged: ${why}`, {
    cause,
    hint: `restore ${bundleDirectory} from a backup, or from any machine that has the release`,
  })
