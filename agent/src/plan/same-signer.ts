// Whether those who sign now are those who signed the version in use, as far as certificates tell. Pure. If not, the owner of the
// machine lets each version in, as with `approval`.
import type { Question, Rule } from './facts.ts'

export const sameSigner: Rule<Question> = ({ identityChange, product: { name }, release: { version }, wishes }) => {
  if (identityChange === undefined) return undefined
  const { detail, isEnforced } = identityChange
  if (!isEnforced) return { passed: true, detail: `${detail}; at the level of the product that is only told` }
  return wishes.verdicts.get(version) === 'approved'
    ? { passed: true, detail: `${detail}; ${version} is approved` }
    : { passed: false, detail: `${detail}; ${version} waits for: updraft-agent approve ${name} ${version}` }
}
