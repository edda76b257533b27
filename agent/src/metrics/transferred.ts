// Counts the bytes that updates brought since this process has started, by where they came from. The journal cannot tell:
// it forgets old updates, and a counter may never fall.
import type { AgentEvent, BytesFrom } from '@updraft/core/control/api'
import type { JournalEntry } from '../store/journal.ts'
import type { Store } from '../store.ts'

export interface Transferred {
  /** By product. */
  all(): ReadonlyMap<string, BytesFrom>
}

/** Counts from now on. `open` are the updates that an earlier process has begun: what they have does not count again. */
export const countTransferred = (
  events: Pick<Store['events'], 'onAppend'>,
  open: readonly Pick<JournalEntry, 'product' | 'startedAt' | 'bytes'>[],
): Transferred => {
  const seen = new Map<string, { readonly startedAt: string; readonly bytes: BytesFrom }>(
    open.map(({ product, startedAt, bytes }) => [product, { startedAt, bytes }]),
  )
  const totals = new Map<string, BytesFrom>()

  const take = (event: AgentEvent): void => {
    if (event.kind !== 'update') return
    const { product, update } = event
    const known = seen.get(product)
    const before = known?.startedAt === update.startedAt ? known.bytes : NOTHING
    seen.set(product, { startedAt: update.startedAt, bytes: update.bytes })
    totals.set(product, sum(totals.get(product) ?? NOTHING, growth(before, update.bytes)))
  }
  events.onAppend(({ event }) => take(event))
  return { all: () => totals }
}

const NOTHING: BytesFrom = { peers: 0, origin: 0, reused: 0 }

/** A number that fell began again at zero, as when a download is taken up by a new swarm. */
const growth = (before: BytesFrom, after: BytesFrom): BytesFrom => {
  const grown = (from: keyof BytesFrom) => (after[from] >= before[from] ? after[from] - before[from] : after[from])
  return { peers: grown('peers'), origin: grown('origin'), reused: grown('reused') }
}

const sum = (a: BytesFrom, b: BytesFrom): BytesFrom => ({
  peers: a.peers + b.peers,
  origin: a.origin + b.origin,
  reused: a.reused + b.reused,
})
