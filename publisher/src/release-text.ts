// How a release looks to a person at a terminal. Pure.
import type { Release } from '@updraft/core/release'
import { shareText } from './amend/rollout.ts'

export type Offer = Pick<Release, 'channels' | 'rollout' | 'urgent' | 'yanked'>

/** Who is offered it, in one line. */
export const offerText = ({ channels, rollout, urgent, yanked }: Offer): string => {
  if (yanked !== undefined) {
    const way = yanked.goTo === undefined ? 'machines stay where they are' : `machines go to ${yanked.goTo}`
    return `yanked, ${way}: ${yanked.reason}`
  }
  const curve = rollout?.map((step) => `${shareText(step)} from ${step.at}`).join(', ')
  return [
    `on ${channels.join(', ') || 'no channel'}`,
    curve === undefined ? 'for all machines' : `for ${curve}`,
    ...(urgent === undefined ? [] : ['urgent']),
  ].join('; ')
}

/** Who may have it at `now`, in a word or two. */
export const shareNowText = ({ rollout, yanked }: Offer, now: Date): string => {
  if (yanked !== undefined) return 'yanked'
  if (rollout === undefined) return 'all machines'
  const begun = rollout.filter(({ at }) => Date.parse(at) <= now.getTime()).at(-1)
  return begun === undefined ? 'none yet' : shareText(begun)
}
