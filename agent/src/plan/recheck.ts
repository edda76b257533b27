// When a decision is worth making again before the next regular look. Pure.
import type { Rule } from '@updraft/core/control/api'

/** The first time after `now` at which a rule that did not pass is to be asked again; undefined if time decides nothing. */
export const recheckAtOf = (rules: readonly Rule[], now: Date): Date | undefined => {
  const times = rules
    .flatMap(({ passed, recheckAt }) => (passed || recheckAt === undefined ? [] : [Date.parse(recheckAt)]))
    .filter((time) => time > now.getTime())
  return times.length === 0 ? undefined : new Date(Math.min(...times))
}
