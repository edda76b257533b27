// Kind `directory`: a version is in use as soon as the link `current` points to it, which is done for every kind.
import type { Activator } from '../activation.ts'

export const directoryActivator: Activator = {
  assertFits: async () => {},
  activate: async () => {},
  leave: async () => {},
  faultOf: async () => undefined,
}
