// One torrent from the swarm, whole: the bundle of a release, or a patch. What is on disk already is kept.
import { LIMITS } from '@updraft/core/limits'
import { resolveHints } from '@updraft/core/release'
import type { Metainfo } from '@updraft/core/swarm/metainfo'
import type { StoredFile, Swarm, TransferState } from '@updraft/core/swarm/swarm'
import type { TrustedRelease } from '../refresh.ts'

export interface FetchTorrentOptions {
  readonly swarm: Pick<Swarm, 'add'>
  /** `host:port` of peers that the machine's owner named. */
  readonly peers: readonly string[]
  /** What the files of the torrent are kept in instead. */
  readonly stored?: readonly StoredFile[] | undefined
  readonly stallTimeoutMs?: number | undefined
  /** All of it is on disk: it is checked, and nobody is asked for anything. */
  readonly isAlone?: boolean | undefined
  readonly signal: AbortSignal
  readonly onProgress: (state: TransferState) => void
  readonly onWarning: (message: string) => void
}

/** A torrent that is being fetched. Disposing of it leaves its swarm; the files stay. */
export interface RunningTorrent extends AsyncDisposable {
  /** Errors: SWARM_STALLED, DISK_FULL, IO, ABORTED; the same for both. */
  readonly whenDone: Promise<void>
  /** Resolves once these bytes of the torrent, its files end to end, are verified and written. */
  whenHave(start: number, end: number): Promise<void>
}

/**
 * Begins to fetch what is missing of the torrent under `directory`. `onProgress` is told the last state as well.
 *
 * Errors: DISK_FULL, IO.
 * Source: BEP 3 (pieces), BEP 19 (web seeds).
 */
export const startTorrent = async (
  metainfo: Metainfo,
  directory: string,
  { release: { torrent: hints }, repositoryUrl }: Pick<TrustedRelease, 'release' | 'repositoryUrl'>,
  {
    swarm,
    peers,
    stored,
    isAlone = false,
    stallTimeoutMs = LIMITS.swarmStallTimeoutMs,
    signal,
    onProgress,
    onWarning,
  }: FetchTorrentOptions,
): Promise<RunningTorrent> => {
  const torrent = await swarm.add({
    metainfo,
    directory,
    have: 'check',
    stored,
    trackers: isAlone ? [] : resolveHints(hints.trackers, repositoryUrl),
    webSeeds: isAlone ? [] : resolveHints(hints.webSeeds, repositoryUrl),
    peers: isAlone ? [] : peers,
    onWarning,
  })
  const ticker = setInterval(() => onProgress(torrent.state()), PROGRESS_INTERVAL_MS)
  const whenDone = torrent.whenDone({ stallTimeoutMs, signal }).finally(() => {
    clearInterval(ticker)
    onProgress(torrent.state())
  })
  whenDone.catch(() => {}) // Whoever waits for it has the error; nobody may be waiting yet.
  return {
    whenDone,
    // A part that will not come, since the whole stalled or was aborted.
    whenHave: (start, end) => Promise.race([torrent.whenHave(start, end), whenDone]),
    [Symbol.asyncDispose]: async () => {
      await torrent.remove()
      await whenDone.catch(() => {})
    },
  }
}

/** Fetches all of it, and leaves its swarm. Errors: SWARM_STALLED, DISK_FULL, IO, ABORTED. */
export const fetchTorrent = async (...wanted: Parameters<typeof startTorrent>): Promise<void> => {
  await using torrent = await startTorrent(...wanted)
  await torrent.whenDone
}

const PROGRESS_INTERVAL_MS = 200
