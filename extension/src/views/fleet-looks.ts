// Asks the origins of this machine's products how many machines have which version, now and then while the dashboard is seen.
import { l10n } from 'vscode'
import { type FleetLine, fetchFleet } from '../fleet.ts'
import type { Model } from '../state.ts'
import type { FleetTable, ToPage } from './dashboard-messages.ts'

const ASK_EVERY_MS = 30_000
/** A page shows no more; nobody reads more. */
const TABLES_MAX = 20

export interface FleetLooks {
  readonly start: () => void
  readonly stop: () => void
}

export const createFleetLooks = (model: () => Model, post: (message: ToPage) => void): FleetLooks => {
  let looking: AbortController | undefined
  const look = async (signal: AbortSignal): Promise<void> => {
    const { sources, products } = model()
    const urls = [...sources.values()].filter(({ importOnly }) => !importOnly).map(({ key }) => key)
    const answers = await Promise.all(
      // An origin that is gone, or speaks nonsense, has nothing to say here; the agent tells what is wrong with it.
      urls.map((url) => fetchFleet(url, signal).catch(() => undefined)),
    )
    if (signal.aborted) return
    const names = new Set([...products.values()].map(({ name }) => name))
    post({
      kind: 'fleet',
      tables: tablesOf(answers.flatMap((lines) => lines ?? []).filter((line) => names.has(line.product))),
    })
    const timer = setTimeout(() => void look(signal), ASK_EVERY_MS)
    signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
  }
  const stop = (): void => looking?.abort()
  return {
    start: () => {
      stop()
      looking = new AbortController()
      void look(looking.signal)
    },
    stop,
  }
}

const tablesOf = (lines: readonly FleetLine[]): readonly FleetTable[] =>
  lines.slice(0, TABLES_MAX).map(({ product, platform, versions }) => ({
    title: platform === 'any' ? product : `${product}, ${platform}`,
    rows: versions.map(({ version, have, fetching }) => ({
      name: version,
      value: have,
      shown: [
        have === 1 ? l10n.t('1 machine') : l10n.t('{0} machines', have),
        ...(fetching === 0 ? [] : [l10n.t('{0} fetching', fetching)]),
      ].join(', '),
    })),
  }))
