// Everything the views show, as one value: news from the agent in, the next value out, and what it all amounts to. Pure;
// never knows VS Code, and keeps no text of the agent that text.ts has not cleaned.
import { isDeepStrictEqual } from 'node:util'
import type { RecordedEvent, Status } from '@updraft/core/control/api'
import { type FindingCode, isFindingCode, type Severity } from '@updraft/core/trust/finding'
import type { LostReason, News } from './client.ts'
import { type Shown, show } from './text.ts'
import {
  type AgentView,
  agentView,
  type Phase,
  type ProblemView,
  type ProductView,
  problemView,
  productView,
  type SourceView,
  sourceView,
  updateView,
} from './view-model.ts'

/** How the agent is reached, or why it is not. */
export type Link = 'connecting' | 'connected' | LostReason

export interface Model {
  readonly link: Link
  /** Why there is no agent, in words; empty while there is one. */
  readonly reason: Shown
  readonly socketPath: Shown
  readonly agent: AgentView | undefined
  /** By name. What has not changed stays the same object, here and below, so that views can tell what to draw again. */
  readonly sources: ReadonlyMap<Shown, SourceView>
  /** By key. */
  readonly products: ReadonlyMap<string, ProductView>
  /** What is wrong with the agent's settings, as of their last change that was seen. */
  readonly settingsProblem: ProblemView | undefined
  /** Events up to here are contained. */
  readonly cursor: number
}

export const NOTHING_KNOWN: Model = {
  link: 'connecting',
  reason: show(''),
  socketPath: show(''),
  agent: undefined,
  sources: new Map(),
  products: new Map(),
  settingsProblem: undefined,
  cursor: 0,
}

export const reduce = (model: Model, news: News): Model => {
  switch (news.kind) {
    case 'status':
      return withStatus(
        { ...model, link: 'connected', reason: show(''), socketPath: show(news.socketPath) },
        news.status,
      )
    case 'event':
      return withEvent(model, news.recorded)
    case 'lost':
      return { ...NOTHING_KNOWN, link: news.reason, reason: show(news.message) }
  }
}

const withStatus = (model: Model, { agent, sources, products, cursor }: Status): Model => ({
  ...model,
  agent: agentView(agent),
  sources: keeping(model.sources, sources.map(sourceView), ({ name }) => name),
  products: keeping(model.products, products.map(productView), ({ key }) => key),
  cursor,
})

/** The new values by key; each that equals the old one is the old one. */
const keeping = <Key, Value>(old: ReadonlyMap<Key, Value>, values: readonly Value[], keyOf: (value: Value) => Key) =>
  new Map(
    values.map((value) => {
      const [key, known] = [keyOf(value), old.get(keyOf(value))]
      return [key, known !== undefined && isDeepStrictEqual(known, value) ? known : value]
    }),
  )

/** Only progress, and a fault of the settings, is taken from events; whatever else happens, the connection reads the status again. */
const withEvent = (model: Model, { cursor, event }: RecordedEvent): Model => {
  if (cursor <= model.cursor) return model
  if (event.kind === 'settings') {
    return { ...model, settingsProblem: event.error && problemView(event.error), cursor }
  }
  const known = event.kind === 'update' ? model.products.get(event.product) : undefined
  if (event.kind !== 'update' || known === undefined) return { ...model, cursor }
  const products = new Map(model.products).set(known.key, { ...known, update: updateView(event.update) })
  return { ...model, products, cursor }
}

/**
 * What a finding asks of the person at the screen. `decision`: nothing goes on until the person has compared or pinned
 * something. `blocked`: a signature or digest does not hold, and an update was refused for it.
 */
type Asks = 'nothing' | 'decision' | 'blocked'

/** For every code that this version knows. */
const FINDING_ASKS: Readonly<Record<FindingCode, Asks>> = {
  'root-on-first-use': 'nothing',
  'root-unknown': 'decision',
  'metadata-untrusted': 'blocked',
  'metadata-rollback': 'blocked',
  'metadata-expired': 'nothing',
  'metadata-expiring': 'nothing',
  'metadata-policy': 'blocked',
  'identity-unknown': 'blocked',
  'identity-changed': 'decision',
  'identity-expired': 'blocked',
  'identity-revoked': 'blocked',
  'identity-expiring': 'nothing',
  'urgent-unknown': 'nothing',
  'release-invalid': 'blocked',
  'release-yanked': 'nothing',
  'bundle-tampered': 'blocked',
  'peer-banned': 'nothing',
  'swarm-stalled': 'nothing',
  'release-unhealthy': 'nothing',
  'not-in-use': 'nothing',
  'source-unreachable': 'nothing',
}

/** What a newer agent calls an error refuses updates, so it counts as the worst; anything milder colours nothing. */
const asksOf = ({ code, severity }: { readonly code: string; readonly severity: Severity }): Asks => {
  // What is no error refuses nothing, also where its code usually does: the owner has said that it is only to be told.
  if (severity !== 'error') return 'nothing'
  return isFindingCode(code) ? FINDING_ASKS[code] : 'blocked'
}

/** What everything amounts to, from worst to best. Only `blocked` and `decision` may be coloured. */
export type Tone = 'blocked' | 'decision' | 'working' | 'attention' | 'pending' | 'quiet' | 'connecting' | 'offline'

export interface Summary {
  readonly tone: Tone
  /** The products that gave the tone. */
  readonly products: readonly ProductView[]
  /** Progress of all downloads together, from 0 to 1; undefined if nothing is being downloaded. */
  readonly share: number | undefined
}

export const summaryOf = (model: Model): Summary => {
  if (model.link !== 'connected') {
    return { tone: model.link === 'connecting' ? 'connecting' : 'offline', products: [], share: undefined }
  }
  const products = [...model.products.values()]
  const asked = (what: 'decision' | 'blocked') =>
    products.filter(({ findings }) => findings.some((finding) => asksOf(finding) === what))
  const inPhase = (phase: Phase) => products.filter(({ update }) => update?.phase === phase)

  const working = inPhase('working')
  const candidates: readonly [Tone, readonly ProductView[]][] = [
    ['blocked', asked('blocked')],
    ['decision', asked('decision')],
    ['working', working],
    ['attention', products.filter(({ level, update }) => level !== 'trusted' || update?.state === 'failed')],
    ['pending', inPhase('pending')],
  ]
  const [tone, concerned] = candidates.find(([, those]) => those.length > 0) ?? ['quiet', products]
  return { tone, products: concerned, share: shareOf(working) }
}

const shareOf = (working: readonly ProductView[]): number | undefined => {
  const total = working.reduce((sum, { update }) => sum + (update?.totalBytes ?? 0), 0)
  const have = working.reduce((sum, { update }) => sum + (update?.haveBytes ?? 0), 0)
  return total > 0 ? have / total : undefined
}
