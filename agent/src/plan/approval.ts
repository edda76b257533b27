// What the owner of the machine has said about a version: never, or yes where a yes is needed. Pure.
import type { Question, Rule } from './facts.ts'

export const notSkipped: Rule<Question> = ({ product: { name }, release: { version }, wishes }) =>
  wishes.verdicts.get(version) === 'skipped'
    ? { passed: false, detail: `${version} is skipped; undo that with: updraft-agent approve ${name} ${version}` }
    : undefined

export const approved: Rule<Question> = ({ product: { name, approval }, release: { version }, wishes }) => {
  if (approval !== 'required') return undefined
  return wishes.verdicts.get(version) === 'approved'
    ? { passed: true, detail: `${version} is approved` }
    : { passed: false, detail: `${version} waits for: updraft-agent approve ${name} ${version}` }
}
