// Decides, before any work is done, whether a release may be published, and on which earlier one it builds. Pure.
import { UpdateError } from '@updraft/core/errors'
import { type Channel, compareVersions, describeRelease, isNewer, type ReleaseName } from '@updraft/core/names'
import type { RolloutStep } from '@updraft/core/release'
import { assertNotExpired, assertProduct } from '../repository/demands.ts'
import type { PublishedRelease, Repository } from '../repository.ts'

export interface ReleaseRequest extends ReleaseName {
  readonly channels: readonly Channel[]
  readonly notes?: string | undefined
  /** Who may have it from when on; undefined is everyone, at once. */
  readonly rollout?: readonly RolloutStep[] | undefined
}

export interface ReleasePlan extends ReleaseRequest {
  /**
   * The releases that machines may come from, the newest first. The chunks of that one are carried over, and the index gets
   * a patch from each.
   */
  readonly recent: readonly PublishedRelease[]
}

/** Each costs the signed release 200 bytes; a machine that is further behind fetches the whole index. */
const RECENT_RELEASES = 3

/**
 * A version has to be newer than every release for the same platform that shares a channel with it. So 1.4.1 may go to
 * `stable` while 2.0.0-rc.1 is on `beta`.
 *
 * Errors: PRODUCT_UNKNOWN, VERSION_NOT_NEWER, METADATA_EXPIRED (a role that this does not sign anew).
 */
export const planRelease = (repository: Repository, request: ReleaseRequest, now: Date): ReleasePlan => {
  assertProduct(repository, request.product)
  assertNotExpired(repository, now)
  const { releases } = repository
  const sameLine = releases.filter(
    ({ release }) => release.product === request.product && release.platform === request.platform,
  )
  const sameChannel = sameLine.filter(({ release }) =>
    release.channels.some((channel) => request.channels.includes(channel)),
  )
  assertNewer(sameLine, sameChannel, request)
  const older = sameLine.filter(({ release }) => isNewer(request.version, release.version))
  const line = sameChannel.length > 0 ? sameChannel : older
  const newestFirst = line.toSorted((a, b) => compareVersions(b.release.version, a.release.version))
  return { ...request, recent: newestFirst.slice(0, RECENT_RELEASES) }
}

const assertNewer = (
  sameLine: readonly PublishedRelease[],
  sameChannel: readonly PublishedRelease[],
  request: ReleaseRequest,
): void => {
  const inTheWay =
    sameLine.find(({ release }) => compareVersions(release.version, request.version) === 0) ?? newestOf(sameChannel)
  if (inTheWay === undefined || isNewer(request.version, inTheWay.release.version)) return
  const { release } = inTheWay
  throw new UpdateError(
    'VERSION_NOT_NEWER',
    `version ${request.version} is not newer than ${describeRelease(release)} on ${release.channels.join(', ')}`,
    { hint: 'publish under a higher version; a released version never changes' },
  )
}

const newestOf = (releases: readonly PublishedRelease[]): PublishedRelease | undefined =>
  releases.reduce<PublishedRelease | undefined>(
    (newest, each) => (newest === undefined || isNewer(each.release.version, newest.release.version) ? each : newest),
    undefined,
  )
