// What the agent says and does when it is asked over the control API: each question has one answer, made of the agent's parts.
import type { Status } from '@updraft/core/control/api'
import type { Home } from '@updraft/core/control/home'
import { messageOf, UpdateError } from '@updraft/core/errors'
import { parseProduct, parseReleaseVersion } from '@updraft/core/names'
import type { ControlHandlers } from './control.ts'
import { historyOf } from './history.ts'
import type { Imports } from './imports.ts'
import type { Log } from './log.ts'
import type { MannersKeeper } from './manners.ts'
import type { Transferred } from './metrics/transferred.ts'
import type { OpenReport } from './report.ts'
import { rollBackByHand } from './rollback.ts'
import type { Schedule } from './schedule.ts'
import type { LiveSettings } from './settings/live.ts'
import type { ProductSettings, Settings } from './settings.ts'
import type { Sharing } from './sharing.ts'
import type { Store } from './store.ts'
import { fulfil } from './wishes.ts'

export interface AnswersOptions {
  readonly home: Home
  readonly store: Store
  readonly settings: LiveSettings
  readonly schedule: Schedule
  readonly sharing: Sharing
  readonly manners: MannersKeeper
  readonly imports: Imports
  readonly transferred: Transferred
  readonly status: () => Promise<Status>
  readonly reportOf: (product: ProductSettings) => OpenReport
  readonly log: Log
  readonly now: () => Date
  readonly signal: AbortSignal
}

export const answersOf = ({
  home,
  store,
  settings,
  schedule,
  sharing,
  manners,
  imports,
  transferred,
  status,
  reportOf,
  log,
  now,
  signal,
}: AnswersOptions): ControlHandlers => ({
  status,
  metrics: async () => {
    const { processUse, textOfMetrics } = await import('./metrics.ts') // Only for those who scrape.
    return textOfMetrics({
      status: await status(),
      transferred: transferred.all(),
      uploaded: sharing.uploadedBytes(),
      fallbacks: sharing.fallbacks(),
      process: processUse(),
    })
  },
  check: async ({ product }) => {
    await settings.reload()
    const cursor = store.events.cursor()
    schedule.check(product === undefined ? undefined : known(product, settings.current()).name)
    return { cursor }
  },
  rollback: async (name, { version }) => {
    const product = known(name, settings.current())
    const wanted = version === undefined ? undefined : parseReleaseVersion(version)
    const { report } = reportOf(product)
    const work = () => rollBackByHand(product, wanted, { home, store, report, signal })
    return { ...(await schedule.between(product.name, work)), cursor: store.events.cursor() }
  },
  retry: async (name) => {
    const product = known(name, settings.current())
    const cursor = store.events.cursor()
    const lifted = reportOf(product).pardoned()
    schedule.check(product.name)
    return { cursor, lifted }
  },
  wish: async (name, wish) => {
    const answer = fulfil(name, wish, { store, settings: settings.current(), now: now() })
    if (answer.changed) schedule.check(parseProduct(name))
    return answer
  },
  import: async ({ file }) => {
    await settings.reload()
    const cursor = store.events.cursor()
    return { cursor, product: await imports.add(file) }
  },
  proof: async (name) => {
    const { proofAnswer } = await import('./proof-answer.ts') // Only for those who ask.
    return proofAnswer(name, { home, now: now(), signal })
  },
  transfers: async () => ({ transfers: sharing.transfers(), sharing: manners.status() }),
  history: async (product, limit) => historyOf(product, { store, settings: settings.current(), limit }),
  events: store.events,
  onDefect: (error) => log.error(`a defect in the control API: ${messageOf(error)}`, { error }),
})

/** Errors: PRODUCT_UNKNOWN. */
const known = (name: string, { products }: Settings): ProductSettings => {
  const product = products.find((candidate) => candidate.name === name)
  if (product !== undefined) return product
  throw new UpdateError('PRODUCT_UNKNOWN', `product ${JSON.stringify(name)} is not in the settings`, {
    hint: `subscribe to it with: updraft-agent install ${name}`,
  })
}
