// The releases that a verified edition describes, and where their files lie. Only names and signed facts; whether the
// bytes are there and intact is for whoever opens them.
import { join } from 'node:path'
import { messageOf, UpdateError } from '@updraft/core/errors'
import { bundleNameOf, releaseNameOfIndexPath } from '@updraft/core/names'
import { parseRelease, type Release } from '@updraft/core/release'
import type { SignedTargets, TufTarget } from '@updraft/core/trust/metadata'
import type { Edition } from './edition.ts'
import { layoutOf, targetFileNames } from './layout.ts'

/** A target as it was signed, and the file that has to hold it. */
export interface StoredTarget {
  readonly path: string
  readonly file: string
  readonly lengthBytes: number
  readonly sha256: string
}

export interface PublishedRelease {
  readonly release: Release
  readonly index: StoredTarget
  readonly metainfo: StoredTarget
  /** Folder of the files `index` and `pack`; its name is the torrent's name. */
  readonly bundleDirectory: string
}

/**
 * Every release of every product, in the order of the metadata. Targets that are not releases are left alone.
 *
 * Errors: REPOSITORY_INVALID if a release is malformed or lacks its metainfo.
 */
export const releasesOf = (directory: string, edition: Edition): readonly PublishedRelease[] =>
  [...edition.products.values()].flatMap(({ metadata: { signed } }) =>
    Object.keys(signed.targets)
      .filter((path) => releaseNameOfIndexPath(path) !== undefined)
      .map((path) => publishedRelease(directory, path, signed)),
  )

const publishedRelease = (directory: string, path: string, { targets }: SignedTargets): PublishedRelease => {
  try {
    const release = parseRelease(targets[path]?.custom, path)
    return {
      release,
      index: storedTarget(directory, path, targets[path]),
      metainfo: storedTarget(directory, release.torrent.metainfo, targets[release.torrent.metainfo]),
      bundleDirectory: join(layoutOf(directory).bundles, bundleNameOf(release)),
    }
  } catch (error) {
    throw new UpdateError('REPOSITORY_INVALID', `${path} is not a release: ${messageOf(error)}`, { cause: error })
  }
}

/** The file under its SHA-256 name. The policy has made sure that every target lists one. */
const storedTarget = (directory: string, path: string, target: TufTarget | undefined): StoredTarget => {
  if (target === undefined) throw new UpdateError('REPOSITORY_INVALID', `there is no target ${path}`)
  const { sha256 = '', sha512 = '' } = target.hashes
  const [name] = targetFileNames(path, { sha256, sha512 })
  return { path, file: join(layoutOf(directory).targets, name), lengthBytes: target.length, sha256 }
}
