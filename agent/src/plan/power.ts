// Whether the machine has power and time to spare. Pure. What a system does not tell holds nothing up.
import type { Moment, Rule } from './facts.ts'
import { soon } from './times.ts'

export const powered: Rule<Moment> = ({ product, machine: { onBattery, now } }) => {
  if (product.onBattery !== 'wait') return undefined
  if (onBattery === undefined) return { passed: true, detail: 'this machine does not say whether it runs on a battery' }
  if (!onBattery) return { passed: true, detail: 'not on battery' }
  return { passed: false, detail: 'on battery, and the settings say to wait', recheckAt: soon(now) }
}

export const idleEnough: Rule<Moment> = ({ product: { maximumLoad }, machine: { load, now } }) => {
  if (maximumLoad === undefined) return undefined
  if (load === undefined) return { passed: true, detail: 'this machine does not say what its load is' }
  const detail = `the load is ${load.toFixed(2)} per processor; below ${maximumLoad} is asked for`
  return load < maximumLoad ? { passed: true, detail } : { passed: false, detail, recheckAt: soon(now) }
}
