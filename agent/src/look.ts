// One look at a product: runs the cycle and records how it ended, whatever happens. The only place where a failure of a
// cycle is caught; it never ends the agent.
import type { Home } from '@updraft/core/control/home'
import { isUpdateError, messageOf, UpdateError } from '@updraft/core/errors'
import type { Product, ReleaseVersion } from '@updraft/core/names'
import { type Alone, oneAtATime } from './alone.ts'
import type { Carrier } from './carrier.ts'
import type { Cycle, CycleDependencies } from './cycle-types.ts'
import type { Log } from './log.ts'
import type { News } from './news.ts'
import { openReport } from './report.ts'
import type { ProductSettings, Settings } from './settings.ts'
import type { Sharing } from './sharing.ts'
import type { Store } from './store.ts'

export interface LookOptions {
  readonly cycle: Cycle
  readonly home: Home
  readonly store: Store
  readonly sharing: Sharing
  /** Without, other machines are not asked and not told. */
  readonly news?: Pick<News, 'peersOf'> | undefined
  /** The settings as they are now. */
  readonly settings: () => Settings
  readonly agentVersion: ReleaseVersion
  readonly self?: CycleDependencies['self']
  readonly log: Log
  readonly now: () => Date
}

/** With `carrier`, what it brings is looked at instead of what the source offers. */
export type Look = (product: ProductSettings, signal: AbortSignal, carrier?: Carrier) => Promise<void>

/** Errors of a look: those of the cycle, already recorded; ABORTED if it was broken off. */
export const lookWith = ({
  cycle,
  home,
  store,
  sharing,
  news,
  settings,
  agentVersion,
  self,
  log,
  now,
}: LookOptions): Look => {
  const alone: Alone = oneAtATime()
  /** Looks that ended well, and what versions the settings kept then. */
  const tidied = new Map<Product, string>()
  return async (product, signal, carrier) => {
    const fields = { product: product.name }
    const onWarning = (message: string) => log.warn(message, fields)
    const { report, failed } = openReport({ product, store, now, onWarning })
    const current = settings()
    const kept = `${current.versionsKept} ${current.versionsKeptBytes}`
    const isUntidy = tidied.get(product.name) !== kept
    tidied.delete(product.name)
    try {
      await cycle(product, {
        home,
        settings: current,
        store,
        swarm: sharing.swarm,
        torrentOf: sharing.torrentOf,
        report,
        agentVersion,
        self,
        now,
        alone,
        carrier,
        isUntidy,
        peersOf: settings().network.peerMetadata ? news?.peersOf : undefined,
        signal,
      })
      tidied.set(product.name, kept)
    } catch (error) {
      // Whatever a broken off cycle fell over is a consequence of that, not a failure of its own.
      if (signal.aborted)
        throw new UpdateError('ABORTED', `the look at ${product.name} was broken off`, { cause: error })
      if (!isUpdateError(error)) log.error(`a defect: ${messageOf(error)}`, { ...fields, error })
      try {
        failed(error)
      } catch (second) {
        log.error(`cannot be recorded: ${messageOf(error)}, because of: ${messageOf(second)}`, fields)
      }
      throw error
    }
  }
}
