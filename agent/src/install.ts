// Makes a verified tree the installed version: modes, one rename into `versions/`, one swap of the link `current`. Either
// the old or the new version is there at every moment. It takes a VerifiedBundle and nothing else.
import { join } from 'node:path'
import { finishTree } from '@updraft/core/bundle/unpack'
import type { Signer } from '@updraft/core/control/api'
import { makeDirectory, removeAll, renameDurably } from '@updraft/core/files/atomic'
import type { ReleaseName } from '@updraft/core/names'
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
}

/**
 * Installs the tree and points `current` to it.
 *
 * Errors: DISK_FULL, PERMISSION, IO; then `current` is as it was.
 */
export const installBundle = async (bundle: VerifiedBundle, options: InstallOptions): Promise<InstalledVersion> => {
  const { productsDirectory } = options
  const { product, version } = bundle.release.release
  const place = placeFor(version, await readCurrentPlace(productsDirectory, product))
  const versionPath = join(productsDirectory, product, 'versions', place)

  await makeDirectory(join(productsDirectory, product, 'versions'))
  await finishTree(bundle.index, bundle.treePath)
  // What stands in the way is the remainder of an installation that never became current.
  await removeAll(versionPath)
  await renameDurably(bundle.treePath, versionPath)
  await pointCurrentTo(productsDirectory, product, place)
  return stamp(bundle.release.release, bundle.release, versionPath, options)
}

/**
 * Takes up a version whose installation was interrupted after `current` pointed to it: only a verified tree ever gets a place
 * under `versions/`. Undefined if `current` points elsewhere.
 *
 * Errors: PERMISSION, IO.
 */
export const takeUpInstalled = async (
  release: ReleaseName,
  signedBy: SignedBy,
  options: InstallOptions,
): Promise<InstalledVersion | undefined> => {
  const { productsDirectory } = options
  const { product, version } = release
  const place = await readCurrentPlace(productsDirectory, product)
  if (place === undefined || (await readCurrentVersion(productsDirectory, product)) !== version) return undefined
  return stamp(release, signedBy, join(productsDirectory, product, 'versions', place), options)
}

const stamp = (
  { product, version, platform }: ReleaseName,
  { signers, threshold }: SignedBy,
  versionPath: string,
  { productsDirectory }: InstallOptions,
): InstalledVersion => {
  const path = linkOf(productsDirectory, product)
  return { product, version, platform, signers, threshold, path, versionPath } as InstalledVersion
}
