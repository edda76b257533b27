// Makes a verified tree the installed version: modes, one rename into `versions/`, one swap of the link `current`, and then
// whatever its kind does besides. Either the old or the new version is there at every moment. It takes a VerifiedBundle and
// nothing else.
import { join } from 'node:path'
import { finishTree } from '@updraft/core/bundle/unpack'
import type { Signer } from '@updraft/core/control/api'
import { makeDirectory, removeAll, renameDurably } from '@updraft/core/files/atomic'
import type { ReleaseName } from '@updraft/core/names'
import type { Activator } from './activation.ts'
import { linkOf, placeFor, pointCurrentTo, readCurrentPlace, readCurrentVersion } from './current-link.ts'
import type { VerifiedBundle } from './verify.ts'

declare const installed: unique symbol

/** Who signed a release, and how many had to. */
export interface SignedBy {
  readonly signers: readonly Signer[]
  readonly threshold: number
}

/** A version that `current` points to. Nothing is known yet of how well it works. */
export type InstalledVersion = ReleaseName &
  SignedBy & {
    readonly [installed]: true
    /** `products/<product>/current`: the path that stays the same over all versions. */
    readonly path: string
    /** `products/<product>/versions/<version>` */
    readonly versionPath: string
  }

export interface InstallOptions {
  /** The agent's `products/`. */
  readonly productsDirectory: string
  readonly activator: Activator
  /** What was in use before. */
  readonly previous: string | undefined
}

/**
 * Installs the tree, points `current` to it and brings it into use.
 *
 * Errors: DISK_FULL, PERMISSION, IO, and those of an Activator; `current` may point to it by then.
 */
export const installBundle = async (bundle: VerifiedBundle, options: InstallOptions): Promise<InstalledVersion> => {
  const { productsDirectory, activator, previous } = options
  const { product, version } = bundle.release.release
  const place = placeFor(version, await readCurrentPlace(productsDirectory, product))
  const versionPath = join(productsDirectory, product, 'versions', place)

  await activator.assertFits({ version, treePath: bundle.treePath })
  await makeDirectory(join(productsDirectory, product, 'versions'))
  await finishTree(bundle.index, bundle.treePath)
  // What stands in the way is the remainder of an installation that never became current.
  await removeAll(versionPath)
  await renameDurably(bundle.treePath, versionPath)
  await pointCurrentTo(productsDirectory, product, place)
  await activator.activate({ version, treePath: versionPath }, previous)
  return stamp(bundle.release.release, bundle.release, versionPath, options)
}

/**
 * Takes up a version whose installation was interrupted after `current` pointed to it: only a verified tree ever gets a place
 * under `versions/`. It is brought into use again, since nobody knows how far that was. Undefined if `current` points elsewhere.
 *
 * Errors: PERMISSION, IO, and those of an Activator.
 */
export const takeUpInstalled = async (
  release: ReleaseName,
  signedBy: SignedBy,
  options: InstallOptions,
): Promise<InstalledVersion | undefined> => {
  const { productsDirectory, activator, previous } = options
  const { product, version } = release
  const place = await readCurrentPlace(productsDirectory, product)
  if (place === undefined || (await readCurrentVersion(productsDirectory, product)) !== version) return undefined
  const versionPath = join(productsDirectory, product, 'versions', place)
  await activator.activate({ version, treePath: versionPath }, previous)
  return stamp(release, signedBy, versionPath, options)
}

const stamp = (
  { product, version, platform }: ReleaseName,
  { signers, threshold }: SignedBy,
  versionPath: string,
  { productsDirectory }: Pick<InstallOptions, 'productsDirectory'>,
): InstalledVersion => {
  const path = linkOf(productsDirectory, product)
  return { product, version, platform, signers, threshold, path, versionPath } as InstalledVersion
}
