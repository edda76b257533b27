// Takes down what the owner of the machine wants for a product: a hold, an approval, a version to skip. Writes the store and
// nothing else; what follows from it is decided at the next look.
import type { Wish, WishAnswer } from '@updraft/core/control/api'
import { UpdateError } from '@updraft/core/errors'
import { type Product, parseProduct, parseReleaseVersion, type ReleaseVersion } from '@updraft/core/names'
import { productUnknown } from './history.ts'
import type { Settings } from './settings.ts'
import type { Store } from './store.ts'

export interface WishInput {
  readonly store: Store
  readonly settings: Settings
  readonly now: Date
}

/**
 * Errors: PRODUCT_INVALID; PRODUCT_UNKNOWN; USAGE for a hold that is over before it begins; VERSION_INVALID; RELEASE_UNKNOWN
 *         if the version is not offered, or nothing waits for approval.
 */
export const fulfil = (name: string, wish: Wish, { store, settings, now }: WishInput): WishAnswer =>
  store.transaction(() => {
    const product = parseProduct(name)
    const { kind } = wish
    const isKnown =
      settings.products.some((subscribed) => subscribed.name === product) ||
      store.installed.current(product) !== undefined
    if (!isKnown) throw productUnknown(product)
    switch (wish.kind) {
      case 'hold': {
        const { until } = wish
        if (until !== undefined && Date.parse(until) <= now.getTime()) {
          throw new UpdateError('USAGE', `a hold until ${until} is over already`)
        }
        store.wishes.hold(product, { since: now.toISOString(), until })
        return { product, kind, changed: true, ...(until === undefined ? {} : { until }) }
      }
      case 'unhold':
        return { product, kind, changed: store.wishes.unhold(product) }
      case 'approve': {
        const version = wish.version === undefined ? waiting(product, store) : offered(product, wish.version, store)
        return { product, kind, version, changed: store.wishes.judge(product, version, 'approved', now.toISOString()) }
      }
      case 'skip': {
        const version = offered(product, wish.version, store)
        return { product, kind, version, changed: store.wishes.judge(product, version, 'skipped', now.toISOString()) }
      }
    }
  })

/** The newest version that only waits for its approval. */
const waiting = (product: Product, store: Store): ReleaseVersion => {
  const rule = store.checks.decision(product)?.rules.find(({ rule, passed }) => rule === 'approved' && !passed)
  if (rule?.version !== undefined) return parseReleaseVersion(rule.version)
  throw new UpdateError('RELEASE_UNKNOWN', `no release of ${product} waits for approval`, {
    hint: `name a version, or see what it waits for: updraft-agent why ${product}`,
  })
}

/** A mistyped version would be taken down and never matter. */
const offered = (product: Product, text: string, store: Store): ReleaseVersion => {
  const version = parseReleaseVersion(text)
  const versions = new Set(store.firstSeen.names(product).map((name) => name.split('_')[1] ?? ''))
  if (versions.has(version)) return version
  throw new UpdateError('RELEASE_UNKNOWN', `${product} ${version} is not offered to this machine`, {
    hint: versions.size === 0 ? 'nothing of it was seen yet' : `there is ${[...versions].slice(-10).join(', ')}`,
  })
}
