// Brings index and pack of a release into `staging/`: signed descriptions from the repository, everything local that fits, the rest
// from the swarm, which goes on while the first parts are verified. Does not trust the bytes: see verify.ts.
import { join } from 'node:path'
import { type BundleIndex, parseIndexInTurns } from '@updraft/core/bundle/index-file'
import type { BytesFrom } from '@updraft/core/control/api'
import { UpdateError } from '@updraft/core/errors'
import { makeDirectory, removeAll, removeTemporaries, writeFileAtomic } from '@updraft/core/files/atomic'
import { bundleNameOf } from '@updraft/core/names'
import { type Metainfo, parseMetainfo } from '@updraft/core/swarm/metainfo'
import type { Carrier } from './carrier.ts'
import { exists, fillPack, type LocalBundle, readLocalBundles } from './fetch/local.ts'
import { fetchPatch, NOT_PATCHED, type Patched } from './fetch/patch.ts'
import { fetchIndex } from './fetch/signed-index.ts'
import { fetchTarget, type RepositoryPlace } from './fetch/target.ts'
import { type FetchTorrentOptions, startTorrent } from './fetch/torrent.ts'
import { packPathOf, stagedFilesOf } from './kept-pack.ts'
import type { TrustedRelease } from './refresh.ts'

export interface FetchOptions extends FetchTorrentOptions {
  /** The agent's `staging/`. */
  readonly stagingDirectory: string
  readonly local: readonly LocalBundle[]
  /** What brings the whole bundle, in place of repository and swarm. */
  readonly carrier?: Carrier | undefined
  /** What may give what the repository does not. */
  readonly others?: Pick<RepositoryPlace, 'peers' | 'isUnreachable'> | undefined
}

declare const staged: unique symbol

/** A release on its way to this disk, unverified. Disposing of it ends the download; the files stay. */
export type StagedBundle = AsyncDisposable & {
  readonly [staged]: true
  readonly release: TrustedRelease
  /** `staging/<bundle name>`: this release's own folder. */
  readonly directory: string
  /** The folder with the file `index` and the frames of the pack. */
  readonly bundleDirectory: string
  readonly metainfo: Metainfo
  /** Of the patch that was used, which is in `directory`. */
  readonly patch: Metainfo | undefined
  /** Once all of it is there. Errors: SWARM_STALLED, DISK_FULL, IO, ABORTED; the same for both. */
  readonly whenComplete: Promise<BytesFrom>
  /** Once these bytes of the pack are there. */
  whenPackHas(start: number, end: number): Promise<void>
}

/**
 * Begins to fetch what this machine lacks of `release`. An interrupted download is continued, whatever ended it.
 *
 * Shape:  `<staging>/<name>/<name>/{index,pack.frames/}`, and a patch beside the inner folder.
 * Units:  bytes; `stallTimeoutMs` in milliseconds.
 * Errors: SOURCE_UNREACHABLE (try again later), METAINFO_INVALID and BUNDLE_INVALID (not what was signed), DISK_FULL, IO,
 *         ABORTED.
 * Source: BEP 3 (pieces), BEP 19 (web seeds).
 */
export const fetchBundle = async (release: TrustedRelease, options: FetchOptions): Promise<StagedBundle> => {
  const { signal, carrier } = options
  const place = carrier ?? { ...options.others, url: release.repositoryUrl }
  const name = bundleNameOf(release.release)
  const directory = join(options.stagingDirectory, name)
  const bundleDirectory = join(directory, name)

  const metainfo = parseMetainfo(await fetchTarget(release.metainfo, place, signal))
  assertSigned(metainfo, release)
  const indexBytes = await fetchIndex(release, options)
  const index = await parseIndexInTurns(indexBytes, signal)

  // What an earlier download left is not mended: all of it is brought.
  if (carrier !== undefined) await removeAll(directory)
  await makeDirectory(bundleDirectory, 0o700)
  await removeTemporaries(bundleDirectory)
  await writeFileAtomic(join(bundleDirectory, 'index'), indexBytes, { mode: 0o600 })
  const patched = await fillFromHere(release, index, directory, packPathOf(bundleDirectory), options)

  // The index was fetched as a signed description; the swarm finds its whole pieces on disk, but nothing was saved by that.
  const indexPieces = Math.floor(indexBytes.length / metainfo.pieceLength)
  let bytes = patched.bytes
  const torrent = await startTorrent(metainfo, directory, release, {
    ...options,
    isAlone: carrier !== undefined,
    stored: await stagedFilesOf(index, metainfo, bundleDirectory),
    onProgress: (state) => {
      bytes = {
        peers: patched.bytes.peers + state.bytes.peers,
        origin: patched.bytes.origin + state.bytes.origin,
        reused: Math.max(0, state.bytes.reused - indexPieces * metainfo.pieceLength),
      }
      options.onProgress({ ...state, bytes })
    },
  })
  return {
    release,
    directory,
    bundleDirectory,
    metainfo,
    patch: patched.metainfo,
    whenComplete: torrent.whenDone.then(() => bytes),
    whenPackHas: (start, end) => torrent.whenHave(indexBytes.length + start, indexBytes.length + end),
    [Symbol.asyncDispose]: () => torrent[Symbol.asyncDispose](),
  } as Partial<StagedBundle> as StagedBundle
}

/**
 * Fills the pack from what this machine has and, if it has an older release and that is cheaper, what a patch makes of it. A pack
 * that is there already was filled by an earlier cycle and holds what that one downloaded, so it is left alone: the swarm checks
 * every piece of it anyway.
 */
const fillFromHere = async (
  release: TrustedRelease,
  index: BundleIndex,
  directory: string,
  packPath: string,
  options: FetchOptions,
): Promise<Patched> => {
  if (await exists(packPath)) return NOT_PATCHED
  const known = await readLocalBundles(options.local)
  if (options.carrier !== undefined) {
    const pack = options.carrier.openPack(release.release)
    await fillPack(index, packPath, known, undefined, options.signal, pack)
    return NOT_PATCHED
  }
  const patched = await fetchPatch(release, index, known, { ...options, directory })
  await fillPack(index, packPath, known, patched.made, options.signal)
  if (patched.made !== undefined) await removeAll(patched.made.gaps.path)
  return patched
}

/** The metainfo is a signed target already; this ties it to the release that names it. */
const assertSigned = (metainfo: Metainfo, { release, index }: TrustedRelease): void => {
  const faults: string[] = []
  const expect = (what: string, is: string | number, signed: string | number) => {
    if (is !== signed) faults.push(`${what} is ${is}, signed is ${signed}`)
  }
  expect('infohash', metainfo.infoHash, release.torrent.btih)
  expect('name', metainfo.name, bundleNameOf(release))
  expect('piece length', metainfo.pieceLength, release.torrent.pieceLength)
  expect('files', metainfo.files.map((file) => file.path).join(), 'index,pack')
  expect('index length', metainfo.files[0]?.lengthBytes ?? 0, index.lengthBytes)
  expect('pack length', metainfo.files[1]?.lengthBytes ?? 0, release.sizes.packBytes)
  if (faults.length > 0) {
    throw new UpdateError('METAINFO_INVALID', `torrent of ${bundleNameOf(release)}: ${faults.join('; ')}`)
  }
}
