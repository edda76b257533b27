// Second room of publishing: the metainfo of a packed bundle, and where its bytes may be found. It comes before the
// signature, so that TUF signs the infohash.

import type { ProgressListener } from '@updraft/core/progress'
import { createMetainfo, type Metainfo, pieceLengthFor } from '@updraft/core/swarm/metainfo'
import type { PackedBundle } from './pack.ts'
import type { RepositorySettings } from './repository-settings.ts'

export interface Torrent {
  readonly metainfo: Metainfo
  /** What is signed for agents; relative ones are resolved against the repository's own address. */
  readonly trackers: readonly string[]
  readonly webSeeds: readonly string[]
}

/** Where an origin announces and serves bundles, relative to the repository's address. */
const TRACKER = 'announce'
const WEB_SEED = 'bundles/'

export interface TorrentOptions {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ProgressListener | undefined
}

/**
 * Hashes the bundle's files into metainfo. Stock clients cannot resolve relative addresses, so the metainfo itself
 * names the origin only if the repository has a fixed address.
 *
 * Errors: IO, PERMISSION, LIMIT_EXCEEDED, ABORTED.
 * Source: BEP 3, BEP 19.
 */
export const makeTorrent = async (
  bundle: PackedBundle,
  { url, trackers, webSeeds }: RepositorySettings,
  { signal, onProgress }: TorrentOptions = {},
): Promise<Torrent> => {
  const metainfo = await createMetainfo({
    name: bundle.name,
    files: [
      { path: 'index', file: bundle.indexPath },
      { path: 'pack', file: bundle.packPath },
    ],
    pieceLength: pieceLengthFor(bundle.sizes.indexBytes + bundle.sizes.packBytes),
    trackers: [...(url === undefined ? [] : [new URL(TRACKER, url).href]), ...trackers],
    webSeeds: [...(url === undefined ? [] : [new URL(WEB_SEED, url).href]), ...webSeeds],
    signal,
    onProgress,
  })
  return { metainfo, trackers: [TRACKER, ...trackers], webSeeds: [WEB_SEED, ...webSeeds] }
}
