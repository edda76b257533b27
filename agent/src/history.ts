// The journal of one product as the control API shows it: every update that is remembered, newest first. Reads only.
import type { History } from '@updraft/core/control/api'
import { UpdateError } from '@updraft/core/errors'
import { parseProduct } from '@updraft/core/names'
import { updateOf } from './report.ts'
import type { Settings } from './settings.ts'
import type { Store } from './store.ts'

export interface HistoryInput {
  readonly store: Pick<Store, 'journal' | 'installed'>
  readonly settings: Settings
  /** The newest so many; undefined is all that are remembered. */
  readonly limit?: number | undefined
}

/**
 * A product that is no longer subscribed to keeps its history.
 *
 * Errors: PRODUCT_INVALID; PRODUCT_UNKNOWN if nothing here has ever heard of it.
 */
export const historyOf = (name: string, { store, settings, limit }: HistoryInput): History => {
  const product = parseProduct(name)
  const entries = store.journal.history(product, limit)
  const isKnown =
    entries.length > 0 ||
    settings.products.some((subscribed) => subscribed.name === product) ||
    store.installed.current(product) !== undefined
  if (!isKnown) throw productUnknown(product)
  const updates = entries.map((entry) => ({ ...updateOf(entry), platform: entry.platform, steps: entry.steps }))
  return { product, updates }
}

/** For whoever is asked about a product that this machine does not have. */
export const productUnknown = (product: string): UpdateError =>
  new UpdateError('PRODUCT_UNKNOWN', `product ${product} is neither in the settings nor installed`, {
    hint: `subscribe to it with: updraft-agent install ${product}`,
  })
