// The link `current` of an installed product: which folder under `versions/` it points to, which version that is, and how it
// is moved. Decides nothing.
import { readlink, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fromFileSystem, systemCodeOf } from '@updraft/core/errors'
import { namesIn, replaceLink, syncDirectory } from '@updraft/core/files/atomic'
import { compareVersions, isNewer, type Product, parseReleaseVersion, type ReleaseVersion } from '@updraft/core/names'

/** Not part of any semver version, so no other version can have the name of such a folder. */
const AGAIN = '~again'

/** Folder for `version`. Installed over itself it goes beside itself: what `current` points to is never taken away. */
export const placeFor = (version: ReleaseVersion, currentPlace: string | undefined): string =>
  currentPlace === version ? `${version}${AGAIN}` : version

/** The version that `current` points to, read from the link itself; undefined if the product is not installed. */
export const readCurrentVersion = async (productsDirectory: string, product: Product): Promise<string | undefined> =>
  (await readCurrentPlace(productsDirectory, product))?.replace(AGAIN, '')

/** The version that a folder under `versions/` is of. */
export const versionOf = (place: string): string => place.replace(AGAIN, '')

/** The same; undefined if that is no version: then the agent has not put it there. */
export const releaseVersionOf = (place: string): ReleaseVersion | undefined => {
  try {
    return parseReleaseVersion(versionOf(place))
  } catch {
    return undefined // The name is all that is asked about.
  }
}

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

/**
 * Name of the folder of the newest version that is older than `version`, or else of the newest other one; undefined if there is
 * none. By version and not by time: a folder that was copied or brought back from a backup is as old as that. Errors: PERMISSION, IO.
 */
export const findOtherPlace = async (
  productsDirectory: string,
  product: Product,
  version: ReleaseVersion,
): Promise<string | undefined> => {
  const others = (await namesIn(join(productsDirectory, product, 'versions'))).flatMap((place) => {
    const other = releaseVersionOf(place)
    return other === undefined || other === version ? [] : [{ place, other, isOlder: isNewer(version, other) }]
  })
  others.sort((a, b) => Number(b.isOlder) - Number(a.isOlder) || compareVersions(b.other, a.other))
  return others[0]?.place
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
