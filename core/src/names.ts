// The grammar of everything that is named: product, release version, platform, channel, and the target paths made of
// them. A name that passed here is safe as a file name, a URL part and a TUF path; nothing here touches the disk.
import semver from 'semver'
import { UpdateError } from './errors.ts'
import { LIMITS } from './limits.ts'

declare const brand: unique symbol
type Named<Kind extends string> = string & { readonly [brand]: Kind }

export type Product = Named<'product'>
/** semver 2.0.0 without build metadata: two builds of one version could not be ordered. */
export type ReleaseVersion = Named<'releaseVersion'>
export type Platform = Named<'platform'>
export type Channel = Named<'channel'>

const PRODUCT = /^[a-z][a-z0-9-]*$/
const PLATFORM = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/
const CHANNEL = /^[a-z][a-z0-9-]*$/
/** The role that says which releases are urgent: see trust/urgent.ts. It stands among the roles of products. */
export const URGENT_ROLE = 'urgent'

/** Names of roles that are no products, though a product is also a role: those of TUF itself, and one of ours. */
const RESERVED_PRODUCTS = new Set(['root', 'targets', 'snapshot', 'timestamp', 'mirrors', 'constructor', URGENT_ROLE])

export const parseProduct = (value: string): Product => {
  if (!PRODUCT.test(value) || value.length > LIMITS.productLengthMax || RESERVED_PRODUCTS.has(value)) {
    throw new UpdateError('PRODUCT_INVALID', `product name ${JSON.stringify(value)} is not allowed`, {
      hint: `use up to ${LIMITS.productLengthMax} of a-z, 0-9 and -, beginning with a letter, and not the name of a role`,
    })
  }
  return value as Product
}

/** Exact semver 2.0.0: no `v` in front, no spaces, no ranges. */
export const parseReleaseVersion = (value: string): ReleaseVersion => {
  const parsed = value.length <= LIMITS.versionLengthMax ? semver.parse(value) : null
  if (parsed === null || parsed.version !== value) {
    throw new UpdateError('VERSION_INVALID', `version ${JSON.stringify(value)} is not a semver version`, {
      hint: 'use MAJOR.MINOR.PATCH with an optional -prerelease, such as 1.4.0 or 2.0.0-rc.1',
    })
  }
  return value as ReleaseVersion
}

export const parsePlatform = (value: string): Platform => {
  if (!PLATFORM.test(value) || value.length > LIMITS.platformLengthMax) {
    throw new UpdateError('PLATFORM_INVALID', `platform ${JSON.stringify(value)} is not allowed`, {
      hint: 'use OS-ARCHITECTURE in lower case, such as linux-x64, or any',
    })
  }
  return value as Platform
}

export const parseChannel = (value: string): Channel => {
  if (!CHANNEL.test(value) || value.length > LIMITS.channelLengthMax) {
    throw new UpdateError('CHANNEL_INVALID', `channel ${JSON.stringify(value)} is not allowed`, {
      hint: `use up to ${LIMITS.channelLengthMax} of a-z, 0-9 and -, beginning with a letter, such as stable`,
    })
  }
  return value as Channel
}

export const ANY_PLATFORM = parsePlatform('any')
export const STABLE_CHANNEL = parseChannel('stable')

/** The platform of the running machine, in Node's words: `linux-x64`, `darwin-arm64`, `win32-x64`. */
export const platformOfThisMachine = (): Platform => parsePlatform(`${process.platform}-${process.arch}`)

export interface ReleaseName {
  readonly product: Product
  readonly version: ReleaseVersion
  readonly platform: Platform
}

/** TUF target path of the index of a release: its `custom` is the release. */
export const indexPathOf = ({ product, version, platform }: ReleaseName): string =>
  `${product}/${version}/${platform}.index`

/** TUF target path of the metainfo of a release. */
export const metainfoPathOf = ({ product, version, platform }: ReleaseName): string =>
  `${product}/${version}/${platform}.torrent`

/** Where the patches of the index of a release lie, each under `<sha256>.` like a target, though none is one. */
export const indexPatchPathOf = ({ product, version, platform }: ReleaseName): string =>
  `${product}/${version}/${platform}.index-patch`

/** Where the metainfo of the patches to a release lies, likewise. */
export const patchMetainfoPathOf = ({ product, version, platform }: ReleaseName): string =>
  `${product}/${version}/${platform}.patch.torrent`

/**
 * Name of the folder that a torrent's files live in, and of the folder under `bundles/` (BEP 3 `name`). No part of it can
 * contain `_`, so no two releases share one: `1.0.0-linux` for `x64` is not `1.0.0` for `linux-x64`.
 */
export const bundleNameOf = ({ product, version, platform }: ReleaseName): string => `${product}_${version}_${platform}`

/** The same for the torrent of a patch from the release whose index has this SHA-256. */
export const patchNameOf = (release: ReleaseName, from: string): string =>
  `${bundleNameOf(release)}${FROM}${from.slice(0, 16)}`

const FROM = '_from_'

/** Whether this is the name of a patch to the bundle of that name. */
export const isPatchOf = (name: string, bundleName: string): boolean => name.startsWith(`${bundleName}${FROM}`)

/** `acme 1.4.0 (linux-x64)`: how people see a release. */
export const describeRelease = ({ product, version, platform }: ReleaseName): string =>
  `${product} ${version} (${platform})`

/** The release that a target path names, or undefined for anything that is not exactly `product/version/platform.index`. */
export const releaseNameOfIndexPath = (path: string): ReleaseName | undefined => {
  const match = /^([^/]+)\/([^/]+)\/([^/]+)\.index$/.exec(path)
  if (match === null) return undefined
  const [, product = '', version = '', platform = ''] = match
  try {
    return {
      product: parseProduct(product),
      version: parseReleaseVersion(version),
      platform: parsePlatform(platform),
    }
  } catch {
    return undefined // Not a release of this grammar: the caller reports the path as foreign.
  }
}

export const compareVersions = (a: ReleaseVersion, b: ReleaseVersion): number => semver.compare(a, b)
export const isNewer = (a: ReleaseVersion, b: ReleaseVersion): boolean => semver.gt(a, b)
