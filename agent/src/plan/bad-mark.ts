// The rule `bad-mark`: what was found bad on this machine is not tried again, until a newer release comes or a person lifts
// the mark. Pure.
import { isNewer, type ReleaseVersion } from '@updraft/core/names'
import type { BadMark } from '../store/bad-marks.ts'

/** Why `version` is not tried on this machine; undefined if nothing speaks against it. */
export const whyBad = (version: ReleaseVersion, marks: readonly BadMark[]): string | undefined => {
  const own = marks.find((mark) => mark.version === version)
  if (own !== undefined) return `${version} is marked bad on this machine since ${own.at}: ${own.problem.detail}`
  // Who went back past several versions would at once be brought forward again to one of those between.
  const left = marks.find((mark) => mark.by === 'person' && isNewer(mark.version, version))
  return left === undefined ? undefined : `${version} is older than ${left.version}: ${left.problem.detail}`
}
