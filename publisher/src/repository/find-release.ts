// A published release by the names that people give it. Pure.
import { UpdateError } from '@updraft/core/errors'
import {
  type Platform,
  type Product,
  parsePlatform,
  parseProduct,
  parseReleaseVersion,
  type ReleaseVersion,
} from '@updraft/core/names'
import type { PublishedRelease, RepositoryPart } from '../repository.ts'
import { assertProduct } from './demands.ts'

export interface WantedRelease {
  readonly product: Product
  readonly version: ReleaseVersion
  /** Only the release for this platform; undefined is every one of the version. */
  readonly platform?: Platform | undefined
}

/** As a command line says it. Errors: PRODUCT_INVALID, VERSION_INVALID, PLATFORM_INVALID. */
export const parseWanted = (product: string, version: string, platform: string | undefined): WantedRelease => ({
  product: parseProduct(product),
  version: parseReleaseVersion(version),
  platform: platform === undefined ? undefined : parsePlatform(platform),
})

export type FoundReleases = readonly [PublishedRelease, ...PublishedRelease[]]

const TOLD_MAX = 10

/**
 * One for each platform.
 *
 * Errors: PRODUCT_UNKNOWN, RELEASE_UNKNOWN with what there is.
 */
export const findReleases = (
  repository: RepositoryPart,
  { product, version, platform }: WantedRelease,
): FoundReleases => {
  assertProduct(repository, product)
  const own = repository.releases.filter(({ release }) => release.product === product)
  const [first, ...rest] = own.filter(
    ({ release }) => release.version === version && (platform === undefined || release.platform === platform),
  )
  if (first !== undefined) return [first, ...rest]
  const known = own.map(({ release }) => `${release.version} (${release.platform})`)
  throw new UpdateError(
    'RELEASE_UNKNOWN',
    `${repository.directory} has no release ${product} ${version}${platform === undefined ? '' : ` for ${platform}`}`,
    { hint: known.length === 0 ? 'nothing of it was published yet' : `there is ${known.slice(-TOLD_MAX).join(', ')}` },
  )
}
