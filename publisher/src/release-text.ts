// How a release looks to a person at a terminal. Pure.
import { URGENT_ROLE } from '@updraft/core/names'
import type { Release } from '@updraft/core/release'
import { shareText } from './amend/rollout.ts'

export type Offer = Pick<Release, 'channels' | 'rollout' | 'yanked'> & {
  /** The role whose word it is that it is urgent. */
  readonly urgentBy?: string | undefined
}

/** Who is offered it, in one line. */
export const offerText = ({ channels, rollout, urgentBy, yanked }: Offer): string => {
  if (yanked !== undefined) {
    const way = yanked.goTo === undefined ? 'machines stay where they are' : `machines go to ${yanked.goTo}`
    return `yanked, ${way}: ${yanked.reason}`
  }
  const curve = rollout?.map((step) => `${shareText(step)} from ${step.at}`).join(', ')
  return [
    `on ${channels.join(', ') || 'no channel'}`,
    curve === undefined ? 'for all machines' : `for ${curve}`,
    ...(urgentBy === undefined ? [] : [urgentBy === URGENT_ROLE ? 'urgent' : `urgent, by the keys of ${urgentBy}`]),
  ].join('; ')
}

/** Who may have it at `now`, in a word or two. */
export const shareNowText = ({ rollout, yanked }: Offer, now: Date): string => {
  if (yanked !== undefined) return 'yanked'
  if (rollout === undefined) return 'all machines'
  const begun = rollout.filter(({ at }) => Date.parse(at) <= now.getTime()).at(-1)
  return begun === undefined ? 'none yet' : shareText(begun)
}
