// Bans over restarts: those of the last run hold on, each new one is written down and told. A ban that cannot be written down
// (a full disk) holds until the agent stops.
import { messageOf } from '@updraft/core/errors'
import { BAN_TERM_MS, BANNED_SUBJECTS_MAX, type BanList, memoryBans } from '@updraft/core/swarm/peers/bans'
import type { Log } from './log.ts'
import type { Bans } from './store/bans.ts'

export interface RememberedBansOptions {
  readonly store: Bans
  readonly log: Pick<Log, 'warn'>
  readonly now: () => Date
  /** Somebody was banned for what they sent of this bundle. */
  readonly onBan?: (bundle: string) => void
}

export const rememberedBans = ({ store, log, now, onBan = () => {} }: RememberedBansOptions): BanList => {
  const bans = memoryBans({
    now: () => now().getTime(),
    remembered: store.lasting(now().toISOString()).map(({ subject, until }) => [subject, Date.parse(until)] as const),
  })
  return {
    isBanned: bans.isBanned,
    ban: (subject, reason, bundle) => {
      bans.ban(subject, reason)
      // Worth a line: a person may want to know whose machine sends bad data.
      log.warn(`banned ${subject}: ${reason}`)
      const at = now()
      const until = new Date(at.getTime() + BAN_TERM_MS).toISOString()
      try {
        store.put({ subject, reason, until, bundle }, at.toISOString(), BANNED_SUBJECTS_MAX)
        if (bundle !== undefined) onBan(bundle)
      } catch (error) {
        log.warn(`the ban is forgotten when the agent stops: ${messageOf(error)}`)
      }
    },
  }
}
