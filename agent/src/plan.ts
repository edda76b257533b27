// Decides what a product should be updated to. Pure: what it is given is all that it knows, and its answer carries the
// rules that it went through, passed or not, in order. Never decides whether something may be trusted: see refresh.ts.
import type { Rule } from '@updraft/core/control/api'
import { ANY_PLATFORM, compareVersions, isNewer, type ReleaseVersion } from '@updraft/core/names'
import type { Release } from '@updraft/core/release'
import semver from 'semver'
import { whyBad } from './plan/bad-mark.ts'
import type { ProductSettings } from './settings.ts'
import type { BadMark } from './store/bad-marks.ts'

/** What plan needs to see of a release; what it returns is what it was given, untouched. */
export interface Candidate {
  readonly release: Release
}

export interface PlanInput<T extends Candidate> {
  readonly product: ProductSettings
  /** Trusted releases, of any product, in any order. */
  readonly releases: readonly T[]
  readonly installed: ReleaseVersion | undefined
  readonly agentVersion: ReleaseVersion
  /** Of this product. */
  readonly badMarks: readonly BadMark[]
}

export type Plan<T extends Candidate> =
  | { readonly kind: 'nothing'; readonly available: T | undefined; readonly rules: readonly Rule[] }
  | { readonly kind: 'update'; readonly release: T; readonly available: T; readonly rules: readonly Rule[] }

/**
 * Picks the release to install now: the newest of the channel, platform and version range that is newer than what is
 * installed, that this agent and the installed version can go to, and that is not marked bad here. Never goes back to an older version.
 *
 * Shape: `available` is the newest release of channel and platform, whether or not the other rules let it in.
 */
export const plan = <T extends Candidate>(input: PlanInput<T>): Plan<T> => {
  const { product, releases, installed, agentVersion, badMarks } = input
  const rules: Rule[] = []
  const decide = (rule: string, passed: boolean, detail: string): boolean => {
    rules.push({ rule, passed, detail })
    return passed
  }
  const nothing = (available?: T): Plan<T> => ({ kind: 'nothing', available, rules })

  const own = releases.filter(({ release }) => release.product === product.name).sort(newestFirst)
  if (!decide('signed', own.length > 0, `${count(own, 'signed release')} of ${product.name}`)) return nothing()

  const inChannel = own.filter(({ release }) => release.channels.includes(product.channel))
  if (!decide('channel', inChannel.length > 0, channelDetail(product, own, inChannel))) return nothing()

  const fitting = inChannel.filter(
    ({ release }) => release.platform === product.platform || release.platform === ANY_PLATFORM,
  )
  const [available] = fitting
  decide('platform', available !== undefined, platformDetail(product, inChannel, fitting))
  if (available === undefined) return nothing()

  const { versionRange } = product
  const inRange = fitting.filter(
    ({ release }) => versionRange === undefined || isInRange(release.version, versionRange),
  )
  if (!decide('version-range', inRange.length > 0, rangeDetail(product, fitting, inRange))) return nothing(available)

  const newer = inRange.filter(({ release }) => installed === undefined || isNewer(release.version, installed))
  if (!decide('newer', newer.length > 0, newerDetail(installed, newer[0] ?? inRange[0]))) return nothing(available)

  for (const candidate of newer) {
    const { version, minimumAgentVersion, minimumPreviousVersion } = candidate.release
    const bad = whyBad(version, badMarks)
    const notBad = bad === undefined || decide('bad-mark', false, bad)
    const agentOk =
      minimumAgentVersion === undefined ||
      decide(
        'agent-version',
        compareVersions(agentVersion, minimumAgentVersion) >= 0,
        `${version} needs agent ${minimumAgentVersion} or newer; this is ${agentVersion}`,
      )
    // A first installation has nothing to convert, so it needs no stepping stone.
    const previousOk =
      minimumPreviousVersion === undefined ||
      installed === undefined ||
      decide(
        'previous-version',
        compareVersions(installed, minimumPreviousVersion) >= 0,
        `${version} can follow ${minimumPreviousVersion} or newer; installed is ${installed}`,
      )
    if (notBad && agentOk && previousOk) {
      decide('chosen', true, `${version} for ${candidate.release.platform}, published ${candidate.release.published}`)
      return { kind: 'update', release: candidate, available, rules }
    }
  }
  return nothing(available)
}

/** The newest version first; of one version, the build for exactly this platform before the one for any. */
const newestFirst = (a: Candidate, b: Candidate): number =>
  compareVersions(b.release.version, a.release.version) ||
  Number(a.release.platform === ANY_PLATFORM) - Number(b.release.platform === ANY_PLATFORM)

/** The channel already says whether prereleases are wanted, so a range does not shut them out a second time. */
const isInRange = (version: ReleaseVersion, range: string): boolean =>
  semver.satisfies(version, range, { includePrerelease: true })

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
  return `the newest, ${version}, is older than the installed ${installed}; nothing goes back`
}

const count = (things: readonly unknown[], what: string): string =>
  `${things.length} ${what}${things.length === 1 ? '' : 's'}`
