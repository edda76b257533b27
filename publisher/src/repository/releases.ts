// The releases that a verified edition describes, and where their files lie. Only names and signed facts; whether the
// bytes are there and intact is for whoever opens them.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { messageOf, UpdateError } from '@updraft/core/errors'
import {
  bundleNameOf,
  describeRelease,
  patchMetainfoPathOf,
  patchNameOf,
  releaseNameOfIndexPath,
  URGENT_ROLE,
} from '@updraft/core/names'
import { parseRelease, type Release, type ReleasePatch } from '@updraft/core/release'
import type { SignedTargets, TufTarget } from '@updraft/core/trust/metadata'
import { isListedUrgent, type UrgentList } from '@updraft/core/trust/urgent'
import { urgentListOf } from '../sign/urgent.ts'
import type { EditionPart } from './edition.ts'
import { type Layout, layoutOf, targetFileName, targetFileNames } from './layout.ts'

/** A target as it was signed, and the file that has to hold it. */
export interface StoredTarget {
  readonly path: string
  readonly file: string
  readonly lengthBytes: number
  readonly sha256: string
}

/** What the swarm carries: a bundle, or a patch that leads to one. */
export interface PublishedTorrent {
  /** What people call it. */
  readonly description: string
  /** SHA-1 of the info dictionary, in hex. */
  readonly infoHash: string
  readonly metainfo: StoredTarget
  /** Folder of its files; the folder's name is the torrent's name. */
  readonly directory: string
}

export interface PublishedRelease {
  readonly release: Release
  readonly index: StoredTarget
  readonly metainfo: StoredTarget
  /** Folder of the files `index` and `pack`; its name is the torrent's name. */
  readonly bundleDirectory: string
  /**
   * The role whose word it is that machines may have it before the age that their owners ask for: `urgent`, or in a repository
   * without that one the product's own.
   */
  readonly urgentBy: string | undefined
  /** The bundle's first, then those of its patches. */
  readonly torrents: readonly PublishedTorrent[]
}

/** Whether `bytes` are what was signed. */
export const isWhole = ({ lengthBytes, sha256 }: StoredTarget, bytes: Buffer): boolean =>
  bytes.length === lengthBytes && createHash('sha256').update(bytes).digest('hex') === sha256

/**
 * Every release of the products that are open, in the order of the metadata. Targets that are not releases are left alone.
 *
 * Errors: REPOSITORY_INVALID if a release is malformed or lacks its metainfo.
 */
export const releasesOf = (directory: string, edition: EditionPart): readonly PublishedRelease[] => {
  const urgent = urgentListOf(edition)
  return [...edition.products.values()].flatMap(({ metadata: { signed } }) =>
    parsedReleasesOf(directory, signed).map((release) => ({
      ...release,
      urgentBy: urgentRoleOf(release.release, release.index.sha256, urgent),
    })),
  )
}

/** As the product itself says it; who calls it urgent is said elsewhere. */
type ParsedRelease = Omit<PublishedRelease, 'urgentBy'>

const parsedReleasesOf = (directory: string, signed: SignedTargets): readonly ParsedRelease[] => {
  const known = parsed.get(signed)
  if (known?.directory === directory) return known.releases
  const layout = layoutOf(directory)
  const releases = Object.keys(signed.targets)
    .filter((path) => releaseNameOfIndexPath(path) !== undefined)
    .map((path) => parsedRelease(layout, path, signed))
  parsed.set(signed, { directory, releases })
  return releases
}

/** After a change all but one product are what they were, and there may be ten thousand releases. */
const parsed = new WeakMap<SignedTargets, { directory: string; releases: readonly ParsedRelease[] }>()

const parsedRelease = (layout: Layout, path: string, { targets }: SignedTargets): ParsedRelease => {
  try {
    const release = parseRelease(targets[path]?.custom, path)
    const metainfo = storedTarget(layout, release.torrent.metainfo, targets[release.torrent.metainfo])
    const bundleDirectory = join(layout.bundles, bundleNameOf(release))
    const bundle = {
      description: describeRelease(release),
      infoHash: release.torrent.btih,
      metainfo,
      directory: bundleDirectory,
    }
    const patches = (release.patches ?? []).map((patch) => patchTorrent(layout, release, patch))
    const index = storedTarget(layout, path, targets[path])
    return { release, index, metainfo, bundleDirectory, torrents: [bundle, ...patches] }
  } catch (error) {
    throw new UpdateError('REPOSITORY_INVALID', `${path} is not a release: ${messageOf(error)}`, { cause: error })
  }
}

const urgentRoleOf = (release: Release, indexSha256: string, urgent: UrgentList | undefined): string | undefined => {
  if (urgent === undefined) return release.urgent === true ? release.product : undefined
  return isListedUrgent(urgent, release, indexSha256) ? URGENT_ROLE : undefined
}

/** A patch is no target of its own; its metainfo is stored like one. */
const patchTorrent = (layout: Layout, release: Release, { from, btih, metainfo }: ReleasePatch): PublishedTorrent => {
  const path = patchMetainfoPathOf(release)
  return {
    description: `a patch to ${describeRelease(release)}`,
    infoHash: btih,
    metainfo: { path, file: join(layout.targets, targetFileName(path, metainfo.sha256)), ...metainfo },
    directory: join(layout.bundles, patchNameOf(release, from)),
  }
}

/** The file under its SHA-256 name. The policy has made sure that every target lists one. */
const storedTarget = (layout: Layout, path: string, target: TufTarget | undefined): StoredTarget => {
  if (target === undefined) throw new UpdateError('REPOSITORY_INVALID', `there is no target ${path}`)
  const { sha256 = '', sha512 = '' } = target.hashes
  const [name] = targetFileNames(path, { sha256, sha512 })
  return { path, file: join(layout.targets, name), lengthBytes: target.length, sha256 }
}
