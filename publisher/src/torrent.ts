// Third room of publishing: the metainfo of a packed bundle and of its patches, and where their bytes may be found. It comes
// before the signature, so that TUF signs the infohashes.

import type { ProgressListener } from '@updraft/core/progress'
import { type CreateMetainfoOptions, createMetainfo, type Metainfo, pieceLengthFor } from '@updraft/core/swarm/metainfo'
import type { PackedBundle } from './pack.ts'
import type { Patches } from './patches.ts'
import type { RepositorySettings } from './repository-settings.ts'

export interface Torrents {
  /** Of the bundle. */
  readonly metainfo: Metainfo
  /** Of the patches: one for each of `ofContent`, in their order. */
  readonly patches: readonly Metainfo[]
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
 * Hashes the files into metainfo. Stock clients cannot resolve relative addresses, so the metainfo itself names the origin
 * only if the repository has a fixed address.
 *
 * Errors: IO, PERMISSION, LIMIT_EXCEEDED, ABORTED.
 * Source: BEP 3, BEP 19.
 */
export const makeTorrents = async (
  bundle: PackedBundle,
  { ofContent }: Patches,
  { url, trackers, webSeeds }: RepositorySettings,
  { signal, onProgress }: TorrentOptions = {},
): Promise<Torrents> => {
  const make = (name: string, files: CreateMetainfoOptions['files'], lengthBytes: number): Promise<Metainfo> =>
    createMetainfo({
      name,
      files,
      pieceLength: pieceLengthFor(lengthBytes),
      trackers: [...(url === undefined ? [] : [new URL(TRACKER, url).href]), ...trackers],
      webSeeds: [...(url === undefined ? [] : [new URL(WEB_SEED, url).href]), ...webSeeds],
      signal,
      onProgress,
    })
  const metainfo = await make(
    bundle.name,
    [
      { path: 'index', file: bundle.indexPath },
      { path: 'pack', file: bundle.packPath },
    ],
    bundle.sizes.indexBytes + bundle.sizes.packBytes,
  )
  const patches: Metainfo[] = []
  // Torrents of their own: a piece of the bundle's torrent has up to 128 KiB, and most patches have a few.
  for (const { name, path, lengthBytes } of ofContent) {
    patches.push(await make(name, [{ path: 'patch', file: path }], lengthBytes))
  }
  return { metainfo, patches, trackers: [TRACKER, ...trackers], webSeeds: [WEB_SEED, ...webSeeds] }
}
