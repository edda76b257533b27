// Whether a release has been known for long enough. Pure. It counts from when the machine first saw the release, or most of those that
// its owner asks, never from the date in the metadata, so whoever signs cannot make a release older; `urgent`, signed, lifts the rule.
import { bundleNameOf } from '@updraft/core/names'
import type { Question, Rule } from './facts.ts'
import { ageText, HOUR_MS } from './times.ts'

export const oldEnough: Rule<Question> = ({
  product: { minimumAgeHours },
  release,
  firstSeen,
  seenElsewhere,
  machine,
}) => {
  const { now } = machine
  if (minimumAgeHours === 0) return undefined
  const { version } = release
  if (release.urgent === true) {
    return { passed: true, detail: `${version} is signed as urgent, so it need not be ${minimumAgeHours} h old` }
  }
  const here = Date.parse(firstSeen.get(bundleNameOf(release)) ?? now.toISOString())
  const elsewhere = Date.parse(seenElsewhere?.get(bundleNameOf(release)) ?? '')
  const isEarlier = elsewhere < here
  const seenAt = isEarlier ? elsewhere : here
  // Nothing was seen in the future: a clock that was set back since makes the release new, not old.
  const ageMs = Math.max(0, now.getTime() - seenAt)
  const remainingMs = minimumAgeHours * HOUR_MS - ageMs
  const detail = `${version} was first seen ${isEarlier ? 'by most of the named machines' : 'here'} ${ageText(ageMs)} ago; ${minimumAgeHours} h are asked for`
  return remainingMs <= 0
    ? { passed: true, detail }
    : { passed: false, detail, recheckAt: new Date(now.getTime() + remainingMs) }
}
