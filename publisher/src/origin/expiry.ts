// What of a repository's metadata has expired or will soon. Pure.
import { URGENT_ROLE } from '@updraft/core/names'
import { ONLINE_ROLES } from '../renew.ts'
import type { Repository, RoleState } from '../repository.ts'
import type { Problem } from './problem.ts'

const DAY_MS = 24 * 60 * 60 * 1_000
/** Root and targets are often signed in a ceremony of several people: a month is what that takes to arrange. */
const NOTICE_DAYS = 30
/** Snapshot and timestamp are renewed at half of their life: who has let it come to this has missed it. */
const ONLINE_NOTICE_SHARE = 1 / 4

export interface ExpiryProblem extends Problem {
  readonly expired: boolean
}

/** One for each role that a person has to care about; none if nobody has to. */
export const expiryProblems = (repository: Repository, now: Date): readonly ExpiryProblem[] =>
  repository.roles.flatMap((state): ExpiryProblem[] => {
    const { role, expires } = state
    const detail = `renew it with: updraft-publisher renew ${repository.directory} --role ${role}`
    const when = expires.toISOString()
    const follows = role === URGENT_ROLE ? 'machines take no release for urgent' : 'updates have stopped'
    if (expires <= now)
      return [{ summary: `the ${role} metadata expired at ${when}, so ${follows}`, detail, expired: true }]
    const soon = expires.getTime() - now.getTime() < noticeMsOf(state, repository)
    return soon ? [{ summary: `the ${role} metadata expires at ${when}`, detail, expired: false }] : []
  })

const noticeMsOf = ({ role }: RoleState, { settings }: Repository): number => {
  const online = ONLINE_ROLES.find((name) => name === role)
  return (online === undefined ? NOTICE_DAYS : settings.expiryDays[online] * ONLINE_NOTICE_SHARE) * DAY_MS
}
