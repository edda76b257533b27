// Gives back what was verified: moves the bundle, and the patch that led to it, out of `staging/` into `bundles/` and shares
// them. Seeds nothing that did not come out of verification, now or before a restart.
import { join } from 'node:path'
import { parseIndexInTurns } from '@updraft/core/bundle/index-file'
import { messageOf } from '@updraft/core/errors'
import {
  makeDirectory,
  namesIn,
  readFileBounded,
  removeAll,
  renameDurably,
  writeFileAtomic,
} from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { bundleNameOf, isPatchOf } from '@updraft/core/names'
import { resolveHints } from '@updraft/core/release'
import { type Metainfo, parseMetainfo } from '@updraft/core/swarm/metainfo'
import type { StoredFile, Swarm, SwarmTorrent } from '@updraft/core/swarm/swarm'
import { storedFilesOf } from './kept-pack.ts'
import { stampOf } from './kept-stamp.ts'
import type { VerifiedBundle } from './verify.ts'

/** A verified bundle that rests under `bundles/`. */
export interface KeptBundle {
  /** `<product>_<version>_<platform>`, also the name of its folder. */
  readonly name: string
  readonly infoHash: string
  /** Absolute announce URLs. */
  readonly trackers: readonly string[]
}

export interface SeedOptions {
  /** The agent's `bundles/`. */
  readonly bundlesDirectory: string
  readonly swarm: Pick<Swarm, 'add'>
  readonly onWarning: (message: string) => void
  /** Names in `bundlesDirectory`, for those who have read it already. */
  readonly kept?: readonly string[]
  /** What the files looked like when all their pieces had been verified. */
  readonly stamp?: string | undefined
}

export const bundleDirectoryOf = (bundlesDirectory: string, name: string): string => join(bundlesDirectory, name)
const metainfoFileOf = (bundlesDirectory: string, name: string): string => join(bundlesDirectory, `${name}.torrent`)

/**
 * Moves a verified bundle to its lasting place. After this `staging/` holds nothing of the release.
 *
 * Errors: DISK_FULL, PERMISSION, IO.
 */
export const keepBundle = async (verified: VerifiedBundle, bundlesDirectory: string): Promise<KeptBundle> => {
  const { release, metainfo, patch, bundleDirectory, directory } = verified
  await makeDirectory(bundlesDirectory, 0o755)
  if (patch !== undefined) await keepTorrent(patch, join(directory, patch.name), bundlesDirectory)
  await keepTorrent(metainfo, bundleDirectory, bundlesDirectory)
  await removeAll(directory)
  const trackers = resolveHints(release.release.torrent.trackers, release.repositoryUrl)
  return { name: bundleNameOf(release.release), infoHash: metainfo.infoHash, trackers }
}

const keepTorrent = async ({ name, bytes }: Metainfo, from: string, bundlesDirectory: string): Promise<void> => {
  const place = bundleDirectoryOf(bundlesDirectory, name)
  await writeFileAtomic(metainfoFileOf(bundlesDirectory, name), bytes)
  await removeAll(place)
  await renameDurably(from, place)
}

/**
 * Shares a kept bundle, and the patch that led to it if there was one. Unless the files look as they did, pieces are hashed first: a
 * file that was damaged since only costs the pieces concerned, and the swarm mends them. The answer is what the files look like,
 * undefined if not all is there.
 *
 * Errors: METAINFO_INVALID, BUNDLE_INVALID, LIMIT_EXCEEDED, IO if the bundle is no longer readable.
 */
export const seedBundle = async (bundle: KeptBundle, options: SeedOptions): Promise<string | undefined> => {
  const { bundlesDirectory: directory, swarm, onWarning } = options
  const patches = await patchesOf(bundle.name, directory, options.kept)
  const stamp = await stampOf([bundle.name, ...patches].map((name) => bundleDirectoryOf(directory, name)))
  const isAsItWas = stamp !== undefined && stamp === options.stamp
  const share = async (metainfo: Metainfo, stored?: readonly StoredFile[], believed = isAsItWas): Promise<boolean> => {
    const torrent = await swarm.add({
      metainfo,
      directory,
      stored,
      have: believed ? 'believed' : 'check',
      trackers: bundle.trackers,
      webSeeds: [],
      onWarning,
      onDamaged: () => {
        onWarning(`${metainfo.name} is damaged on disk, and is hashed again`)
        const again = async (): Promise<void> => {
          await torrent.remove()
          await share(metainfo, stored, false)
        }
        again().catch((error: unknown) => onWarning(`${metainfo.name} is not shared: ${messageOf(error)}`))
      },
    })
    return torrent.state().done
  }

  const metainfo = await readMetainfo(bundle.name, directory)
  const indexFile = join(bundleDirectoryOf(directory, bundle.name), 'index')
  const index = await parseIndexInTurns(await readFileBounded(indexFile, LIMITS.indexLengthBytes))
  let isWhole = await share(metainfo, storedFilesOf(index, metainfo))
  for (const patch of patches) isWhole = (await share(await readMetainfo(patch, directory))) && isWhole
  return isWhole ? stamp : undefined
}

const readMetainfo = async (name: string, bundlesDirectory: string): Promise<Metainfo> =>
  parseMetainfo(await readFileBounded(metainfoFileOf(bundlesDirectory, name), LIMITS.metainfoLengthBytes))

/** Names of the patches that are kept with this bundle. */
const patchesOf = async (
  name: string,
  bundlesDirectory: string,
  kept?: readonly string[],
): Promise<readonly string[]> =>
  (kept ?? (await namesIn(bundlesDirectory))).filter((entry) => isPatchOf(entry, name) && !entry.endsWith('.torrent'))

export interface DropOptions {
  readonly bundlesDirectory: string
  readonly torrentOf: (infoHash: string) => Pick<SwarmTorrent, 'remove'> | undefined
}

/** Stops keeping a bundle and its patches: they leave the swarm, and their files go. */
export const dropBundle = async ({ name, infoHash }: KeptBundle, options: DropOptions): Promise<void> => {
  const { bundlesDirectory, torrentOf } = options
  await torrentOf(infoHash)?.remove()
  for (const patch of await patchesOf(name, bundlesDirectory)) {
    const metainfo = await readMetainfo(patch, bundlesDirectory).catch(() => undefined) // Damaged: then it is not shared.
    if (metainfo !== undefined) await torrentOf(metainfo.infoHash)?.remove()
    await dropTorrent(patch, bundlesDirectory)
  }
  await dropTorrent(name, bundlesDirectory)
}

const dropTorrent = async (name: string, bundlesDirectory: string): Promise<void> => {
  await removeAll(bundleDirectoryOf(bundlesDirectory, name))
  await removeAll(metainfoFileOf(bundlesDirectory, name))
}
