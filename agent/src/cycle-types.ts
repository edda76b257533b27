// What the agent gives to a cycle and what it gets back: the seam between the program, which decides when, and the
// cycle, which does the work for one product. Types only.
import type { Rule, Signer, UpdateState } from '@updraft/core/control/api'
import type { Home } from '@updraft/core/control/home'
import type { UpdateError } from '@updraft/core/errors'
import type { Platform, Product, ReleaseName, ReleaseVersion } from '@updraft/core/names'
import type { Swarm, SwarmTorrent, TransferState } from '@updraft/core/swarm/swarm'
import type { Carrier } from './carrier.ts'
import type { PeerSource } from './peer-source.ts'
import type { ProductSettings, Settings } from './settings.ts'
import type { BadMark } from './store/bad-marks.ts'
import type { AvailableRelease, Expiry } from './store/checks.ts'
import type { NewFinding } from './store/findings.ts'
import type { InstalledRecord } from './store/installed.ts'
import type { EndState } from './store/journal.ts'
import type { Store } from './store.ts'
import type { TrustedSource } from './trust-store.ts'

/**
 * One product, once: refresh ▸ plan ▸ fetch ▸ verify ▸ install ▸ probe ▸ seed. Tells `report` what it does before it does it, and
 * throws an UpdateError when it cannot go on; the agent records that and tries again later.
 *
 * Errors: any UpdateError; ABORTED once `signal` is aborted, and then the update stays open for the next start.
 */
export type Cycle = (product: ProductSettings, dependencies: CycleDependencies) => Promise<CycleOutcome>

export type CycleOutcome =
  /** Nothing to do: the decision that was reported says why. */
  | { readonly kind: 'current' }
  | { readonly kind: 'installed'; readonly version: ReleaseVersion }
  /** Another version of this very agent is in place: it commits itself, once it runs. */
  | { readonly kind: 'to-be-started'; readonly version: ReleaseVersion }

export interface CycleDependencies {
  readonly home: Home
  readonly settings: Settings
  readonly store: Store
  readonly swarm: Swarm
  /** A torrent that is in the swarm now, whoever added it: also a bundle taken up again at the start of the agent. */
  readonly torrentOf: (infoHash: string) => SwarmTorrent | undefined
  readonly report: CycleReport
  /** Version of the running agent, for releases that demand a newer one. */
  readonly agentVersion: ReleaseVersion
  /** The product that this agent is, and the version that runs; undefined if it does not update itself. */
  readonly self?: { readonly product: Product; readonly version: ReleaseVersion | undefined } | undefined
  readonly now: () => Date
  /** Runs `work` alone among this agent's cycles that name the same key: refreshes of one source must not overlap. */
  readonly alone: <T>(key: string, work: () => Promise<T>) => Promise<T>
  /** A file that brings a release, in place of source and swarm. */
  readonly carrier?: Carrier | undefined
  /** Other machines that follow the source; undefined asks and tells nobody. */
  readonly peersOf?: ((source: TrustedSource) => PeerSource) | undefined
  /**
   * Something may be there that is not to stay: the last look at the product did not end well, there was none since the agent began, or
   * the settings keep other versions than then.
   */
  readonly isUntidy: boolean
  readonly signal: AbortSignal
}

/** Where a cycle says what it does. Each call is written to the store at once, with its event; nothing waits. */
export interface CycleReport {
  /** The refresh has succeeded. An error thrown before this call counts as a failed check of the source. */
  refreshed(result: RefreshResult): void
  /** The source is not asked, because the settings say so: that it could not be reached before matters no more. */
  notAsked(): void
  /** The plan was made, whether or not there is something to do. Ends an open update of another release. */
  decided(decision: Decision): void
  /** The update goes into `state`: called before the step acts. The first call for a release opens its update. */
  entering(release: ReleaseName, state: Exclude<UpdateState, EndState>): void
  /** How far the download is. May be called often: it is thinned out here. */
  transferring(state: Pick<TransferState, 'haveBytes' | 'totalBytes' | 'bytes' | 'peers'>): void
  /** The link `current` points to the new version, and it is well: records it and commits the update. */
  installed(version: InstalledReport): void
  /** A version is bad on this machine and is going to be left: told before `current` moves. It is not tried again. */
  condemned(verdict: Verdict): void
  /** `current` no longer points to the version that was condemned: ends its update. */
  rolledBack(left: ReleaseName): void
  /** `version` is in use where the settings want it. */
  inUse(version: ReleaseVersion): void
  /** The recorded version could not be brought into use: it is tried again. */
  notInUse(error: UpdateError): void
  /** The bundle rests under `bundles/` and is shared. */
  seeding(seed: SeedReport): void
  /** Something that went wrong and changes nothing: for the log. */
  warning(message: string): void
}

export interface RefreshResult {
  readonly rootVersion: number
  /** The first of the trusted roles to expire. */
  readonly expires: Expiry
  /** Everything that a person should know about this source's trust now; what is no longer named is cleared. */
  readonly findings: readonly NewFinding[]
}

export interface Decision {
  /** The newest release that trust rules accept in this channel, for this platform. */
  readonly available: AvailableRelease | undefined
  readonly rules: readonly Rule[]
  /** The release to be installed now, if there is one. */
  readonly update: ReleaseName | undefined
  /** The release that will be installed once time or the owner lets it: an open update of it waits instead of ending. */
  readonly later?: ReleaseName | undefined
  readonly signers: readonly Signer[]
  readonly threshold: number
}

export interface InstalledReport {
  readonly version: ReleaseVersion
  readonly platform: Platform
  /** The path that stays the same over all versions. */
  readonly path: string
  readonly signers: readonly Signer[]
  readonly threshold: number
}

export interface Verdict {
  readonly release: ReleaseName
  readonly by: BadMark['by']
  readonly error: UpdateError
  /** The version that is the current one from now on, if that is another than before. */
  readonly goTo?: InstalledRecord
}

export interface SeedReport {
  readonly release: ReleaseName
  /** `<product>_<version>_<platform>` */
  readonly name: string
  readonly infoHash: string
  /** Absolute announce URLs. */
  readonly trackers: readonly string[]
  readonly lengthBytes: number
  /** What its files look like. */
  readonly stamp: string | undefined
}
