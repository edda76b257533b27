// The origin in one process: repository over HTTP, tracker, first seeder, renewal. `startOrigin` is the story; each line
// is a room of `origin/`. It serves files as they are and signs nothing but what renewal is asked to.
import { join } from 'node:path'
import { hasCode, messageOf } from '@updraft/core/errors'
import type { Swarm } from '@updraft/core/swarm/swarm'
import { openSwarm } from '@updraft/core/swarm/webtorrent-swarm'
import type { KeySource } from './keys/signer.ts'
import { addressesOf, authorityOf, resolveHost, udpHostOf } from './origin/addresses.ts'
import { infoHashesOf } from './origin/catalog.ts'
import { openFileServer, PUBLIC_FOLDERS } from './origin/files.ts'
import { openHttpServer } from './origin/http.ts'
import type { Log } from './origin/log.ts'
import { type OriginNews, openOriginNews } from './origin/news.ts'
import { createPages } from './origin/pages.ts'
import type { Problem } from './origin/problem.ts'
import { readRememberedPeers, writeRememberedPeers } from './origin/remembered-peers.ts'
import { readRememberedTraffic, rememberTraffic } from './origin/remembered-traffic.ts'
import { type OriginRenewal, type OriginRenewalOptions, startRenewal } from './origin/renew.ts'
import { noSeeder, openSeeder, type Seeder } from './origin/seed.ts'
import { originStatus } from './origin/status.ts'
import { isLoopback, openTracker, type TrackedPeer, type Tracker } from './origin/tracker.ts'
import { openTraffic, type Traffic } from './origin/traffic.ts'
import { type WatchOptions, watchFile } from './origin/watch.ts'
import { layoutOf } from './repository/layout.ts'
import { openRepository, type Repository } from './repository.ts'

export interface OriginOptions {
  readonly directory: string
  /** An address of this machine, or `0.0.0.0` or `::` for all of them. */
  readonly host: string
  /** HTTP and, with the same number, UDP. 0 takes any free one. */
  readonly port: number
  /** Undefined serves metadata and tracker only: neither a web seed nor a seeder. */
  readonly seed: SeedOptions | undefined
  /** Undefined renews nothing. */
  readonly keys: KeySource | undefined
  readonly now: () => Date
  readonly log: Log
  /** How often to look for a change of the repository. */
  readonly pollMs?: number | undefined
  /** How often, at least, to look whether something has to be renewed. */
  readonly renewCheckMs?: number | undefined
}

export interface SeedOptions {
  /** TCP port for peers; 0 takes any free one. */
  readonly port: number
  /** How many of the newest releases of each product on each platform. */
  readonly releasesMax: number
  readonly allowLoopback: boolean
  /** Takes part in the distributed hash table, and keeps the pointer there. */
  readonly dht?: boolean | undefined
  /** `host:port` of nodes to enter it by; undefined takes the public ones. */
  readonly dhtBootstrap?: readonly string[] | undefined
}

/** A running origin. Disposing of it closes every socket and waits until all is quiet. */
export interface Origin extends AsyncDisposable {
  /** Address of the repository, with a slash at its end. */
  readonly url: string
  readonly trackerUrls: readonly string[]
  /** TCP port of the seeder; 0 without one. */
  readonly swarmPort: number
  /** `sha256:<hex>` of the first root: what owners of machines compare. */
  readonly fingerprint: string
}

/**
 * Serves the repository in `directory`. Resolves as soon as all sockets are open; bundles are verified and seeded after
 * that, one by one.
 *
 * Errors: REPOSITORY_INVALID and what else `openRepository` throws; PORT_IN_USE, PERMISSION, USAGE for the address;
 *         PASSPHRASE_WRONG.
 */
export const startOrigin = async (options: OriginOptions): Promise<Origin> => {
  const { directory, keys, log } = options
  const repository = await openRepository(directory, { fingerprints: (await keys?.rootFingerprints()) ?? [] })
  const state: State = { repository, damage: undefined, seeder: noSeeder, renewal: undefined, news: undefined }
  await using rooms = new AsyncDisposableStack()

  const traffic = rooms.use(
    openTraffic({
      seededBytes: () => state.seeder.sentBytes(),
      now: options.now,
      earlier: await readRememberedTraffic(directory, options.now(), log),
    }),
  )
  rooms.use(rememberTraffic(directory, traffic, log))
  const onAnnounce = (infoHash: string, peerId: string, downloadedBytes: number) =>
    traffic.announced(infoHash, peerId, downloadedBytes, bytesOf(state.repository, infoHash))
  const tracker = rooms.use(openTracker({ log, onAnnounce }))
  tracker.restore(await readRememberedPeers(directory, options.now(), log))
  rooms.defer(() => writeRememberedPeers(directory, tracker.peers(), options.now(), log))
  const { host, port } = await listen(options, state, { tracker, traffic }, rooms)
  const swarm = await swarmFor(options, host, (address) => state.news?.met(address))
  if (swarm !== undefined) {
    state.seeder = rooms.use(seederOn(swarm, options, repository, host, port))
    state.news = rooms.use(await openOriginNews(newsOptions(swarm, options, state, host)))
  }
  rooms.use(watchFile(followingOptions(options, state, tracker)))
  // Last, because it may wait for a person with the passphrase; all others are at work meanwhile.
  state.renewal = rooms.use(await startRenewal(renewalOptions(options, state)))
  state.news?.changed()

  return originOf(state, host, port, rooms.move())
}

/** What changes while an origin runs: each room replaces its own part, the pages show all of it. */
interface State {
  /** The last that verified. */
  repository: Repository
  /** Why what is on disk now does not verify. */
  damage: Problem | undefined
  seeder: Seeder
  renewal: OriginRenewal | undefined
  /** Undefined without a seeder. */
  news: OriginNews | undefined
}

/** Opens HTTP and UDP on the same port number; a free one is looked for until both have it. */
const listen = async (
  options: OriginOptions,
  state: State,
  { tracker, traffic }: { readonly tracker: Tracker; readonly traffic: Traffic },
  rooms: AsyncDisposableStack,
) => {
  const host = await resolveHost(options.host)
  const udpHost = udpHostOf(host)
  const files = await openFileServer(state.repository.directory, { onSent: traffic.sent })
  const folders = PUBLIC_FOLDERS.filter((folder) => options.seed !== undefined || folder !== 'bundles')
  for (let attempt = 1; ; attempt += 1) {
    const http = openHttpServer({
      files,
      folders,
      tracker,
      pages: pagesOf(options, state, tracker, traffic),
      log: options.log,
    })
    const port = await http.listen(host, options.port)
    try {
      if (udpHost !== undefined) await tracker.listenUdp(udpHost, port)
      rooms.use(http)
      return { host, port }
    } catch (error) {
      await http[Symbol.asyncDispose]()
      if (options.port !== 0 || attempt === PORT_ATTEMPTS || !hasCode(error, 'PORT_IN_USE')) throw error
    }
  }
}

const PORT_ATTEMPTS = 10

const pagesOf = ({ now }: OriginOptions, state: State, tracker: Tracker, traffic: Traffic) =>
  createPages(() =>
    originStatus({
      now: now(),
      catalog: state.repository,
      members: tracker.members().filter((peer) => !isOurs(peer, state.seeder)),
      seeding: state.seeder.seeding(),
      problems: [
        ...(state.damage === undefined ? [] : [state.damage]),
        ...state.seeder.problems(),
        ...(state.renewal?.problems() ?? []),
      ],
      traffic: { ...traffic.totals(), samples: traffic.samples() },
    }),
  )

/** The origin's own seeder is no machine of the fleet. It announces itself like everybody else. */
const isOurs = ({ ip, port }: TrackedPeer, seeder: Seeder): boolean =>
  port === seeder.port && (isLoopback(ip) || addressesOf('0.0.0.0').includes(ip))

const bytesOf = ({ releases }: Repository, infoHash: string): number => {
  const found = releases.find(({ release }) => release.torrent.btih === infoHash)
  return found === undefined ? 0 : found.release.sizes.indexBytes + found.release.sizes.packBytes
}

const swarmFor = async (
  { seed }: OriginOptions,
  host: string,
  onMachine: (address: string) => void,
): Promise<Swarm | undefined> =>
  seed &&
  (await openSwarm({
    port: seed.port,
    // Who serves on loopback wants to be found there.
    allowLoopback: seed.allowLoopback || isLoopback(host),
    dht: seed.dht === true,
    dhtBootstrap: seed.dhtBootstrap,
    localDiscovery: false,
    isOrigin: true,
    onMachine,
  }))

const seederOn = (
  swarm: Swarm,
  { seed, log }: OriginOptions,
  { settings }: Repository,
  host: string,
  port: number,
): Seeder => {
  // Announced where others reach the tracker, so that the address that it sees is one that others reach as well.
  const own = addressesOf(host).map((address) => `http://${authorityOf(address, port)}/announce`)
  const fixed = settings.url === undefined ? [] : [new URL('announce', settings.url).href]
  const trackers = [...own, ...fixed, ...settings.trackers]
  return openSeeder({ swarm, releasesMax: seed?.releasesMax ?? 0, trackers, log })
}

const newsOptions = (swarm: Swarm, { keys, now, log }: OriginOptions, state: State, host: string) => ({
  swarm,
  repository: () => state.repository,
  // Renewal asks for the passphrase, if a person has to give one.
  keys: () => (state.renewal === undefined ? undefined : keys),
  addresses: addressesOf(host).map((address) => authorityOf(address, swarm.port)),
  now,
  log,
})

const renewalOptions = ({ keys, now, log, renewCheckMs }: OriginOptions, state: State): OriginRenewalOptions => ({
  repository: () => state.repository,
  keys,
  now,
  log,
  checkEveryMs: renewCheckMs,
})

/** After each change: only what verifies, under the root that this origin began with, is tracked and seeded. */
const followingOptions = ({ log, pollMs }: OriginOptions, state: State, tracker: Tracker): WatchOptions => {
  const { directory, fingerprint } = state.repository
  return {
    file: join(layoutOf(directory).metadata, 'timestamp.json'),
    pollMs,
    onChange: async (signal) => {
      try {
        state.repository = await openRepository(directory, { fingerprints: [fingerprint] })
        state.damage = undefined
      } catch (error) {
        const damage = { summary: 'the repository does not verify', detail: messageOf(error) }
        if (damage.detail !== state.damage?.detail)
          log.error({ err: error }, `${damage.summary}; nothing new is seeded`)
        state.damage = damage
        return false
      }
      const { releases } = state.repository
      tracker.track(infoHashesOf(state.repository))
      state.news?.changed()
      await state.seeder.follow(releases, signal)
      return state.seeder.problems().length === 0
    },
  }
}

const originOf = (state: State, host: string, port: number, rooms: AsyncDisposableStack): Origin => {
  const authority = authorityOf(addressesOf(host)[0], port)
  const protocols = udpHostOf(host) === undefined ? ['http', 'ws'] : ['http', 'udp', 'ws']
  return {
    url: `http://${authority}/`,
    trackerUrls: protocols.map((protocol) => `${protocol}://${authority}/announce`),
    swarmPort: state.seeder.port,
    fingerprint: state.repository.fingerprint,
    [Symbol.asyncDispose]: () => rooms.disposeAsync(),
  }
}
