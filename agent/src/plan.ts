// Decides what a product should be updated to. Pure: what it is given is all that it knows, and its answer carries the
// rules that it went through, passed or not, in order. Never decides whether something may be trusted: see refresh.ts.
import type { Rule as TracedRule } from '@updraft/core/control/api'
import type { ReleaseVersion } from '@updraft/core/names'
import { approved, notSkipped } from './plan/approval.ts'
import { notBad } from './plan/bad-mark.ts'
import { fitsOnDisk } from './plan/disk-space.ts'
import type { Moment, Question, Rule, Verdict } from './plan/facts.ts'
import { notHeld } from './plan/hold.ts'
import { unmetered } from './plan/metered.ts'
import { oldEnough } from './plan/minimum-age.ts'
import { type Candidate, type OfferInput, offer } from './plan/offer.ts'
import { idleEnough, powered } from './plan/power.ts'
import { rolledOut } from './plan/rollout.ts'
import { sameSigner } from './plan/same-signer.ts'
import { agentNewEnough, previousNewEnough } from './plan/stepping-stone.ts'
import { inWindow } from './plan/window.ts'

export type { Candidate } from './plan/offer.ts'

export interface PlanInput<T extends Candidate>
  extends OfferInput<T>,
    Moment,
    Pick<Question, 'firstSeen' | 'seenElsewhere' | 'badMarks' | 'identityChange'> {
  readonly agentVersion: ReleaseVersion
}

export type Plan<T extends Candidate> =
  | {
      readonly kind: 'nothing'
      readonly available: T | undefined
      /** What will be installed once the rules that time or the owner decides have passed. */
      readonly later: T | undefined
      readonly rules: readonly TracedRule[]
    }
  | { readonly kind: 'update'; readonly release: T; readonly available: T; readonly rules: readonly TracedRule[] }

/** Whether this machine can ever go to the release: what does not fit is passed over for the next one. */
const FITTING: readonly (readonly [string, Rule<Question>])[] = [
  ['bad-mark', notBad],
  ['not-skipped', notSkipped],
  ['agent-version', agentNewEnough],
  ['previous-version', previousNewEnough],
]

/** Whether the release is ready for this machine: until it is, an older one may be. */
const READY: readonly (readonly [string, Rule<Question>])[] = [
  ['rollout', rolledOut],
  ['minimum-age', oldEnough],
  ['approved', approved],
  ['same-signer', sameSigner],
  ['disk-space', fitsOnDisk],
]

const HELD: readonly (readonly [string, Rule<Moment>])[] = [['not-held', notHeld]]

/** Whether this machine is ready for any release. */
const TIMELY: readonly (readonly [string, Rule<Moment>])[] = [
  ...HELD,
  ['window', inWindow],
  ['battery', powered],
  ['metered', unmetered],
  ['load', idleEnough],
]

/**
 * Picks the release to install now: the newest of channel, platform and version range that is newer than what is installed,
 * fits, and is ready. Goes back to an older version only where the publisher has yanked the installed one and says where to.
 * Nothing is picked while the owner, the hour or the machine are against it.
 *
 * Shape: `available` is the newest release of channel and platform that was not yanked, whether or not other rules let it in.
 */
export const plan = <T extends Candidate>(input: PlanInput<T>): Plan<T> => {
  const rules: TracedRule[] = []
  const { available, newer, wayOut } = offer(input, (rule, passed, detail) => {
    rules.push({ rule, passed, detail })
    return passed
  })

  let later: T | undefined
  let ready: T | undefined
  for (const candidate of withWayOut(newer, wayOut)) {
    const { release, urgency } = candidate
    const question = { ...input, release, urgency, isWayOut: candidate === wayOut }
    const { version } = candidate.release
    if (!pass(FITTING, question, rules, version)) continue
    later ??= candidate
    if (!pass(READY, question, rules, version)) continue
    ready = candidate
    break
  }
  if (later === undefined) {
    // Whoever has put a product on hold wants to see that, also while nothing is new.
    pass(HELD, input, rules)
    return { kind: 'nothing', available, later, rules }
  }

  const isTime = pass(TIMELY, input, rules)
  if (ready === undefined || !isTime) return { kind: 'nothing', available, later: ready ?? later, rules }

  const { version, platform, published } = ready.release
  rules.push({ rule: 'chosen', passed: true, detail: `${version} for ${platform}, published ${published}` })
  return { kind: 'update', release: ready, available: available ?? ready, rules }
}

/** What is newer comes first: whoever has a bad release is better served by a good new one. */
const withWayOut = <T>(newer: readonly T[], wayOut: T | undefined): readonly T[] =>
  wayOut === undefined || newer.includes(wayOut) ? newer : [...newer, wayOut]

/** Asks every rule, so that the trace has all that is in the way and not only the first of it. */
const pass = <Asked>(
  asked: readonly (readonly [string, Rule<Asked>])[],
  question: Asked,
  rules: TracedRule[],
  version?: ReleaseVersion,
): boolean => {
  let passed = true
  for (const [rule, ask] of asked) {
    const verdict = ask(question)
    if (verdict === undefined) continue
    rules.push(traced(rule, verdict, version))
    passed &&= verdict.passed
  }
  return passed
}

const traced = (rule: string, { passed, detail, recheckAt }: Verdict, version?: ReleaseVersion): TracedRule => ({
  rule,
  passed,
  detail,
  ...(version === undefined ? {} : { version }),
  ...(recheckAt === undefined ? {} : { recheckAt: recheckAt.toISOString() }),
})
