// Lets machines have a release before it has reached the age that their owners ask for. Pure. It does nothing else: owners'
// windows, holds and approvals stay, and so does the rollout.
import { type Amendment, assertNotYanked } from '../amend.ts'

/** Errors: RELEASE_YANKED. */
export const urgency: Amendment = (payload, release) => {
  assertNotYanked(release)
  return { ...payload, urgent: true }
}
