// Removes from a repository what no signed metadata refers to: the rest of a publish that was killed, and metadata that
// was superseded long ago. What clients can see is never touched.
import { access, readdir, rm, rmdir } from 'node:fs/promises'
import { basename, join, relative } from 'node:path'
import { fromFileSystem, systemCodeOf } from '@updraft/core/errors'
import { indexPatchPathOf } from '@updraft/core/names'
import type { Repository, RepositoryPart, RoleState } from '../repository.ts'
import { layoutOf, targetFileName, targetFileNames } from './layout.ts'

/**
 * A client that is in the middle of a refresh still asks for the versions it was told of a moment ago, so some stay.
 * Without an end they would grow with the square of the number of releases.
 */
const SUPERSEDED_VERSIONS_KEPT = 10

/**
 * Sweeps all of a repository, or if only a part of it was opened its metadata: that has no say in which bytes are still referred to.
 *
 * Errors: PERMISSION, IO. Whoever calls it holds the lock and has just read the edition.
 */
export const sweep = async (repository: RepositoryPart): Promise<void> => {
  const layout = layoutOf(repository.directory)
  try {
    await sweepMetadata(layout.metadata, repository.roles)
    if (isWhole(repository)) {
      await sweepBundles(layout.bundles, repository)
      await sweepTargets(layout.targets, repository)
    }
    // Last, because it says that there may be something to sweep.
    await rm(layout.staging, { recursive: true, force: true })
  } catch (error) {
    throw fromFileSystem(error, `cannot clean up ${repository.directory}`)
  }
}

/** Whether a change did not end well, or has not ended yet. */
export const hasLeftovers = (directory: string): Promise<boolean> =>
  access(layoutOf(directory).staging).then(
    () => true,
    (error: unknown) => systemCodeOf(error) !== 'ENOENT',
  )

const isWhole = (repository: RepositoryPart): repository is Repository => repository.edition.carried.length === 0

const sweepMetadata = async (folder: string, roles: readonly RoleState[]): Promise<void> => {
  const current = new Map(
    roles
      .filter(({ role }) => role !== 'root' && role !== 'timestamp')
      .map(({ role, metadataVersion }) => [role, metadataVersion]),
  )
  for (const name of await namesIn(folder)) {
    const [, digits = '', role = ''] = /^([1-9][0-9]*)\.(.+)\.json$/.exec(name) ?? []
    const newest = current.get(role)
    const version = Number(digits)
    const superseded = newest !== undefined && version < newest - SUPERSEDED_VERSIONS_KEPT
    const neverPublished = newest !== undefined ? version > newest : role !== '' && role !== 'root'
    if (superseded || neverPublished || isTemporary(name)) await rm(join(folder, name), { force: true })
  }
}

const sweepBundles = async (folder: string, { releases }: Repository): Promise<void> => {
  const referenced = new Set(releases.flatMap(({ torrents }) => torrents.map(({ directory }) => basename(directory))))
  for (const name of await namesIn(folder)) {
    if (!referenced.has(name)) await rm(join(folder, name), { recursive: true, force: true })
  }
}

const sweepTargets = async (folder: string, { edition, releases }: Repository): Promise<void> => {
  const referenced = new Set(
    [edition.targets, ...edition.products.values()].flatMap(({ metadata }) =>
      Object.entries(metadata.signed.targets).flatMap(([path, { hashes }]) =>
        targetFileNames(path, { sha256: hashes.sha256 ?? '', sha512: hashes.sha512 ?? '' }),
      ),
    ),
  )
  for (const { release, torrents } of releases) {
    for (const { sha256 } of release.indexPatches ?? [])
      referenced.add(targetFileName(indexPatchPathOf(release), sha256))
    for (const { metainfo } of torrents) referenced.add(relative(folder, metainfo.file))
  }
  await sweepFolder(folder, (file) => referenced.has(relative(folder, file)))
}

/** Removes files that are not kept, and folders that are empty then. Returns whether anything is left. */
const sweepFolder = async (folder: string, isKept: (file: string) => boolean): Promise<boolean> => {
  let left = false
  for (const entry of await entriesIn(folder)) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) {
      if (await sweepFolder(path, isKept)) left = true
      else await rmdir(path)
    } else if (isKept(path)) left = true
    else await rm(path, { force: true })
  }
  return left
}

/** What `writeFileAtomic` leaves when it is killed. */
const isTemporary = (name: string): boolean => name.startsWith('.') && name.endsWith('.tmp')

const namesIn = async (folder: string): Promise<readonly string[]> =>
  (await entriesIn(folder)).map((entry) => entry.name)

const entriesIn = async (folder: string) => {
  try {
    return await readdir(folder, { withFileTypes: true })
  } catch (error) {
    // A repository without any release has no bundles yet.
    if (systemCodeOf(error) === 'ENOENT') return []
    throw error
  }
}
