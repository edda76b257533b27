// Whether a release has been known for long enough. Pure. It counts from when the machine first saw the release, or most of those that
// its owner asks, never from the date in the metadata, so whoever signs cannot make a release older; the role `urgent` lifts the rule.
// What counts as its word is the refresh room's to say.
import type { Signer } from '@updraft/core/control/api'
import { bundleNameOf } from '@updraft/core/names'
import type { Question, Rule } from './facts.ts'
import { ageText, HOUR_MS } from './times.ts'

export const oldEnough: Rule<Question> = ({
  product: { minimumAgeHours },
  release,
  urgency,
  firstSeen,
  seenElsewhere,
  machine: { now },
}) => {
  if (minimumAgeHours === 0) return undefined
  const { version } = release
  if (urgency !== undefined) {
    const who = `${urgency.signers.map(nameOf).join(', ')} (role ${urgency.role})`
    return {
      passed: true,
      detail: `${version} is signed as urgent by ${who}, so it need not be ${minimumAgeHours} h old`,
    }
  }
  const here = Date.parse(firstSeen.get(bundleNameOf(release)) ?? now.toISOString())
  const elsewhere = Date.parse(seenElsewhere?.get(bundleNameOf(release)) ?? '')
  const isEarlier = elsewhere < here
  const seenAt = isEarlier ? elsewhere : here
  // Nothing was seen in the future: a clock that was set back since makes the release new, not old.
  const ageMs = Math.max(0, now.getTime() - seenAt)
  const remainingMs = minimumAgeHours * HOUR_MS - ageMs
  const claim = release.urgent === true ? '; its product calls it urgent, which only the role urgent may do' : ''
  const where = isEarlier ? 'by most of the named machines' : 'here'
  const detail = `${version} was first seen ${where} ${ageText(ageMs)} ago; ${minimumAgeHours} h are asked for${claim}`
  return remainingMs <= 0
    ? { passed: true, detail }
    : { passed: false, detail, recheckAt: new Date(now.getTime() + remainingMs) }
}

const nameOf = ({ keyId, name }: Signer): string => name ?? `key ${keyId.slice(0, 8)}`
