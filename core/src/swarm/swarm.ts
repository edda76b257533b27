// The swarm as the rest of Updraft sees it: give it verified metainfo and a folder, and it fetches, shares and counts.
// It locates bytes by BitTorrent's SHA-1 and never decides what may be installed. This file is the seam; the
// implementation on webtorrent is in webtorrent-swarm.ts.
import type { BytesFrom } from '../control/api.ts'
import type { DistributedTable } from './announce/distributed-table.ts'
import type { Metainfo } from './metainfo.ts'
import type { Meeting, MeetingOptions } from './news/news.ts'
import type { BanList } from './peers/bans.ts'
import type { FallbackReason } from './web/fallback.ts'

/** What may change while the swarm is open. Rates are bytes per second; undefined is without limit. */
export interface SwarmTerms {
  /** For what is outside of this machine's own network. */
  readonly uploadLimit?: number | undefined
  readonly downloadLimit?: number | undefined
  /** For what is in it. */
  readonly lanUploadLimit?: number | undefined
  readonly lanDownloadLimit?: number | undefined
  /** False sends nothing to peers outside; what is fetched from them goes on. */
  readonly sharesOutside?: boolean | undefined
  /** Leaves the link to others outside that need it. */
  readonly yields?: boolean | undefined
}

export interface SwarmOptions extends SwarmTerms {
  /** TCP port for incoming peers; 0 takes any free one. */
  readonly port: number
  /** Addresses on loopback and link-local networks are refused unless the machine's owner allows them. */
  readonly allowLoopback: boolean
  readonly dht: boolean
  /** `host:port` of nodes to enter the DHT by; undefined takes the public ones. */
  readonly dhtBootstrap?: readonly string[] | undefined
  readonly localDiscovery: boolean
  /** IPv4 addresses of the interfaces that local discovery speaks on; undefined is all of them. */
  readonly localInterfaces?: readonly string[] | undefined
  /** Networks that are near, as `address/length`, beside those that this machine's interfaces are in. */
  readonly lan?: readonly string[] | undefined
  /** How long peers come first, before web seeds join in; undefined is a second. */
  readonly webSeedDelayMs?: number | undefined
  /** How long a download may take: web seeds rest while peers will be done in time. Undefined is while they are fast. */
  readonly deadlineMs?: number | undefined
  /** Also take part over WebRTC, by trackers over WebSocket: for peers that run in browsers. */
  readonly webRtc?: { readonly stunServers: readonly string[] } | undefined
  /** The publisher's own seeder: peers then count what it sends as the origin's. For figures only; anyone can claim it. */
  readonly isOrigin?: boolean | undefined
  /** Who sent bad data before. Without one, the swarm forgets it when it is closed. */
  readonly bans?: BanList | undefined
  /** `host:port` of a machine that runs Updraft and was met in the swarm of a torrent. May be told again. */
  readonly onMachine?: ((endpoint: string) => void) | undefined
}

export interface StoredFile {
  readonly path: string
  readonly lengthBytes: number
  /** Somebody else has it too, and it is whole: it is read and never written to. */
  readonly isFixed: boolean
}

export interface TorrentOptions {
  readonly metainfo: Metainfo
  /** The torrent's files are at `<directory>/<name>/<path>`, `name` and `path` as in the metainfo. */
  readonly directory: string
  /** The files that its content is kept in instead, in their order, below `<directory>/<name>` as well. */
  readonly stored?: readonly StoredFile[] | undefined
  /**
   * What the files already hold: `check` hashes every piece on disk, `all` takes the caller's word that every piece was
   * verified, a bitfield (one bit per piece, most significant first, BEP 3) likewise for those pieces. `believed` is all as
   * well, but nothing is looked at before it is asked for, and each piece is hashed before it is sent for the first time.
   */
  readonly have: 'check' | 'all' | 'believed' | Uint8Array
  /** Only for `believed`, and once: a piece is not what it should be. It was not sent. */
  readonly onDamaged?: (() => void) | undefined
  /** Absolute announce URLs. Unusable ones are reported by `onWarning`, never fatal. */
  readonly trackers: readonly string[]
  /** Absolute base URLs (BEP 19): a file is at `<base><name>/<path>`. */
  readonly webSeeds: readonly string[]
  /** `host:port` of peers known in advance. */
  readonly peers?: readonly string[] | undefined
  readonly onWarning?: ((message: string) => void) | undefined
  /** Web seeds are asked, and why: once for each reason. */
  readonly onFallback?: ((reason: FallbackReason, text: string) => void) | undefined
}

export interface TransferState {
  readonly done: boolean
  /** Bytes of verified pieces. */
  readonly haveBytes: number
  readonly totalBytes: number
  /** What was received since the torrent was added, in bytes of payload; `reused` is what was there before. */
  readonly bytes: BytesFrom
  readonly uploadedBytes: number
  readonly peers: number
  /** Those of the peers that say they are the publisher's own seeder; and those of the others that have all of it. */
  readonly origins: number
  readonly seeds: number
  /** Known, whether or not they are asked at this moment. */
  readonly webSeeds: number
  /** Machines beside this one that have all of it, as far as trackers and connections tell. */
  readonly otherCopies?: number | undefined
  /** Why web seeds are asked at this moment; undefined while they rest. */
  readonly fallback?: FallbackReason | undefined
}

export interface SwarmTorrent {
  readonly infoHash: string
  state(): TransferState
  /**
   * Resolves once every piece is verified and on disk.
   *
   * Errors: SWARM_STALLED if nothing useful arrives for `stallTimeoutMs`; ABORTED; DISK_FULL; IO.
   */
  whenDone(options: { readonly stallTimeoutMs: number; readonly signal?: AbortSignal | undefined }): Promise<void>
  /**
   * Resolves once the bytes from `start` to `end` of the torrent, its files end to end, are verified and written.
   *
   * Errors: ABORTED once the torrent is removed, or what ended it before they came.
   */
  whenHave(start: number, end: number): Promise<void>
  /** Leaves the swarm. The files stay. */
  remove(): Promise<void>
}

export interface Swarm extends AsyncDisposable {
  /** The TCP port that peers reach, known once the swarm is open. */
  readonly port: number
  /** Starts to fetch what is missing and to share what is there. Adding an infohash twice returns the same torrent. */
  add(options: TorrentOptions): Promise<SwarmTorrent>
  /** The DHT, if this swarm takes part in it. */
  readonly table: DistributedTable | undefined
  /** Where machines that follow one repository tell each other what is new. Closed with the swarm. */
  meet(options: MeetingOptions): Promise<Meeting>
  /** All of them: what is left out is without limit, or as it is by itself. */
  change(terms: SwarmTerms): void
  /** Payload that was sent to peers so far, in bytes. */
  readonly uploadedBytes: { readonly lan: number; readonly outside: number }
}
