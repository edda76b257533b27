// Whether fetching costs the owner of the machine. Pure. What a system does not tell holds nothing up.
import type { Moment, Rule } from './facts.ts'
import { soon } from './times.ts'

export const unmetered: Rule<Moment> = ({ product, machine: { metered, now } }) => {
  if (product.onMetered !== 'wait') return undefined
  if (metered === undefined) {
    return { passed: true, detail: 'this machine does not say whether its connection is metered' }
  }
  if (!metered) return { passed: true, detail: 'the connection is not metered' }
  return { passed: false, detail: 'the connection is metered, and the settings say to wait', recheckAt: soon(now) }
}
