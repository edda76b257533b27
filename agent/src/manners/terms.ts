// What the swarm may use of the network at one moment, and why. Pure: settings, clock, connection and what was sent come in as data.
import type { SwarmTerms } from '@updraft/core/swarm/swarm'
import { isOpenAt } from '../plan/window.ts'
import type { Manners } from '../settings/manners.ts'

export interface MannersFacts {
  readonly now: Date
  /** IANA name; asked only if there is a schedule. */
  readonly timeZone: string
  /** Undefined if nobody knows. */
  readonly metered: boolean | undefined
  /** To peers outside of the LAN, in this calendar month. */
  readonly sentThisMonthBytes: number
}

/** Why nothing is sent to peers outside the LAN. */
export type PauseReason = 'quota' | 'metered' | 'schedule'

export interface Terms {
  readonly swarm: SwarmTerms
  /** Undefined while peers outside are sent something. */
  readonly paused: PauseReason | undefined
}

export const termsOf = (manners: Manners, facts: MannersFacts): Terms => {
  const { now, metered, sentThisMonthBytes } = facts
  const scheduled = manners.schedule.find(({ window }) => isOpenAt([window], now, facts.timeZone))
  const paused = ((): PauseReason | undefined => {
    if (manners.uploadQuotaBytesPerMonth !== undefined && sentThisMonthBytes >= manners.uploadQuotaBytesPerMonth) {
      return 'quota'
    }
    if (manners.sharingOnMetered === 'pause' && metered === true) return 'metered'
    return scheduled?.sharing === 'pause' ? 'schedule' : undefined
  })()
  const rateOf = (name: keyof Manners['limits']) => scheduled?.limits[name] ?? manners.limits[name]
  return {
    paused,
    swarm: {
      uploadLimit: rateOf('uploadLimitBytes'),
      downloadLimit: rateOf('downloadLimitBytes'),
      lanUploadLimit: rateOf('lanUploadLimitBytes'),
      lanDownloadLimit: rateOf('lanDownloadLimitBytes'),
      sharesOutside: paused === undefined,
      yields: manners.yields,
    },
  }
}

/** `2026-01`, on the wall clock of the machine. */
export const monthOf = (now: Date): string => `${now.getFullYear()}-${String(now.getMonth() + 1).padStart(2, '0')}`

/** For people: why, and until when. */
export const pauseText = (reason: PauseReason): string => {
  switch (reason) {
    case 'quota':
      return 'the quota of this month is used up'
    case 'metered':
      return 'the connection is metered'
    case 'schedule':
      return 'the schedule says so at this time'
  }
}
