// Other machines in the place of a mirror: what refresh and fetch ask when a source does not answer, or when another machine
// says that it has something newer. They judge what comes as they judge everything. Types only; news.ts is what makes it.
import type { UpdateError } from '@updraft/core/errors'
import type { Ask } from './ask.ts'
import type { OfferedRelease } from './store/first-seen.ts'

/** Where the newest metadata came from: a mirror, another machine, one that the DHT has led to, or a file that was carried here. */
export interface MetadataOrigin {
  readonly kind: 'mirror' | 'peer' | 'dht' | 'file'
  readonly url: string
}

/** A file as it was signed. */
interface SignedFile {
  /** Below `targets/`. */
  readonly path: string
  readonly lengthBytes: number
  readonly sha256: string
}

export interface PeerSource {
  /**
   * Metadata URLs of machines that say that they have the timestamp in version `atLeast` or a later one, in the order in which
   * to ask them. With `search`, those that are known are called; without, only those count that have called.
   *
   * Errors: ABORTED.
   */
  find(
    atLeast: number,
    options: { readonly search: boolean; readonly signal?: AbortSignal | undefined },
  ): Promise<readonly string[]>
  /** Answers for what is below those URLs, and asks nobody else. */
  readonly ask: Ask
  /** What came from there was of no use: it is not asked for a while. */
  disappointed(url: string, error: UpdateError): void
  /** A file with exactly this length and digest; undefined if no machine has it. Errors: ABORTED. */
  file(target: SignedFile, signal: AbortSignal): Promise<Buffer | undefined>
  /** `host:port` of machines that follow the same repository, for the swarm of its torrents. */
  addresses(): readonly string[]
  /** How the machine behind such a URL was found. */
  kindOf(url: string): 'peer' | 'dht'
  /** The trusted metadata is this machine's newest now: others are told if it has changed. */
  settled(result: { readonly changed: boolean; readonly from: MetadataOrigin }): void
  /**
   * When the machines that the owner has named say that they first saw each release: a time for each of them that has answered.
   * By the name of the release, in ISO 8601. Errors: ABORTED.
   */
  firstSeen(releases: readonly OfferedRelease[], signal: AbortSignal): Promise<ReadonlyMap<string, readonly string[]>>
}
