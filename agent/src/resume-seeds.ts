// Takes up the bundles that were kept before the agent stopped. A bundle that is gone or damaged is let go; nothing here
// ends the agent.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Home } from '@updraft/core/control/home'
import { hasCode, messageOf, systemCodeOf } from '@updraft/core/errors'
import type { Swarm } from '@updraft/core/swarm/swarm'
import type { Log } from './log.ts'
import type { Resume } from './sharing.ts'
import type { SeedRecord } from './store/seeds.ts'
import type { Store } from './store.ts'

/** Shares one kept bundle, and answers with what its files look like. Errors: METAINFO_INVALID, LIMIT_EXCEEDED, IO. */
export type SeedKept = (
  seed: SeedRecord,
  options: {
    readonly home: Home
    readonly swarm: Swarm
    /** Names in `bundles/`. */
    readonly kept: readonly string[]
    readonly onWarning: (message: string) => void
  },
) => Promise<string | undefined>

export interface ResumeSeedsOptions {
  readonly store: Store
  readonly home: Home
  readonly seedKept: SeedKept
  readonly log: Log
}

/** One after the other: some are hashed before they are shared, and the disk has better things to do than all at once. */
export const resumeSeeds =
  ({ store, home, seedKept, log }: ResumeSeedsOptions): Resume =>
  async (swarm, signal) => {
    const kept = await readdir(join(home.dataDirectory, 'bundles')).catch(() => []) // Then each says that it is gone.
    for (const seed of store.seeds.all()) {
      if (signal.aborted) return
      const fields = { product: seed.product, version: seed.version }
      try {
        const onWarning = (message: string) => log.warn(message, fields)
        const stamp = await seedKept(seed, { home, swarm, kept, onWarning })
        if (stamp !== seed.stamp) store.seeds.put({ ...seed, stamp })
      } catch (error) {
        if (signal.aborted) return
        log.warn(`${seed.name} is not shared: ${messageOf(error)}`, fields)
        if (isLost(error)) store.seeds.remove(seed.name)
      }
    }
  }

const isLost = (error: unknown): boolean =>
  hasCode(error, 'METAINFO_INVALID') ||
  hasCode(error, 'BUNDLE_INVALID') ||
  hasCode(error, 'LIMIT_EXCEEDED') ||
  (Error.isError(error) && systemCodeOf(error.cause) === 'ENOENT')
