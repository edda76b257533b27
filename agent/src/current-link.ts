// The link `current` of an installed product: which folder under `versions/` it points to, and which version that is.
import { readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fromFileSystem, systemCodeOf } from '@updraft/core/errors'
import type { Product, ReleaseVersion } from '@updraft/core/names'

/** Not part of any semver version, so no other version can have the name of such a folder. */
const AGAIN = '~again'

/** Folder for `version`. Installed over itself it goes beside itself: what `current` points to is never taken away. */
export const placeFor = (version: ReleaseVersion, currentPlace: string | undefined): string =>
  currentPlace === version ? `${version}${AGAIN}` : version

/** The version that `current` points to, read from the link itself; undefined if the product is not installed. */
export const readCurrentVersion = async (productsDirectory: string, product: Product): Promise<string | undefined> =>
  (await readCurrentPlace(productsDirectory, product))?.replace(AGAIN, '')

/** Name of the folder under `versions/` that `current` points to. Errors: PERMISSION, IO. */
export const readCurrentPlace = async (productsDirectory: string, product: Product): Promise<string | undefined> => {
  const link = join(productsDirectory, product, 'current')
  try {
    return /^versions\/([^/]+)$/.exec(await readlink(link))?.[1]
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined
    throw fromFileSystem(error, `cannot read ${link}`)
  }
}
