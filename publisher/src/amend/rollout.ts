// Who may have a release from when on, as people write it: `10%`, or a curve such as `1% 10%@24h 100%@3d`. Pure.
import { UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import { COHORTS, type RolloutStep } from '@updraft/core/release'
import { type Amendment, assertNotYanked } from '../amend.ts'

/**
 * Steps as they are signed; undefined if everyone may have it at once.
 *
 * Errors: USAGE.
 */
export const parseRollout = (texts: readonly string[], now: Date): readonly RolloutStep[] | undefined => {
  const steps = texts.map((text) => parseStep(text, now))
  if (steps.length === 0 || steps.length > LIMITS.rolloutStepsMax) {
    throw new UpdateError('USAGE', `a rollout has 1 to ${LIMITS.rolloutStepsMax} steps, not ${steps.length}`)
  }
  for (const [index, step] of steps.entries()) {
    const before = steps[index - 1]
    if (before !== undefined && (before.at >= step.at || before.cohorts > step.cohorts)) {
      throw new UpdateError('USAGE', `step ${texts[index]} does not rise above ${texts[index - 1]}`, {
        hint: 'a curve goes up and forward in time, as in: 1% 10%@24h 100%@3d',
      })
    }
  }
  const [first] = steps
  return first?.cohorts === COHORTS && Date.parse(first.at) <= now.getTime() ? undefined : steps
}

/**
 * Takes the place of the rollout that there was. Machines that have the release keep it, also if fewer may have it now: that
 * halts a rollout, and `yank` takes one back.
 *
 * Errors: RELEASE_YANKED.
 */
export const rollout =
  (steps: readonly RolloutStep[] | undefined): Amendment =>
  (payload, release) => {
    assertNotYanked(release)
    const { rollout: _, ...everyone } = payload
    return steps === undefined ? everyone : { ...everyone, rollout: steps.map((step) => ({ ...step })) }
  }

/** `10 %`, with as many digits as there are. */
export const shareText = ({ cohorts }: Pick<RolloutStep, 'cohorts'>): string => `${(cohorts * 100) / COHORTS} %`

const parseStep = (text: string, now: Date): RolloutStep => {
  const [, percent = '', , when] = /^(\d{1,3}(\.\d{1,2})?)%?(?:@(.+))?$/.exec(text) ?? []
  const cohorts = Math.round((Number(percent) * COHORTS) / 100)
  if (percent === '' || cohorts > COHORTS) {
    throw new UpdateError('USAGE', `${JSON.stringify(text)} is not a step of a rollout from 0% to 100%`, {
      hint: 'use a percentage with up to two decimals, and from when on: 10%, 50%@24h, 100%@2026-03-01T12:00:00Z',
    })
  }
  return { at: when === undefined ? now.toISOString() : parseWhen(when, now), cohorts }
}

/** Hours or days from now, or a time with its zone. */
const parseWhen = (text: string, now: Date): string => {
  const [, number, unit] = /^(\d{1,4})([hd])$/.exec(text) ?? []
  if (number !== undefined) {
    return new Date(now.getTime() + Number(number) * (unit === 'h' ? 1 : 24) * 3_600_000).toISOString()
  }
  const time = /^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})$/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(time)) {
    throw new UpdateError('USAGE', `${JSON.stringify(text)} is not a time`, {
      hint: 'use 12h or 3d from now, or a time with its zone, such as 2026-03-01T12:00:00Z',
    })
  }
  return new Date(time).toISOString()
}
