// What an agent does that is itself a product, and was started by a starter: it writes down which versions of it did not come
// up, says that it is in good health, and notices that another version of it is in place. Decides nothing about updates.
import { join } from 'node:path'
import { controlClient } from '@updraft/core/control/client'
import type { Home } from '@updraft/core/control/home'
import { messageOf, UpdateError } from '@updraft/core/errors'
import { readCurrentVersion } from './current-link.ts'
import type { Log } from './log.ts'
import { openReport } from './report.ts'
import { finishRollback } from './rollback.ts'
import type { LeftAgent, StarterLink } from './service/starter-link.ts'
import type { ProductSettings, Settings } from './settings.ts'
import type { Store } from './store.ts'

export interface SelfUpdateOptions {
  readonly home: Home
  readonly store: Store
  readonly log: Log
  readonly now: () => Date
  readonly signal: AbortSignal
}

/**
 * Marks the versions that the starter has left as bad, ends their updates as rolled back, and tells of them. Done again after a
 * kill, it changes nothing. Before the first look, so that none of them is installed again.
 */
export const noteLeftAgents = async (
  starter: StarterLink,
  { products }: Settings,
  options: SelfUpdateOptions,
): Promise<void> => {
  const settings = products.find(({ name }) => name === starter.product)
  for (const left of starter.left) {
    if (settings === undefined) options.log.warn(`${starter.product} ${left.version} did not come up: ${left.why}`)
    else await noteLeft(left, starter, settings, options)
  }
  if (starter.left.length > 0) starter.noted(starter.left)
}

const noteLeft = async (
  { version, why }: LeftAgent,
  starter: StarterLink,
  settings: ProductSettings,
  { home, store, log, now, signal }: SelfUpdateOptions,
): Promise<void> => {
  const { product } = starter
  const { report } = openReport({
    product: settings,
    store,
    now,
    onWarning: (message) => log.warn(message, { product }),
  })
  const latest = store.journal.latest(product)
  const release = { product, version, platform: latest?.version === version ? latest.platform : settings.platform }
  if (store.badMarks.of(product, version)?.by !== 'start') {
    const error = new UpdateError('PROBE_FAILED', `the agent ${version} did not come up: ${why}`, {
      hint: `${version} is not tried again on this machine; a newer release is, and this one after: updraft-agent retry ${product}`,
    })
    store.transaction(() => {
      // It may have come so far as to call itself installed.
      const wasCurrent = store.installed.current(product)?.version === version
      const goTo = wasCurrent
        ? store.installed.kept(product).find((kept) => kept.version === starter.version)
        : undefined
      report.condemned({ release, by: 'start', error, ...(goTo === undefined ? {} : { goTo }) })
      if (wasCurrent && goTo === undefined) store.installed.lose(product, version)
    })
  }
  if (store.journal.open(product) !== undefined) {
    await finishRollback(settings, release, { home, store, report, signal })
  }
}

/** The control socket answers, and the journal can be written to: only then the starter is told that all is well. */
export const sayHealthy = async (
  starter: StarterLink,
  { home, store, log, now, signal }: SelfUpdateOptions,
): Promise<void> => {
  try {
    const { agent } = await controlClient(home.socketPath).status({ signal })
    store.events.append({ kind: 'started', version: starter.version ?? agent.version }, now().toISOString())
    starter.healthy()
  } catch (error) {
    log.error(`the starter is not told that all is well: ${messageOf(error)}`)
  }
}

/** Whether another version than the running one is to be started. */
export const isReplaced = async ({ product, version }: StarterLink, { dataDirectory }: Home): Promise<boolean> =>
  (await readCurrentVersion(join(dataDirectory, 'products'), product)) !== version
