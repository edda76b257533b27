// Puts a release on further channels. Pure.
import { UpdateError } from '@updraft/core/errors'
import { type Channel, describeRelease, isNewer } from '@updraft/core/names'
import { type Amendment, assertNotYanked } from '../amend.ts'

/**
 * On each of its channels a release has to be newer than every other one for its platform, as when it is published: nobody
 * would ever get it else.
 *
 * Errors: RELEASE_YANKED, VERSION_NOT_NEWER.
 */
export const promotion =
  (channels: readonly Channel[]): Amendment =>
  (payload, release, { releases }) => {
    assertNotYanked(release)
    const added = channels.filter((channel) => !release.channels.includes(channel))
    const newer = releases.find(
      ({ release: other }) =>
        other.product === release.product &&
        other.platform === release.platform &&
        other.yanked === undefined &&
        isNewer(other.version, release.version) &&
        other.channels.some((channel) => added.includes(channel)),
    )
    if (newer !== undefined) {
      throw new UpdateError(
        'VERSION_NOT_NEWER',
        `${describeRelease(newer.release)} is newer than ${release.version}, and on ${newer.release.channels.join(', ')} already`,
        { hint: 'promote that one, or publish this build under a higher version' },
      )
    }
    return { ...payload, channels: [...payload.channels, ...added] }
  }
