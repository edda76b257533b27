// Which of all signed releases are for this machine, and newer than what it has: channel, platform, yanks, version range. Pure.
// Whether the time has come for one of them is for the other rules.
import { ANY_PLATFORM, compareVersions, isNewer, type ReleaseVersion } from '@updraft/core/names'
import type { Release } from '@updraft/core/release'
import semver from 'semver'
import type { Urgency } from '../refresh.ts'
import type { ProductSettings } from '../settings.ts'
import { isForPlatform } from './platform.ts'
import { wayOutOf, yankOf } from './yank.ts'

/** What plan needs to see of a release; what it returns is what it was given, untouched. */
export interface Candidate {
  readonly release: Release
  /** Whose signed word it is that it need not wait for its age. */
  readonly urgency?: Urgency | undefined
}

export interface OfferInput<T extends Candidate> {
  readonly product: ProductSettings
  /** Trusted releases, of any product, in any order. */
  readonly releases: readonly T[]
  readonly installed: ReleaseVersion | undefined
}

export interface Offer<T extends Candidate> {
  /** The newest release of channel and platform that was not yanked, whether or not the other rules let it in. */
  readonly available: T | undefined
  /** Newest first. */
  readonly newer: readonly T[]
  /** Where the yank of the installed release leads. */
  readonly wayOut: T | undefined
}

/** Notes each rule as it is decided, and answers whether it passed. */
export type Decide = (rule: string, passed: boolean, detail: string) => boolean

export const offer = <T extends Candidate>(input: OfferInput<T>, decide: Decide): Offer<T> => {
  const { product, releases, installed } = input
  const own = releases.filter(({ release }) => release.product === product.name).sort(newestFirst)
  const { available, newer } = newerOf(product, own, installed, decide)
  // The publisher says where to go, so the channel is not asked; what the owner says of platform and range holds here as well.
  const forMachine = own.filter(({ release }) => isForPlatform(release, product))
  const yanked = yankOf(forMachine, installed)
  if (yanked === undefined) return { available, newer, wayOut: undefined }
  const wayOut = wayOutOf(yanked, forMachine)
  const isAllowed = wayOut !== undefined && isInRange(wayOut.release.version, product.versionRange)
  const [newest] = newer
  if (isAllowed || newest === undefined) decide('way-out', isAllowed, wayOutDetail(product, yanked, wayOut))
  else decide('way-out', true, `the installed ${installed} was yanked; the newer ${newest.release.version} is there`)
  return { available, newer, wayOut: isAllowed ? wayOut : undefined }
}

const newerOf = <T extends Candidate>(
  product: ProductSettings,
  own: readonly T[],
  installed: ReleaseVersion | undefined,
  decide: Decide,
): Pick<Offer<T>, 'available' | 'newer'> => {
  const nothing = { available: undefined, newer: [] }
  if (!decide('signed', own.length > 0, `${count(own, 'signed release')} of ${product.name}`)) return nothing

  const inChannel = own.filter(({ release }) => release.channels.includes(product.channel))
  if (!decide('channel', inChannel.length > 0, channelDetail(product, own, inChannel))) return nothing

  const fitting = inChannel.filter(({ release }) => isForPlatform(release, product))
  if (!decide('platform', fitting.length > 0, platformDetail(product, inChannel, fitting))) return nothing

  const standing = fitting.filter(({ release }) => release.yanked === undefined)
  const [available] = standing
  if (standing.length < fitting.length && !decide('not-yanked', standing.length > 0, yankDetail(fitting, standing))) {
    return nothing
  }

  const inRange = standing.filter(({ release }) => isInRange(release.version, product.versionRange))
  if (!decide('version-range', inRange.length > 0, rangeDetail(product, standing, inRange))) {
    return { available, newer: [] }
  }

  const newer = inRange.filter(({ release }) => installed === undefined || isNewer(release.version, installed))
  decide('newer', newer.length > 0, newerDetail(installed, newer[0] ?? inRange[0]))
  return { available, newer }
}

/** The newest version first; of one version, the build for exactly this platform before the one for any. */
const newestFirst = (a: Candidate, b: Candidate): number =>
  compareVersions(b.release.version, a.release.version) ||
  Number(a.release.platform === ANY_PLATFORM) - Number(b.release.platform === ANY_PLATFORM)

/** The channel already says whether prereleases are wanted, so a range does not shut them out a second time. */
const isInRange = (version: ReleaseVersion, range: string | undefined): boolean =>
  range === undefined || semver.satisfies(version, range, { includePrerelease: true })

const channelDetail = ({ channel }: ProductSettings, from: readonly Candidate[], to: readonly Candidate[]): string => {
  if (to.length > 0) return `${to.length} of ${from.length} in channel ${channel}`
  const others = [...new Set(from.flatMap(({ release }) => release.channels))].sort()
  return `none of ${count(from, 'release')} is in channel ${channel}; there is ${others.join(', ') || 'no channel'}`
}

const platformDetail = (
  { platform }: ProductSettings,
  from: readonly Candidate[],
  to: readonly Candidate[],
): string => {
  if (to.length > 0)
    return `${to.length} of ${from.length} for ${platform}${platform === ANY_PLATFORM ? '' : ' or any'}`
  const others = [...new Set(from.map(({ release }) => release.platform))].sort()
  return `none of ${count(from, 'release')} is for ${platform} or any; there is ${others.join(', ')}`
}

const yankDetail = (from: readonly Candidate[], to: readonly Candidate[]): string => {
  const newest = from.find(({ release }) => release.yanked !== undefined)?.release
  const left = to.length === 0 ? `none of ${count(from, 'release')} is left` : `${to.length} of ${from.length} are left`
  return `${left}; ${newest?.version} was yanked: ${newest?.yanked?.reason}`
}

const rangeDetail = (
  { versionRange }: ProductSettings,
  from: readonly Candidate[],
  to: readonly Candidate[],
): string => {
  if (versionRange === undefined) return 'every version is let in'
  if (to.length > 0) return `${to.length} of ${from.length} in ${versionRange}`
  return `none of ${count(from, 'release')} is in ${versionRange}; the newest is ${from[0]?.release.version}`
}

const newerDetail = (installed: ReleaseVersion | undefined, newest: Candidate | undefined): string => {
  const version = newest?.release.version
  if (installed === undefined) return `${version} is the newest; nothing is installed`
  if (version === installed) return `the newest, ${version}, is installed`
  if (version !== undefined && isNewer(version, installed)) return `${version} is newer than the installed ${installed}`
  return `the newest, ${version}, is older than the installed ${installed}; only a yank goes back`
}

const wayOutDetail = ({ versionRange }: ProductSettings, yanked: Release, wayOut: Candidate | undefined): string => {
  const { version } = yanked
  const goTo = yanked.yanked?.goTo
  if (goTo === undefined) return `the installed ${version} was yanked, and no other version is named to go to`
  if (wayOut === undefined) return `the installed ${version} was yanked; ${goTo} is named, which cannot be had`
  const found = `the installed ${version} was yanked; its publisher sends machines to ${wayOut.release.version}`
  return isInRange(wayOut.release.version, versionRange) ? found : `${found}, which is not in ${versionRange}`
}

const count = (things: readonly unknown[], what: string): string =>
  `${things.length} ${what}${things.length === 1 ? '' : 's'}`
