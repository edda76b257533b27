// Looks at all that a repository needs to be updated from, and says what to do about what is wrong or soon will be. Changes
// nothing, needs no key, and one thing that cannot be read does not hide the others.
import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, systemCodeOf } from '@updraft/core/errors'
import { indexPatchPathOf } from '@updraft/core/names'
import { type Asked, type Check, diagnose, type KeyFile, type MissingBytes, unopened } from './doctor/diagnosis.ts'
import { askSource, askTracker } from './doctor/network.ts'
import { layoutOf, targetFileName, targetFileNames } from './repository/layout.ts'
import { hasLeftovers } from './repository/sweep.ts'
import { verifyTorrent } from './repository/verify-torrent.ts'
import { openRepository, type PublishedRelease, type Repository } from './repository.ts'

export interface DoctorOptions {
  readonly now: Date
  readonly keysDirectory: string
  /** Ask the public address and the trackers as well. */
  readonly network: boolean
  /** Read every byte of every bundle, and not only look whether it is there. */
  readonly deep: boolean
  readonly signal: AbortSignal
}

/** Errors: ABORTED; everything else is in the answer. */
export const examine = async (directory: string, options: DoctorOptions): Promise<readonly Check[]> => {
  const { now, keysDirectory, network, deep, signal } = options
  let repository: Repository
  try {
    repository = await openRepository(directory)
  } catch (error) {
    return unopened(error)
  }
  const { missing, filesChecked } = await lookAtBytes(repository, deep, signal)
  const checks = diagnose({
    now,
    repository,
    keyFiles: await keyFilesIn(keysDirectory),
    missing,
    filesChecked,
    leftovers: await leftoversIn(repository),
    sources: network ? await askSources(repository, signal) : undefined,
    trackers: network ? await askTrackers(repository, signal) : undefined,
  })
  signal.throwIfAborted()
  return checks
}

const lookAtBytes = async (repository: Repository, deep: boolean, signal: AbortSignal) => {
  const missing: MissingBytes[] = []
  let filesChecked = 0
  const look = async (description: string, path: string, lengthBytes: number): Promise<void> => {
    filesChecked += 1
    const why = await lengthFault(path, lengthBytes)
    if (why !== undefined) missing.push({ description, path, why })
  }
  const { targets } = layoutOf(repository.directory)
  for (const { metadata } of [repository.edition.targets, ...repository.edition.products.values()]) {
    for (const [path, { hashes, length }] of Object.entries(metadata.signed.targets)) {
      const { sha256 = '', sha512 = '' } = hashes
      for (const name of targetFileNames(path, { sha256, sha512 })) await look(path, join(targets, name), length)
    }
  }
  for (const published of repository.releases) {
    signal.throwIfAborted()
    for (const [path, lengthBytes] of filesOf(published, targets)) {
      await look(published.torrents[0]?.description ?? '', path, lengthBytes)
    }
    if (deep) missing.push(...(await tornTorrents(published, signal)))
  }
  return { missing, filesChecked }
}

/** What is no TUF target and yet signed. */
const filesOf = ({ release, bundleDirectory, torrents }: PublishedRelease, targets: string): [string, number][] => [
  [join(bundleDirectory, 'index'), release.sizes.indexBytes],
  [join(bundleDirectory, 'pack'), release.sizes.packBytes],
  ...(release.indexPatches ?? []).map(({ sha256, lengthBytes }): [string, number] => [
    join(targets, targetFileName(indexPatchPathOf(release), sha256)),
    lengthBytes,
  ]),
  ...(release.patches ?? []).flatMap(({ lengthBytes }, row): [string, number][] => {
    const torrent = torrents[row + 1]
    return torrent === undefined
      ? []
      : [
          [join(torrent.directory, 'patch'), lengthBytes],
          [torrent.metainfo.file, torrent.metainfo.lengthBytes],
        ]
  }),
]

const tornTorrents = async ({ torrents }: PublishedRelease, signal: AbortSignal): Promise<readonly MissingBytes[]> => {
  const torn: MissingBytes[] = []
  for (const torrent of torrents) {
    try {
      await verifyTorrent(torrent, signal)
    } catch (error) {
      signal.throwIfAborted()
      torn.push({ description: torrent.description, path: torrent.directory, why: messageOf(error) })
    }
  }
  return torn
}

const lengthFault = async (path: string, lengthBytes: number): Promise<string | undefined> => {
  try {
    const { size } = await stat(path)
    return size === lengthBytes ? undefined : `${path} has ${size} bytes, signed are ${lengthBytes}`
  } catch (error) {
    return systemCodeOf(error) === 'ENOENT' ? `${path} is missing` : messageOf(error)
  }
}

const PEM_HEAD_BYTES = 64

const keyFilesIn = async (directory: string): Promise<readonly KeyFile[]> => {
  const names = await readdir(directory).catch(() => []) // Most machines that serve a repository have no keys.
  const files: KeyFile[] = []
  for (const name of names.filter((each) => each.endsWith('.pem'))) {
    const path = join(directory, name)
    try {
      await using file = await open(path)
      const { buffer, bytesRead } = await file.read(Buffer.alloc(PEM_HEAD_BYTES), 0, PEM_HEAD_BYTES, 0)
      const head = buffer.toString('latin1', 0, bytesRead)
      if (head.includes('PRIVATE KEY')) files.push({ name, path, isEncrypted: head.includes('ENCRYPTED') })
    } catch {
      // A key that nobody here can read is as good as away.
    }
  }
  return files
}

const leftoversIn = async ({ directory }: Repository): Promise<readonly string[]> =>
  (await hasLeftovers(directory)) ? [layoutOf(directory).staging] : []

const askSources = async (
  { settings: { url, webSeeds }, edition }: Repository,
  signal: AbortSignal,
): Promise<readonly Asked[]> =>
  await Promise.all([
    ...(url === undefined ? [] : [askSource(url, 'metadata/timestamp.json', edition.timestamp, signal)]),
    ...webSeeds.map((seed) => askSource(seed, '', undefined, signal)),
  ])

/** With the newest release: a tracker may answer only for torrents that it knows. */
const askTrackers = async ({ settings, releases }: Repository, signal: AbortSignal): Promise<readonly Asked[]> => {
  const own = settings.url === undefined ? [] : [new URL('announce', settings.url).href]
  const infoHash = releases.at(-1)?.release.torrent.btih
  if (infoHash === undefined) return []
  return await Promise.all([...own, ...settings.trackers].map((url) => askTracker(url, infoHash, signal)))
}
