// Compares what is in use of a product, beyond its folder, with what is installed. Changes nothing.
import { isUpdateError } from '@updraft/core/errors'
import type { Product } from '@updraft/core/names'
import { type ActivationDependencies, faultOfUse } from '../in-use.ts'
import { readSettings } from '../settings.ts'
import { openStore } from '../store.ts'
import { finding, type ProofFinding } from './findings.ts'

/** The tree may be as it was signed, and something else in use. */
export const findingsOfUse = async (
  product: Product,
  { home, signal }: ActivationDependencies,
): Promise<readonly ProofFinding[]> => {
  const settings = (await readSettings(home.configDirectory)).products.find(({ name }) => name === product)
  if (settings === undefined) return []
  using store = openStore(home.stateDirectory, { readOnly: true })
  try {
    const fault = await faultOfUse(settings, { home, store, signal })
    return fault === undefined ? [] : [finding('not-in-use', fault, IN_USE_AGAIN)]
  } catch (error) {
    if (!isUpdateError(error) || error.code === 'ABORTED') throw error
    return [finding('not-in-use', `what is in use cannot be told: ${error.message}`, error.hint)]
  }
}

const IN_USE_AGAIN = 'somebody or something changed it after it was installed: look at it, and put it back'
