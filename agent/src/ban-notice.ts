// What the owner of a machine hears of those who sent bad data for a product: who, and until when they are not asked.
import { parseProduct } from '@updraft/core/names'
import type { Ban } from './store/bans.ts'
import type { NewFinding } from './store/findings.ts'
import type { Store } from './store.ts'

/** Nobody reads more; the log has them all. */
const SHOWN_MAX = 5

/** One finding for all who are banned for one product; undefined if nobody is. */
export const banNotice = (bans: readonly Ban[]): NewFinding | undefined => {
  if (bans.length === 0) return undefined
  const newestFirst = bans.toSorted((a, b) => (a.until < b.until ? 1 : -1))
  const shown = newestFirst.slice(0, SHOWN_MAX).map(({ subject, until }) => `${subject} (until ${until})`)
  const rest = bans.length - shown.length
  return {
    code: 'peer-banned',
    message: `bad data came from ${shown.join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`,
    hint: 'nothing; if a machine of yours is among them, look at its disk and its memory, and verify what it has installed',
  }
}

/** Raises it at once, for a look that finds nobody else may take hours. `bundle` is the name of the one that it was sent for. */
export const tellBan = (bundle: string, store: Store, now: Date): void =>
  store.transaction(() => {
    const product = parseProduct(bundle.split('_')[0] ?? '')
    const at = now.toISOString()
    const notice = banNotice(store.bans.of(product, at))
    const finding = notice && store.findings.raise(product, notice, at)
    if (finding !== undefined) store.events.append({ kind: 'finding', product, finding }, at)
  })
