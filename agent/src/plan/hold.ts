// Whether the owner of the machine wants the product to stay as it is for now. Pure. A hold is stronger than anything that a
// publisher signs: not even a yank moves a product that is held.
import type { Moment, Rule } from './facts.ts'
import { minuteText } from './times.ts'

export const notHeld: Rule<Moment> = ({ product: { name }, wishes: { hold }, machine: { now } }) => {
  if (hold === undefined) return undefined
  if (hold.until === undefined) {
    return { passed: false, detail: `held until somebody says: updraft-agent unhold ${name}` }
  }
  const until = new Date(hold.until)
  if (until <= now) return { passed: true, detail: `the hold has ended at ${minuteText(until)}` }
  return { passed: false, detail: `held until ${minuteText(until)}`, recheckAt: until }
}
