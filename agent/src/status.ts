// Puts together what the agent tells of itself: rows of the store, the settings, the sources, and the little that only a
// running agent knows. Reads, and changes nothing.
import { API_VERSION, type ProductStatus, type Rule, type SourceStatus, type Status } from '@updraft/core/control/api'
import type { Product } from '@updraft/core/names'
import type { TransferState } from '@updraft/core/swarm/swarm'
import { trustLevelOf } from '@updraft/core/trust/finding'
import type { NewestMetadata } from './news.ts'
import { updateOf } from './report.ts'
import { DIRECTORY, type InstallKind, placeOfUse } from './settings/install-kind.ts'
import type { ProductSettings, Settings } from './settings.ts'
import type { ProductCheck } from './store/checks.ts'
import type { InstalledRecord } from './store/installed.ts'
import type { SeedRecord } from './store/seeds.ts'
import type { Store } from './store.ts'

/** What is known of a source without asking it. */
export type SourceDescription = Pick<SourceStatus, 'name' | 'url' | 'root'>

/** What only a running agent knows. */
export interface LiveState {
  readonly nextCheckAt: (product: Product) => Date | undefined
  /** State of a torrent that is in the swarm. */
  readonly transferOf: (infoHash: string) => TransferState | undefined
  /** Where the newest metadata of a source came from. */
  readonly newestOf: (source: string) => NewestMetadata | undefined
}

/** For a look at the store while no agent runs. */
export const NOTHING_LIVE: LiveState = {
  nextCheckAt: () => undefined,
  transferOf: () => undefined,
  newestOf: () => undefined,
}

export interface StatusInput {
  readonly store: Store
  readonly settings: Settings
  readonly sources: readonly SourceDescription[]
  readonly live: LiveState
}

export type StateOfAll = Pick<Status, 'apiVersion' | 'sources' | 'products' | 'cursor'>

export const statusOf = ({ store, settings, sources, live }: StatusInput): StateOfAll =>
  // One transaction, so that the cursor fits the rows.
  store.transaction(() => ({
    apiVersion: API_VERSION,
    sources: sources.map((source) => sourceStatus(source, store, settings, live)),
    products: [
      ...settings.products.map((product) => subscribedStatus(product, store, live)),
      ...store.installed
        .allCurrent()
        .filter(({ product }) => settings.products.every(({ name }) => name !== product))
        .map((installed) => unsubscribedStatus(installed, store, live)),
    ],
    cursor: store.events.cursor(),
  }))

const sourceStatus = (source: SourceDescription, store: Store, settings: Settings, live: LiveState): SourceStatus => {
  const check = store.checks.source(source.name)
  const products = settings.products.filter((product) => product.source === source.name)
  const failed = products
    .flatMap(({ name }) => store.checks.product(name) ?? [])
    .filter(({ problem, source: checked }) => problem !== undefined && checked === source.name)
    .sort((a, b) => (a.at < b.at ? 1 : -1))[0]
  const newest = live.newestOf(source.name)
  const nextCheckAt = products.flatMap(({ name }) => live.nextCheckAt(name)?.toISOString() ?? []).sort()[0]
  return {
    ...source,
    root: { ...source.root, version: check?.rootVersion ?? source.root.version },
    ...(check?.expires === undefined ? {} : { expires: check.expires }),
    ...(check === undefined ? {} : { lastCheck: lastCheckOf({ at: check.at, problem: failed?.problem }) }),
    ...(newest === undefined ? {} : { newest: { from: newest.kind, url: newest.url, at: newest.at.toISOString() } }),
    ...(nextCheckAt === undefined || settings.importOnly ? {} : { nextCheckAt }),
    ...(settings.importOnly ? { importOnly: true } : {}),
  }
}

const lastCheckOf = ({ at, problem }: Pick<ProductCheck, 'at' | 'problem'>) => ({
  at,
  ...(problem === undefined ? {} : { error: problem }),
})

const subscribedStatus = (
  { name, source, channel, platform, install, verification }: ProductSettings,
  store: Store,
  live: LiveState,
): ProductStatus => {
  const decision = store.checks.decision(name)
  const nextCheckAt = live.nextCheckAt(name)
  const check = store.checks.product(name)
  return {
    name,
    source,
    channel,
    platform,
    ...installedPart(store.installed.current(name)),
    ...usePart(name, install, store),
    ...badPart(name, store),
    ...(decision?.available === undefined ? {} : { available: decision.available }),
    ...updatePart(name, store),
    decision: [SUBSCRIBED, ...(decision?.rules ?? [])],
    ...(decision === undefined ? {} : { decidedAt: decision.at }),
    ...(check === undefined ? {} : { lastCheck: lastCheckOf(check) }),
    ...(nextCheckAt === undefined ? {} : { nextCheckAt: nextCheckAt.toISOString() }),
    trust: { ...trustPart(name, store), verification },
    seeding: seedingPart(name, store, live),
  }
}

/** Still installed, but its owner has taken it out of the settings: shown, so that nobody believes that it is updated. */
const unsubscribedStatus = (installed: InstalledRecord, store: Store, live: LiveState): ProductStatus => ({
  name: installed.product,
  source: installed.source,
  channel: '',
  platform: installed.platform,
  ...installedPart(installed),
  ...usePart(installed.product, store.activations.of(installed.product)?.install ?? DIRECTORY, store),
  ...badPart(installed.product, store),
  decision: [{ ...SUBSCRIBED, passed: false, detail: 'not in the settings, so nothing updates it' }],
  trust: trustPart(installed.product, store),
  seeding: seedingPart(installed.product, store, live),
})

const SUBSCRIBED: Rule = { rule: 'subscribed', passed: true, detail: 'in the settings' }

const installedPart = (record: InstalledRecord | undefined): Pick<ProductStatus, 'installed'> => {
  if (record === undefined) return {}
  const { version, path, installedAt, signers, threshold } = record
  return { installed: { version, path, installedAt, signers, threshold } }
}

/** Of a folder the link is the truth; elsewhere it is what was last written down. */
const usePart = (product: Product, install: InstallKind, store: Store): Pick<ProductStatus, 'use'> => {
  const installed = store.installed.current(product)
  const place = placeOfUse(install) ?? installed?.path
  const version = install.kind === 'directory' ? installed?.version : store.activations.of(product)?.version
  return {
    use: {
      kind: install.kind,
      ...(place === undefined ? {} : { place }),
      ...(version === undefined ? {} : { version }),
    },
  }
}

const badPart = (product: Product, store: Store): Pick<ProductStatus, 'bad'> => ({
  bad: store.badMarks.all(product).map(({ version, by, problem, at }) => ({ version, by, reason: problem.detail, at })),
})

const updatePart = (product: Product, store: Store): Pick<ProductStatus, 'update'> => {
  const entry = store.journal.latest(product)
  return entry === undefined ? {} : { update: updateOf(entry) }
}

const trustPart = (product: Product, store: Store): ProductStatus['trust'] => {
  const findings = store.findings.open(product)
  const decision = store.checks.decision(product)
  return {
    level: trustLevelOf(findings),
    signers: decision?.signers ?? [],
    threshold: decision?.threshold ?? 0,
    findings,
  }
}

const seedingPart = (product: Product, store: Store, live: LiveState): ProductStatus['seeding'] => {
  const isOwn = (seed: SeedRecord) => seed.product === product
  const shared = store.seeds
    .all()
    .filter(isOwn)
    .flatMap(({ infoHash }) => live.transferOf(infoHash) ?? [])
  const sum = (of: (state: TransferState) => number) => shared.reduce((total, state) => total + of(state), 0)
  return {
    releases: shared.length,
    peers: sum(({ peers }) => peers),
    uploadedBytes: sum((state) => state.uploadedBytes),
  }
}
