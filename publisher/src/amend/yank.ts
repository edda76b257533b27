// Withdraws a release: nobody installs it any more, and who has it is sent elsewhere. And takes that back. Pure.
import { UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import { ANY_PLATFORM, type ReleaseVersion } from '@updraft/core/names'
import type { Release } from '@updraft/core/release'
import { type Amendment, assertNotYanked } from '../amend.ts'
import type { RepositoryPart } from '../repository.ts'

export interface Yank {
  readonly reason: string
  /** Where machines that have it go, even if that is older; undefined leaves them where they are. */
  readonly goTo: ReleaseVersion | undefined
}

/** Errors: RELEASE_YANKED (this one, or where to go), RELEASE_UNKNOWN (where to go), USAGE. */
export const yank =
  ({ reason, goTo }: Yank, now: Date): Amendment =>
  (payload, release, repository) => {
    if (reason.trim() === '' || reason.length > LIMITS.yankReasonLength || /\p{Cc}/u.test(reason)) {
      throw new UpdateError(
        'USAGE',
        `a reason has 1 to ${LIMITS.yankReasonLength} characters in one line, not ${reason.length}`,
        {
          hint: 'it is shown to the owner of every machine that has the release: say what is wrong in one sentence',
        },
      )
    }
    assertNotYanked(release)
    if (goTo !== undefined) assertReachable(release, goTo, repository)
    return {
      ...payload,
      yanked: { at: now.toISOString(), reason, ...(goTo === undefined ? {} : { goTo }) },
    }
  }

/**
 * Takes a yank back: the release is offered again as it was before, with its channels and its rollout. Machines that have gone elsewhere
 * take it if it is newer than what they have now, unless they have marked it bad themselves.
 */
export const unyank: Amendment = ({ yanked: _, ...payload }) => payload

/** Machines keep to their platform. Their channel does not matter on the way back: a beta is left for a stable one. */
const assertReachable = (release: Release, goTo: ReleaseVersion, { releases }: RepositoryPart): void => {
  if (goTo === release.version) throw new UpdateError('USAGE', `${goTo} is the release that is yanked`)
  const found = releases
    .map((published) => published.release)
    .filter(
      (other) =>
        other.product === release.product &&
        other.version === goTo &&
        (other.platform === release.platform || other.platform === ANY_PLATFORM),
    )
  if (found.length === 0) {
    throw new UpdateError('RELEASE_UNKNOWN', `there is no ${release.product} ${goTo} for ${release.platform}`, {
      hint: 'machines can only go to a version that was published for their platform',
    })
  }
  if (found.every(({ yanked }) => yanked !== undefined)) for (const other of found) assertNotYanked(other)
}
