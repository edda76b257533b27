// Whether a staged release has reached this machine. Pure. The machine's place in the queue is made of its own random id and of
// the release, so it is another one for every release, the same at every look, and nobody else's to know.
import { createHmac } from 'node:crypto'
import type { ReleaseName } from '@updraft/core/names'
import { COHORTS, type RolloutStep } from '@updraft/core/release'
import type { Question, Rule } from './facts.ts'
import { minuteText } from './times.ts'

export const rolledOut: Rule<Question> = ({ release, machine: { machineId, now }, isWayOut }) => {
  const { rollout, version } = release
  if (rollout === undefined) return undefined
  if (isWayOut) return { passed: true, detail: `${version} is where the yank sends every machine, whatever its cohort` }
  const cohort = cohortOf(machineId, release)
  const reached = rollout.findLast(({ at }) => Date.parse(at) <= now.getTime())
  const open = `${version} is open to ${shareText(reached?.cohorts ?? 0)} of machines`
  const own = `this one is at ${shareText(cohort)}`
  if (reached !== undefined && cohort < reached.cohorts) return { passed: true, detail: `${open}; ${own}` }
  const step = stepFor(cohort, rollout, now)
  if (step === undefined)
    return { passed: false, detail: `${open}; ${own}, and no later step is signed that lets it in` }
  const at = new Date(step.at)
  return { passed: false, detail: `${open}; ${own}, and is let in at ${minuteText(at)}`, recheckAt: at }
}

/** From 0 up to COHORTS. The hash is 48 bits long, so no cohort is larger than another by a part in millions. */
export const cohortOf = (machineId: string, { product, version }: Pick<ReleaseName, 'product' | 'version'>): number =>
  createHmac('sha256', machineId).update(`${product}\n${version}`).digest().readUIntBE(0, 6) % COHORTS

const stepFor = (cohort: number, rollout: readonly RolloutStep[], now: Date): RolloutStep | undefined =>
  rollout.find(({ at, cohorts }) => Date.parse(at) > now.getTime() && cohort < cohorts)

const shareText = (cohorts: number): string => `${(cohorts * 100) / COHORTS} %`
