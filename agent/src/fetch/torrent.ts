// One torrent from the swarm, whole: the bundle of a release, or a patch. What is on disk already is kept.
import { LIMITS } from '@updraft/core/limits'
import { resolveHints } from '@updraft/core/release'
import type { Metainfo } from '@updraft/core/swarm/metainfo'
import type { Swarm, TransferState } from '@updraft/core/swarm/swarm'
import type { TrustedRelease } from '../refresh.ts'

export interface FetchTorrentOptions {
  readonly swarm: Pick<Swarm, 'add'>
  /** `host:port` of peers that the machine's owner named. */
  readonly peers: readonly string[]
  readonly stallTimeoutMs?: number | undefined
  readonly signal: AbortSignal
  readonly onProgress: (state: TransferState) => void
  readonly onWarning: (message: string) => void
}

/**
 * Fetches what is missing of the torrent under `directory`, and leaves its swarm. `onProgress` is told the last state as well.
 *
 * Errors: SWARM_STALLED, DISK_FULL, IO, ABORTED.
 * Source: BEP 3 (pieces), BEP 19 (web seeds).
 */
export const fetchTorrent = async (
  metainfo: Metainfo,
  directory: string,
  { release: { torrent: hints }, repositoryUrl }: Pick<TrustedRelease, 'release' | 'repositoryUrl'>,
  { swarm, peers, stallTimeoutMs = LIMITS.swarmStallTimeoutMs, signal, onProgress, onWarning }: FetchTorrentOptions,
): Promise<void> => {
  const torrent = await swarm.add({
    metainfo,
    directory,
    have: 'check',
    trackers: resolveHints(hints.trackers, repositoryUrl),
    webSeeds: resolveHints(hints.webSeeds, repositoryUrl),
    peers,
    onWarning,
  })
  const ticker = setInterval(() => onProgress(torrent.state()), PROGRESS_INTERVAL_MS)
  try {
    await torrent.whenDone({ stallTimeoutMs, signal })
  } finally {
    clearInterval(ticker)
    onProgress(torrent.state())
    // The files move on to verification and then to `bundles/`, where seeding takes them up again.
    await torrent.remove()
  }
}

const PROGRESS_INTERVAL_MS = 200
