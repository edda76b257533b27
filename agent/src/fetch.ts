// Brings index and pack of a release into `staging/`: signed descriptions over HTTP, everything local that fits, the rest
// from the swarm. Does not trust the bytes: see verify.ts.
import { join } from 'node:path'
import { parseIndex } from '@updraft/core/bundle/index-file'
import type { BytesFrom } from '@updraft/core/control/api'
import { UpdateError } from '@updraft/core/errors'
import { makeDirectory, writeFileAtomic } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { bundleNameOf } from '@updraft/core/names'
import { resolveHints } from '@updraft/core/release'
import { type Metainfo, parseMetainfo } from '@updraft/core/swarm/metainfo'
import type { Swarm, TransferState } from '@updraft/core/swarm/swarm'
import { fillPack, type LocalBundle } from './fetch/local.ts'
import { fetchIndex } from './fetch/signed-index.ts'
import { fetchTarget } from './fetch/target.ts'
import type { TrustedRelease } from './refresh.ts'

export interface FetchOptions {
  /** The agent's `staging/`. */
  readonly stagingDirectory: string
  readonly local: readonly LocalBundle[]
  readonly swarm: Pick<Swarm, 'add'>
  /** `host:port` of peers that the machine's owner named. */
  readonly peers: readonly string[]
  readonly stallTimeoutMs?: number
  readonly signal: AbortSignal
  readonly onProgress: (state: TransferState) => void
  readonly onWarning: (message: string) => void
}

declare const staged: unique symbol

/** Everything of a release, on this disk, unverified. */
export type StagedBundle = {
  readonly [staged]: true
  readonly release: TrustedRelease
  /** `staging/<bundle name>`: this release's own folder. */
  readonly directory: string
  /** The folder with the files `index` and `pack`. */
  readonly bundleDirectory: string
  readonly metainfo: Metainfo
  readonly bytes: BytesFrom
}

/**
 * Fetches what this machine lacks of `release`. An interrupted download is continued, whatever ended it.
 *
 * Shape:  `<staging>/<name>/<name>/{index,pack}`.
 * Units:  bytes; `stallTimeoutMs` in milliseconds.
 * Errors: SOURCE_UNREACHABLE and SWARM_STALLED (try again later), METAINFO_INVALID and BUNDLE_INVALID (not what was
 *         signed), DISK_FULL, IO, ABORTED.
 * Source: BEP 3 (pieces), BEP 19 (web seeds).
 */
export const fetchBundle = async (release: TrustedRelease, options: FetchOptions): Promise<StagedBundle> => {
  const { signal } = options
  const name = bundleNameOf(release.release)
  const directory = join(options.stagingDirectory, name)
  const bundleDirectory = join(directory, name)

  const metainfo = parseMetainfo(await fetchTarget(release.metainfo, release.repositoryUrl, signal))
  assertSigned(metainfo, release)
  const indexBytes = await fetchIndex(release, options)
  const index = parseIndex(indexBytes)

  await makeDirectory(bundleDirectory, 0o700)
  await writeFileAtomic(join(bundleDirectory, 'index'), indexBytes, { mode: 0o600 })
  await fillPack(index, join(bundleDirectory, 'pack'), options.local, signal)

  const { trackers, webSeeds } = release.release.torrent
  const torrent = await options.swarm.add({
    metainfo,
    directory,
    have: 'check',
    trackers: resolveHints(trackers, release.repositoryUrl),
    webSeeds: resolveHints(webSeeds, release.repositoryUrl),
    peers: options.peers,
    onWarning: options.onWarning,
  })
  // The index was fetched as a signed description; the swarm finds its whole pieces on disk, but nothing was saved by that.
  const indexPieces = Math.floor(indexBytes.length / metainfo.pieceLength)
  const transfer = (): TransferState => {
    const state = torrent.state()
    const reused = Math.max(0, state.bytes.reused - indexPieces * metainfo.pieceLength)
    return { ...state, bytes: { ...state.bytes, reused } }
  }
  const ticker = setInterval(() => options.onProgress(transfer()), PROGRESS_INTERVAL_MS)
  try {
    await torrent.whenDone({ stallTimeoutMs: options.stallTimeoutMs ?? LIMITS.swarmStallTimeoutMs, signal })
    const state = transfer()
    options.onProgress(state)
    return { release, directory, bundleDirectory, metainfo, bytes: state.bytes } as StagedBundle
  } finally {
    clearInterval(ticker)
    // The files move on to verification and then to `bundles/`, where seeding takes them up again.
    await torrent.remove()
  }
}

const PROGRESS_INTERVAL_MS = 200

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
