// The link `current` of an installed product: which folder under `versions/` it points to, which version that is, and how it
// is moved. Decides nothing.
import { readdir, readlink, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fromFileSystem, systemCodeOf } from '@updraft/core/errors'
import { replaceLink, syncDirectory } from '@updraft/core/files/atomic'
import type { Product, ReleaseVersion } from '@updraft/core/names'

/** Not part of any semver version, so no other version can have the name of such a folder. */
const AGAIN = '~again'

/** Folder for `version`. Installed over itself it goes beside itself: what `current` points to is never taken away. */
export const placeFor = (version: ReleaseVersion, currentPlace: string | undefined): string =>
  currentPlace === version ? `${version}${AGAIN}` : version

/** The version that `current` points to, read from the link itself; undefined if the product is not installed. */
export const readCurrentVersion = async (productsDirectory: string, product: Product): Promise<string | undefined> =>
  versionOf(await readCurrentPlace(productsDirectory, product))

const versionOf = (place: string | undefined): string | undefined => place && versionOfPlace(place)

/** The version that stands in a folder of that name. */
export const versionOfPlace = (place: string): string => place.replace(AGAIN, '')

/** Name of the folder under `versions/` that `current` points to. Errors: PERMISSION, IO. */
export const readCurrentPlace = async (productsDirectory: string, product: Product): Promise<string | undefined> => {
  const link = linkOf(productsDirectory, product)
  try {
    return /^versions\/([^/]+)$/.exec(await readlink(link))?.[1]
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined
    throw fromFileSystem(error, `cannot read ${link}`)
  }
}

/** Name of the folder of a version that is kept; undefined if there is none. */
export const findPlace = async (
  productsDirectory: string,
  product: Product,
  version: ReleaseVersion,
): Promise<string | undefined> => {
  for (const place of [version, `${version}${AGAIN}`]) {
    if (await isDirectory(join(productsDirectory, product, 'versions', place))) return place
  }
  return undefined
}

/** Name of the folder of a version other than `version`, the last one that was put there; undefined if there is none. */
export const findOtherPlace = async (
  productsDirectory: string,
  product: Product,
  version: ReleaseVersion,
): Promise<string | undefined> => {
  const versions = join(productsDirectory, product, 'versions')
  const entries = await readdir(versions, { withFileTypes: true }).catch(noneIfGone)
  const others = entries.filter((entry) => entry.isDirectory() && versionOf(entry.name) !== version)
  const changed = await Promise.all(
    others.map(async ({ name: place }) => ({ place, atMs: (await stat(join(versions, place))).ctimeMs })),
  )
  return changed.sort((a, b) => b.atMs - a.atMs)[0]?.place
}

/** A program may have removed the folders that it runs from. */
export const noneIfGone = (error: unknown): never[] => {
  if (systemCodeOf(error) === 'ENOENT') return []
  throw error
}

/** Points `current` to a folder under `versions/`, in one step. Errors: DISK_FULL, PERMISSION, IO. */
export const pointCurrentTo = (productsDirectory: string, product: Product, place: string): Promise<void> =>
  replaceLink(linkOf(productsDirectory, product), join('versions', place))

/** Takes `current` away: the product is not installed. Errors: PERMISSION, IO. */
export const removeCurrent = async (productsDirectory: string, product: Product): Promise<void> => {
  const link = linkOf(productsDirectory, product)
  try {
    await rm(link, { force: true })
    await syncDirectory(join(productsDirectory, product))
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return // Its whole folder is gone.
    throw fromFileSystem(error, `cannot remove ${link}`)
  }
}

export const linkOf = (productsDirectory: string, product: Product): string =>
  join(productsDirectory, product, 'current')

const isDirectory = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false // Gone, or not to be looked at: either way nothing that `current` could point to.
  }
}
