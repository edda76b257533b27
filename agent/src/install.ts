// Makes a verified tree the installed version: modes, one rename into `versions/`, one swap of the link `current`. Either
// the old or the new version is there at every moment. It takes a VerifiedBundle and nothing else.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { finishTree } from '@updraft/core/bundle/unpack'
import { makeDirectory, renameDurably, replaceLink } from '@updraft/core/files/atomic'
import type { Product, ReleaseVersion } from '@updraft/core/names'
import { placeFor, readCurrentPlace } from './current-link.ts'
import type { VerifiedBundle } from './verify.ts'

declare const installed: unique symbol

/** A version that `current` points to. */
export type InstalledVersion = {
  readonly [installed]: true
  readonly product: Product
  readonly version: ReleaseVersion
  /** `products/<product>/current`: the path that stays the same over all versions. */
  readonly path: string
  /** `products/<product>/versions/<version>` */
  readonly versionPath: string
  readonly bundle: VerifiedBundle
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
  const { product, version } = bundle.release.release
  const home = join(options.productsDirectory, product)
  const place = placeFor(version, await readCurrentPlace(options.productsDirectory, product))
  const versionPath = join(home, 'versions', place)
  const path = join(home, 'current')

  await makeDirectory(join(home, 'versions'))
  await finishTree(bundle.index, bundle.treePath)
  // What stands in the way is the remainder of an installation that never became current.
  await rm(versionPath, { recursive: true, force: true })
  await renameDurably(bundle.treePath, versionPath)
  await replaceLink(path, join('versions', place))
  return { product, version, path, versionPath, bundle } as InstalledVersion
}

/** Removes installed versions other than `keep` and the current one. Running programs keep the files that they have open. */
export const removeVersionsExcept = async (
  productsDirectory: string,
  product: Product,
  keep: readonly string[],
): Promise<void> => {
  const current = await readCurrentPlace(productsDirectory, product)
  const versions = join(productsDirectory, product, 'versions')
  for (const place of await readdir(versions)) {
    if (place !== current && !keep.includes(place)) await rm(join(versions, place), { recursive: true, force: true })
  }
}
