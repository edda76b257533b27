// The rule `bad-mark`: what was found bad on this machine is not tried again, until a newer release comes or a person lifts
// the mark. Pure.
import { isNewer, type ReleaseVersion } from '@updraft/core/names'
import type { BadMark } from '../store/bad-marks.ts'
import type { Question, Rule } from './facts.ts'

export const notBad: Rule<Question> = ({ release: { version }, badMarks, isWayOut }) => {
  const detail = whyBad(version, badMarks) ?? (isWayOut ? undefined : whyLeft(version, badMarks))
  return detail === undefined ? undefined : { passed: false, detail }
}

const whyBad = (version: ReleaseVersion, marks: readonly BadMark[]): string | undefined => {
  const own = marks.find((mark) => mark.version === version)
  return own && `${version} is marked bad on this machine since ${own.at}: ${own.problem.detail}`
}

/** Who went back past several versions would at once be brought forward again to one of those between. */
const whyLeft = (version: ReleaseVersion, marks: readonly BadMark[]): string | undefined => {
  const left = marks.find((mark) => mark.by === 'person' && isNewer(mark.version, version))
  return left && `${version} is older than ${left.version}: ${left.problem.detail}`
}
