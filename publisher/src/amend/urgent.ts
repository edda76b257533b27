// What a product's own role signs about a release that machines may have before the age that their owners ask for. Pure. It counts
// in repositories without the role `urgent` alone. It does nothing else: owners' windows, holds and approvals stay, and so does the
// rollout.
import { type Amendment, assertNotYanked } from '../amend.ts'

/** Errors: RELEASE_YANKED. */
export const urgency: Amendment = (payload, release) => {
  assertNotYanked(release)
  return { ...payload, urgent: true }
}

/** Whoever has installed it keeps it. */
export const noUrgency: Amendment = ({ urgent: _, ...payload }) => payload
