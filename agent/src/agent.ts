// The agent as a process: takes its home, opens everything in order, looks for updates on schedule until it is told to
// stop, and closes everything in reverse. Decides when; what a look does is the cycle's business.
import { hostname } from 'node:os'
import { isDeepStrictEqual } from 'node:util'
import { tokenFileOf } from '@updraft/core/control/address'
import type { AgentEvent, RecordedEvent, Status } from '@updraft/core/control/api'
import { controlClient } from '@updraft/core/control/client'
import type { Home } from '@updraft/core/control/home'
import { problemOf } from '@updraft/core/control/problem'
import { messageOf } from '@updraft/core/errors'
import { removeTemporaries } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { isNewer, type Product, parseReleaseVersion, type ReleaseVersion } from '@updraft/core/names'
import { answersOf } from './answers.ts'
import { tellBan } from './ban-notice.ts'
import { watchClock } from './clock.ts'
import { serveControl } from './control.ts'
import type { Cycle } from './cycle-types.ts'
import { assertHomeIsOwn } from './home-guard.ts'
import { openImportFolder } from './imports/folder.ts'
import { openImports } from './imports.ts'
import { eventLogger, type Log } from './log.ts'
import { lookWith } from './look.ts'
import { readMetered } from './machine-facts/metered.ts'
import { keepManners } from './manners.ts'
import { countTransferred } from './metrics/transferred.ts'
import { type News, openNews } from './news.ts'
import { recheckAtOf } from './plan/recheck.ts'
import { forgetRemoved } from './recover.ts'
import { rememberedBans } from './remembered-bans.ts'
import { openReport } from './report.ts'
import { givingMemoryBack } from './rest.ts'
import { resumeSeeds, type SeedKept } from './resume-seeds.ts'
import { startSchedule } from './schedule.ts'
import { isReplaced, noteLeftAgents, sayHealthy } from './self-update.ts'
import { type HandedOver, NOTHING_HANDED_OVER } from './service/handed-over.ts'
import type { StarterLink } from './service/starter-link.ts'
import { superviseBy } from './service/supervised.ts'
import { liveSettings } from './settings/live.ts'
import { watchSettings } from './settings/watch.ts'
import { type ProductSettings, readSettings, type Settings } from './settings.ts'
import { type OpenSwarm, openSharing } from './sharing.ts'
import { type SourceDescription, statusOf } from './status.ts'
import { openStore } from './store.ts'
import { prepareHome, takeHome } from './taken-home.ts'

/** What the agent is made of besides itself. */
export interface AgentParts {
  readonly cycle: Cycle
  readonly openSwarm: OpenSwarm
  readonly seedKept: SeedKept
  readonly describeSources: (home: Home) => Promise<readonly SourceDescription[]>
}

export interface AgentOptions {
  readonly home: Home
  readonly parts: AgentParts
  readonly version: ReleaseVersion
  /** Looks once at each product, takes up no kept bundle, and ends. */
  readonly once: boolean
  /** Only these products; undefined is all of the settings. */
  readonly only?: readonly Product[]
  /** An exported file to begin with. Its product has to be among those that are looked at. */
  readonly importFile?: string | undefined
  readonly log: Log
  readonly onEvent?: (recorded: RecordedEvent) => void
  readonly now?: () => Date
  /** From 0 to 1. */
  readonly random?: () => number
  /** What has started this process, if that is a starter: then the agent updates itself. */
  readonly starter?: StarterLink | undefined
  /** Called before the agent ends because another version of it is in place. */
  readonly onReplaced?: () => void
  /** What a service manager gave to this process. */
  readonly handedOver?: HandedOver
  /** Aborting it stops the agent in good order. */
  readonly signal: AbortSignal
}

/** Why the last look at each product failed; empty if all is well. */
export type Failures = ReadonlyMap<Product, unknown>

/**
 * Runs the agent until it is told to stop, or with `once` until every product was looked at. A look that fails does not
 * end it.
 *
 * Errors: AGENT_RUNNING, SETTINGS_INVALID, those of `Imports.add`, STATE_DAMAGED, PORT_IN_USE, PERMISSION, DISK_FULL, IO; all while it starts.
 */
export const runAgent = async (options: AgentOptions): Promise<Failures> => {
  const {
    home,
    parts,
    version,
    once,
    only,
    importFile,
    log,
    signal,
    now = () => new Date(),
    random = Math.random,
  } = options
  const { handedOver = NOTHING_HANDED_OVER, starter, onReplaced = () => {} } = options
  const startedAt = now().toISOString()

  await assertHomeIsOwn(home, process.geteuid?.() ?? 0)
  await prepareHome(home)
  using _lock = takeHome(home)
  await removeTemporaries(home.stateDirectory)
  using store = openStore(home.stateDirectory)
  if (store.lost !== undefined) {
    log.warn(`${store.lost.message}: a new one was made`, {
      hint: 'floors, holds, verdicts and bad marks are kept, the history is not; the old one is beside it, as agent.db.damaged',
    })
  }
  const initial = await readSettings(home.configDirectory)
  store.events.onAppend(eventLogger(log))
  if (options.onEvent !== undefined) store.events.onAppend(options.onEvent)
  forgetRemoved(store, initial)
  const begun = initial.products.flatMap(({ name }) => store.journal.open(name) ?? [])
  const transferred = countTransferred(store.events, begun)
  /** What cannot be recorded (a full disk) must not end the agent. */
  const tell = (event: AgentEvent): void => {
    try {
      store.events.append(event, now().toISOString())
    } catch (error) {
      log.error(`an event cannot be recorded: ${messageOf(error)}`, { event })
    }
  }

  let news: News | undefined
  const resume = once ? async () => {} : resumeSeeds({ store, home, seedKept: parts.seedKept, log })
  await using sharing = openSharing({
    openSwarm: parts.openSwarm,
    network: initial.network,
    bans: rememberedBans({ store: store.bans, log, now, onBan: (bundle) => tellBan(bundle, store, now()) }),
    onMachine: (address) => news?.met(address),
    resume: (swarm, stopped) => {
      news?.reopened()
      return resume(swarm, stopped)
    },
    onFallback: (text, name) => log.info(`${name}: ${text}`),
  })
  await using openedNews = await openNews({
    home,
    store,
    swarm: sharing.swarm,
    named: () => settings.current().network.peers,
    isOn: () => settings.current().network.peerMetadata,
    onNews: (source) => {
      for (const product of settings.current().products) if (product.source === source) schedule.check(product.name)
    },
    log,
    now,
    random,
  })
  news = openedNews

  const failures = new Map<Product, unknown>()
  const look = lookWith({
    cycle: parts.cycle,
    home,
    store,
    sharing,
    news: openedNews,
    settings: () => settings.current(),
    agentVersion: version,
    self: starter,
    log,
    now,
  })
  const onIdle = ({ name }: { readonly name: Product }, error: unknown) => {
    if (error === undefined) failures.delete(name)
    else failures.set(name, error)
    tell({ kind: 'idle', product: name, ...(error === undefined ? {} : { error: problemOf(error) }) })
    if (name === starter?.product) void noticeNextAgent(starter)
  }
  const replaced = Promise.withResolvers<void>()
  const noticeNextAgent = async (own: StarterLink) => {
    try {
      if (await isReplaced(own, home)) replaced.resolve()
    } catch (error) {
      log.error(`whether another version of the agent is in place is not known: ${messageOf(error)}`)
    }
  }
  const imports = openImports({
    home,
    settings: () => settings.current(),
    look,
    isBehind: (product) => {
      const { available } = store.checks.decision(product) ?? {}
      const installed = store.installed.current(product)
      return (
        available !== undefined &&
        (installed === undefined || isNewer(parseReleaseVersion(available.version), installed.version))
      )
    },
    check: (product) => schedule.check(product),
    tell,
  })
  /** A decision that cannot be read must not end the agent: it looks again when the interval is over. */
  const recheckAt = (name: Product): Date | undefined => {
    try {
      return recheckAtOf(store.checks.decision(name)?.rules ?? [], now())
    } catch (error) {
      log.error(`the last decision cannot be read: ${messageOf(error)}`, { product: name })
      return undefined
    }
  }
  await using schedule = startSchedule({ look: imports.look, onIdle, repeat: !once, recheckAt, now, random })

  await using importFolder = openImportFolder({
    stateDirectory: home.stateDirectory,
    imports,
    onWarning: (message) => log.warn(message),
  })

  const scheduleAll = ({ products, checkIntervalSeconds }: Settings) =>
    schedule.apply(
      products.filter(({ name }) => only === undefined || only.includes(name)),
      checkIntervalSeconds,
    )
  let kept = keptBy(initial)
  const settings = liveSettings({
    configDirectory: home.configDirectory,
    initial,
    apply: (next) =>
      supervised.reloading(async () => {
        try {
          if (sharing.isOther(next.network)) {
            await schedule.pause()
            await sharing.reopen(next.network)
          }
        } finally {
          scheduleAll(next)
        }
        await manners.look()
        await importFolder.apply(next)
        await control.apply(next.control)
        // A look takes away what is not kept any more.
        if (!isDeepStrictEqual(keptBy(next), kept)) schedule.check()
        kept = keptBy(next)
      }),
    onReload: (problem) => tell({ kind: 'settings', ...(problem === undefined ? {} : { error: problem }) }),
  })

  await using manners = keepManners({
    settings: () => settings.current(),
    uploads: store.uploads,
    uploaded: sharing.uploadedBytes,
    readMetered: () =>
      readMetered({ setting: settings.current().metered, mark: `metered ${home.stateDirectory} sharing` }),
    onChange: sharing.change,
    log,
    now,
  })

  const reportOf = (product: ProductSettings) =>
    openReport({ product, store, now, onWarning: (message) => log.warn(message, { product: product.name }) })

  const status = async (): Promise<Status> => ({
    ...statusOf({
      store,
      settings: settings.current(),
      sources: await parts.describeSources(home),
      live: {
        nextCheckAt: schedule.nextCheckAt,
        transferOf: (infoHash) => sharing.torrentOf(infoHash)?.state(),
        newestOf: openedNews.newestOf,
      },
    }),
    sharing: manners.status(),
    agent: {
      version,
      pid: process.pid,
      hostname: hostname(),
      home: home.dataDirectory,
      startedAt,
      swarmPort: sharing.swarm.port,
    },
  })

  await using supervised = superviseBy({
    handedOver,
    log,
    status,
    touchStore: () => store.events.cursor(),
    onEvent: store.events.onAppend,
  })
  const handlers = answersOf({
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
  })
  await using control = await serveControl(home.socketPath, handlers, {
    listeningFd: handedOver.controlFd,
    tokenFile: tokenFileOf(home),
    log,
  })
  await control.apply(initial.control)

  await sharing.ready()
  log.info(`agent ${version} runs on ${home.dataDirectory}, peers reach port ${sharing.swarm.port}`, {
    socket: home.socketPath,
  })
  if (initial.products.length === 0) log.warn('no product is subscribed to', { hint: 'updraft-agent install PRODUCT' })
  const selfUpdate = { home, store, log, now, signal }
  if (starter !== undefined) await noteLeftAgents(starter, initial, selfUpdate)
  if (importFile !== undefined) await imports.add(importFile)
  scheduleAll(initial)
  await supervised.ready(() => controlClient(home.socketPath).status({ signal }))
  if (starter !== undefined) await sayHealthy(starter, selfUpdate)
  if (once) await Promise.race([schedule.whenIdle(), aborted(signal)])
  else {
    using _rest = givingMemoryBack()
    await using _watch = await watchSettings(home.configDirectory, settings.reload, (error) =>
      log.warn(`changes of the settings are not noticed: ${messageOf(error)}`),
    )
    using _clock = watchClock({
      wall: now,
      onJump: (jumpMs) => {
        log.info(
          `the clock was ${jumpMs > 0 ? 'put forward' : 'set back'} by ${Math.abs(Math.round(jumpMs / 1_000))} s, or this machine slept: everything is looked at again`,
        )
        schedule.clockJumped()
        void manners.look()
      },
    })
    await importFolder.apply(initial)
    await settings.reload() // What changed before the watch had begun.
    await Promise.race([aborted(signal), replaced.promise])
    if (!signal.aborted) {
      log.info('another version of the agent is in place and takes over')
      onReplaced()
      supervised.handingOver()
      // What is under way may end; what takes longer is taken up by the next one.
      await Promise.race([aborted(signal), schedule.whenIdle(), late(LIMITS.handOverGraceMs)])
    }
  }
  if (once || signal.aborted) supervised.stopping()
  log.info('agent stops')
  return failures
}

const keptBy = ({ versionsKept, versionsKeptBytes }: Settings) => ({ versionsKept, versionsKeptBytes })

const late = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref())

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
