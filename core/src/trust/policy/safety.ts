// Rules that hold for any JSON before it is even looked at: no names that mean something to JavaScript objects, no
// nesting that exhausts a stack, no strings that several byte sequences stand for.
import { LIMITS } from '../../limits.ts'
import type { PolicyFault } from '../policy.ts'

/** `__proto__`, `constructor`, `toString`, …: looked up in a plain object, each of them is found without being there. */
export const isPrototypeName = (name: string): boolean => Object.hasOwn(Object.prototype, name) || name === 'prototype'

export const unsafeFaults = (json: unknown): readonly PolicyFault[] => {
  const faults: PolicyFault[] = []
  const visit = (value: unknown, place: string, depth: number): void => {
    if (depth > LIMITS.metadataDepthMax) {
      faults.push({ place, message: `is nested deeper than ${LIMITS.metadataDepthMax} levels` })
    } else if (typeof value === 'string') {
      if (!value.isWellFormed()) faults.push({ place, message: 'contains half of a surrogate pair' })
    } else if (Array.isArray(value)) {
      for (const [index, item] of value.entries()) visit(item, `${place}[${index}]`, depth + 1)
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, item] of Object.entries(value)) {
        const inner = place === '' ? name : `${place}.${name}`
        if (isPrototypeName(name)) faults.push({ place: inner, message: 'has a name that JavaScript objects reserve' })
        else if (!name.isWellFormed()) faults.push({ place: inner, message: 'contains half of a surrogate pair' })
        else visit(item, inner, depth + 1)
      }
    }
  }
  visit(json, '', 0)
  return faults
}
