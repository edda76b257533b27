// Rules about keys and about the roles that use them.
import { messageOf } from '../../errors.ts'
import { keyIdOf, spkiOf } from '../keys.ts'
import type { TufKeys, TufRole } from '../metadata.ts'
import type { PolicyContext, PolicyFault } from '../policy.ts'

/** Each key is what its labels say, has the id that its content gives it, and is there once. */
export const keyFaults = (place: string, keys: TufKeys): readonly PolicyFault[] => {
  const faults: PolicyFault[] = []
  const idByValue = new Map<string, string>()
  for (const [id, key] of Object.entries(keys)) {
    const fault = (message: string) => faults.push({ place: `${place}.${id}`, message })
    try {
      const computed = keyIdOf(key)
      if (computed !== id) fault(`the id of this key is ${computed}`)
      // Compared in one encoding: two spellings of a key, or the same one under another scheme, would count twice.
      const value = spkiOf(key)
      const other = idByValue.get(value)
      if (other !== undefined) fault(`is the same key as ${other}, which would count twice towards a threshold`)
      idByValue.set(value, id)
    } catch (error) {
      fault(messageOf(error))
    }
  }
  return faults
}

/** Who may sign a role is listed once each, with a key, and enough of them exist. */
export const roleFaults = (
  place: string,
  { keyids, threshold }: TufRole,
  keys: TufKeys,
  { received = false }: PolicyContext,
): readonly PolicyFault[] => {
  const faults: PolicyFault[] = []
  const unique = new Set(keyids)
  if (unique.size !== keyids.length) faults.push({ place: `${place}.keyids`, message: 'lists a key id twice' })
  for (const id of unique) {
    if (!Object.hasOwn(keys, id))
      faults.push({ place: `${place}.keyids`, message: `names ${id}, which is not among the keys` })
  }
  if (!received && threshold > unique.size) {
    faults.push({ place: `${place}.threshold`, message: `is ${threshold}, but there are only ${unique.size} keys` })
  }
  return faults
}
