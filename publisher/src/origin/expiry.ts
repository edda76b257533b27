// What of a repository's metadata has expired or will soon, in sentences for the log and the status page. Pure.
import { ONLINE_ROLES } from '../renew.ts'
import type { RoleState } from '../repository.ts'

const DAY_MS = 24 * 60 * 60 * 1_000
/** Roots and targets are often signed in a ceremony of several people: a month is what that takes to arrange. */
const NOTICE_DAYS = 30

export interface ExpiryView {
  readonly directory: string
  readonly now: Date
  /** Whether somebody here renews snapshot and timestamp. */
  readonly renewing: boolean
}

/** One sentence for each role that a person has to care about; none if nobody has to. */
export const expiryProblems = (
  roles: readonly RoleState[],
  { directory, now, renewing }: ExpiryView,
): readonly string[] =>
  roles.flatMap(({ role, expires }) => {
    const online = ONLINE_ROLES.some((name) => name === role)
    const when = expires.toISOString()
    const remedy = `updraft-publisher renew ${directory} --role ${role}`
    if (expires <= now)
      return [`the metadata of ${role} expired at ${when}, so updates have stopped; renew it with: ${remedy}`]
    if (online)
      return renewing
        ? []
        : [`the metadata of ${role} expires at ${when}, and this origin does not renew it; renew it with: ${remedy}`]
    if (expires.getTime() - now.getTime() > NOTICE_DAYS * DAY_MS) return []
    return [`the metadata of ${role} expires at ${when}; renew it with: ${remedy}`]
  })
