// The folders under `versions/` of a product: how large they are, and how those that are no longer wanted are taken away, never
// the one that `current` points to.
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fromFileSystem, systemCodeOf } from '@updraft/core/errors'
import { namesIn, removeAll } from '@updraft/core/files/atomic'
import type { Product, ReleaseVersion } from '@updraft/core/names'
import { findPlace, readCurrentPlace, versionOf } from './current-link.ts'

/** Removes installed versions other than `keep` and the current one. Running programs keep the files that they have open. */
export const removeVersionsExcept = async (
  productsDirectory: string,
  product: Product,
  keep: readonly string[],
): Promise<void> => {
  const current = await readCurrentPlace(productsDirectory, product)
  const versions = join(productsDirectory, product, 'versions')
  for (const place of await namesIn(versions)) {
    // What was installed over itself stands beside itself.
    const isReplaced = current !== undefined && versionOf(place) === versionOf(current)
    if (place !== current && (isReplaced || !keep.includes(versionOf(place)))) await removeAll(join(versions, place))
  }
}

/** Length of all files of an installed version, in bytes; 0 if it is not there. Errors: PERMISSION, IO. */
export const lengthOfVersion = async (
  productsDirectory: string,
  product: Product,
  version: ReleaseVersion,
): Promise<number> => {
  const place = await findPlace(productsDirectory, product, version)
  if (place === undefined) return 0
  const tree = join(productsDirectory, product, 'versions', place)
  try {
    let lengthBytes = 0
    for (const entry of await readdir(tree, { recursive: true, withFileTypes: true })) {
      if (entry.isFile()) lengthBytes += await lengthOfFile(join(entry.parentPath, entry.name))
    }
    return lengthBytes
  } catch (error) {
    throw fromFileSystem(error, `cannot look at ${tree}`)
  }
}

/** A program may remove its own files while they are counted. */
const lengthOfFile = async (path: string): Promise<number> => {
  try {
    return (await lstat(path)).size
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return 0
    throw error
  }
}
