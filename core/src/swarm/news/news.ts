// What machines tell each other of a repository, beside the bytes of its releases: which metadata is the newest that they
// trust, its files, and since when they know a release. Whoever hears it judges it as if a mirror had said it: this is a
// way for bytes to come, never a reason to believe them. The seam; meeting.ts is what makes it.
import { createHash } from 'node:crypto'

/** Versions of the newest metadata that a machine has verified; 0 where it has none. */
export interface Edition {
  readonly root: number
  readonly timestamp: number
  readonly snapshot: number
}

export const NO_EDITION: Edition = { root: 0, timestamp: 0, snapshot: 0 }

/** A stretch of a file, and how long the whole of it is. */
export interface FilePart {
  readonly bytes: Uint8Array
  readonly totalBytes: number
}

/** What this machine gives to others. */
export interface Library {
  edition(): Promise<Edition>
  /** Of the file that a repository has at `path`; undefined if it is not here. Fewer bytes than `length` only at its end. */
  read(path: string, offset: number, length: number): Promise<FilePart | undefined>
  /** How many seconds ago this machine first saw the release of that name and index; undefined if it did not. */
  ageOf(name: string, indexSha256: string): Promise<number | undefined>
}

/** A connection to another machine that follows the same repository. Both ends may ask. */
export interface PeerConversation {
  /** `peer HOST:PORT` */
  readonly name: string
  /** Undefined where it cannot be known. */
  readonly address: string | undefined
  /** `host:port` where it can be called; undefined if it has not said. */
  readonly endpoint: string | undefined
  /** Whom to ban, or not to listen to. */
  readonly subjects: readonly string[]
  /** What it said last. */
  readonly edition: Edition
  readonly isOpen: boolean
  /**
   * A whole file. Undefined if the other one has none at that path.
   *
   * Errors: SOURCE_UNREACHABLE (gone, silent or too slow), LIMIT_EXCEEDED (longer than `maxBytes`), ABORTED.
   */
  fetch(path: string, maxBytes: number, signal?: AbortSignal): Promise<Buffer | undefined>
  /** How many seconds ago it first saw the release. Errors: SOURCE_UNREACHABLE, ABORTED. */
  ageOf(name: string, indexSha256: string, signal?: AbortSignal): Promise<number | undefined>
  /** Says what this machine has now. */
  tell(edition: Edition): void
  close(): void
}

export interface MeetingOptions {
  /** Infohashes under which machines of this repository meet: `topicOf` each root that they may have pinned. */
  readonly topics: readonly string[]
  readonly library: Library
  /** Another machine has called, or has said that it has other metadata than before. */
  readonly onTold: (conversation: PeerConversation) => void
  /** Local discovery or the DHT names a machine that follows the same repository. */
  readonly onPeer: (endpoint: string) => void
}

export interface CallOptions {
  /** Infohashes under which the other one may know the repository, after those of the meeting. */
  readonly topics?: readonly string[] | undefined
  readonly signal?: AbortSignal | undefined
}

/** Where the machines of one repository meet. */
export interface Meeting {
  /**
   * Calls the machine at `host:port`; resolves once it has said what it has.
   *
   * Errors: SOURCE_UNREACHABLE, ABORTED.
   */
  call(address: string, options?: CallOptions): Promise<PeerConversation>
  /** Meets under these from now on. */
  setTopics(topics: readonly string[]): void
  close(): void
}

/** The infohash of the swarm in which machines meet that have pinned, or follow, the root with this SHA-256. */
export const topicOf = (rootSha256: string): string =>
  createHash('sha1').update(`updraft_tuf 1 ${rootSha256}`).digest('hex')
