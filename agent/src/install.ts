// Makes a verified tree the installed version: modes, one rename into `versions/`, one swap of the link `current`. Either
// the old or the new version is there at every moment. It takes a VerifiedBundle and nothing else.
import { readdir, readlink, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { finishTree } from '@updraft/core/bundle/unpack'
import { fromFileSystem, systemCodeOf } from '@updraft/core/errors'
import { makeDirectory, renameDurably, replaceLink } from '@updraft/core/files/atomic'
import type { Product, ReleaseVersion } from '@updraft/core/names'
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
  const versionPath = join(home, 'versions', version)
  const path = join(home, 'current')

  await makeDirectory(join(home, 'versions'))
  await finishTree(bundle.index, bundle.treePath)
  // What stands in the way is the remainder of an installation that never became current.
  await rm(versionPath, { recursive: true, force: true })
  await renameDurably(bundle.treePath, versionPath)
  await replaceLink(path, join('versions', version))
  return { product, version, path, versionPath, bundle } as InstalledVersion
}

/** The version that `current` points to, read from the link itself; undefined if the product is not installed. */
export const readCurrentVersion = async (productsDirectory: string, product: Product): Promise<string | undefined> => {
  const link = join(productsDirectory, product, 'current')
  try {
    return /^versions\/([^/]+)$/.exec(await readlink(link))?.[1]
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined
    throw fromFileSystem(error, `cannot read ${link}`)
  }
}

/** Removes installed versions other than `keep`. Running programs keep the files that they have open. */
export const removeVersionsExcept = async (
  productsDirectory: string,
  product: Product,
  keep: readonly string[],
): Promise<readonly string[]> => {
  const versions = join(productsDirectory, product, 'versions')
  const surplus = (await readdir(versions)).filter((version) => !keep.includes(version))
  for (const version of surplus) await rm(join(versions, version), { recursive: true, force: true })
  return surplus
}
