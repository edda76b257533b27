// What this machine gives to others of one repository: the metadata that it has verified, and the signed descriptions of the
// bundles that it shares. Gives nothing that it did not get from the repository itself.
import { createHash } from 'node:crypto'
import { open, readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { LIMITS } from '@updraft/core/limits'
import { bundleNameOf, isPatchOf, parsePlatform, parseProduct, parseReleaseVersion } from '@updraft/core/names'
import type { Edition, FilePart, Library } from '@updraft/core/swarm/news/news'
import { type Metadata, parseMetadata, type SignedRoot } from '@updraft/core/trust/metadata'
import { fileNameOf, maxBytesOf, roleOfFile } from '../refresh/file-names.ts'
import type { Store } from '../store.ts'
import type { TrustedSource } from '../trust-store.ts'

export interface LibraryOptions {
  readonly source: TrustedSource
  readonly stateDirectory: string
  readonly bundlesDirectory: string
  readonly store: KnownHere
  readonly now: () => Date
}

export interface OwnLibrary extends Library {
  /** SHA-256 of the roots under which others may look for this repository: the newest, the one before it, the pinned one. */
  roots(): Promise<readonly string[]>
  /** Ed25519 keys (hex) of the role timestamp, by the newest root that is trusted. */
  timestampKeys(): Promise<readonly string[]>
}

/** What of the store says what is here. */
export interface KnownHere {
  readonly seeds: Pick<Store['seeds'], 'all'>
  readonly firstSeen: Pick<Store['firstSeen'], 'at'>
}

const ROOTS_MAX = 3

export const libraryOf = (options: LibraryOptions): OwnLibrary => {
  const { source, stateDirectory, bundlesDirectory, store, now } = options
  const cache = join(stateDirectory, 'metadata', source.name)
  const versions = new Map<string, number>()

  /** The copy in force, whose files never change. */
  const copyPath = async (): Promise<string | undefined> => {
    const name = await readlink(join(cache, 'current')).catch(() => undefined) // Nothing was refreshed yet.
    return name === undefined ? undefined : join(cache, name)
  }

  const versionOf = async (path: string): Promise<number> => {
    const known = versions.get(path)
    if (known !== undefined) return known
    const version = versionIn(await readFile(path).catch(() => Buffer.alloc(0))) // Gone: it has no version.
    if (versions.size >= VERSIONS_KEPT) versions.clear()
    versions.set(path, version)
    return version
  }

  /** Files of roots after the pinned one, in their order. */
  const laterRoots = async (copy: string): Promise<readonly { readonly name: string; readonly version: number }[]> =>
    (await readdir(copy).catch(() => []))
      .flatMap((name) => {
        const { role, version } = roleOfFile(name) ?? {}
        return role === 'root' && version !== undefined ? [{ name, version }] : []
      })
      .sort((a, b) => a.version - b.version)

  const metadataPath = async (name: string): Promise<string | undefined> => {
    const wanted = roleOfFile(name)
    if (wanted === undefined || fileNameOf(wanted) !== name) return undefined
    const copy = await copyPath()
    if (wanted.role === 'root') {
      if (wanted.version === versionIn(source.rootBytes)) return join(stateDirectory, 'trust', source.name, 'root.json')
      return copy === undefined ? undefined : join(copy, name)
    }
    if (copy === undefined) return undefined
    const path = join(copy, fileNameOf({ role: wanted.role }))
    return wanted.version === undefined || (await versionOf(path)) === wanted.version ? path : undefined
  }

  const targetPath = async (path: string): Promise<string | undefined> => {
    const match = /^([^/]+)\/([^/]+)\/([0-9a-f]{64})\.([^/]+?)\.(index|patch\.torrent|torrent)$/.exec(path)
    if (match === null) return undefined
    const [, product = '', version = '', sha256 = '', platform = '', what = ''] = match
    let name: string
    try {
      name = bundleNameOf({
        product: parseProduct(product),
        version: parseReleaseVersion(version),
        platform: parsePlatform(platform),
      })
    } catch {
      return undefined // No release is called that.
    }
    if (!store.seeds.all().some((seed) => seed.name === name)) return undefined
    if (what === 'index') return join(bundlesDirectory, name, 'index')
    if (what === 'torrent') return join(bundlesDirectory, `${name}.torrent`)
    return await patchTorrent(name, sha256)
  }

  /** Which of the patches to the bundle it is, only its digest says. */
  const patchTorrent = async (bundle: string, sha256: string): Promise<string | undefined> => {
    const names = (await readdir(bundlesDirectory)).filter(
      (name) => isPatchOf(name, bundle) && name.endsWith('.torrent'),
    )
    for (const name of names.slice(0, LIMITS.patchesMax)) {
      const path = join(bundlesDirectory, name)
      if (
        createHash('sha256')
          .update(await readFile(path))
          .digest('hex') === sha256
      )
        return path
    }
    return undefined
  }

  return {
    edition: async (): Promise<Edition> => {
      const copy = await copyPath()
      const pinned = versionIn(source.rootBytes)
      if (copy === undefined) return { root: pinned, timestamp: 0, snapshot: 0 }
      return {
        root: (await laterRoots(copy)).at(-1)?.version ?? pinned,
        timestamp: await versionOf(join(copy, fileNameOf({ role: 'timestamp' }))),
        snapshot: await versionOf(join(copy, fileNameOf({ role: 'snapshot' }))),
      }
    },
    read: async (path, offset, length) => {
      const [folder, ...rest] = path.split('/')
      const place = folder === 'metadata' ? await metadataPath(rest.join('/')) : await targetPath(rest.join('/'))
      const role = folder === 'metadata' ? roleOfFile(rest.join('/'))?.role : undefined
      const maxBytes = role === undefined ? LIMITS.indexLengthBytes : maxBytesOf(role)
      return place === undefined ? undefined : await readPart(place, offset, length, maxBytes)
    },
    ageOf: async (name, indexSha256) => {
      const at = store.firstSeen.at(name, indexSha256)
      return at === undefined ? undefined : Math.max(0, Math.floor((now().getTime() - Date.parse(at)) / 1000))
    },
    timestampKeys: async () => {
      const copy = await copyPath()
      const newest = copy === undefined ? undefined : (await laterRoots(copy)).at(-1)
      const bytes = newest === undefined ? source.rootBytes : await readFile(join(copy ?? '', newest.name))
      const { keys, roles } = (parseMetadata(bytes, 'the root') as Metadata<SignedRoot>).signed
      return roles.timestamp.keyids.flatMap((keyId) => {
        const key = keys[keyId]
        return key?.keytype === 'ed25519' ? [key.keyval.public] : []
      })
    },
    roots: async () => {
      const copy = await copyPath()
      const later = copy === undefined ? [] : (await laterRoots(copy)).slice(1 - ROOTS_MAX)
      const digests = await Promise.all(
        later.map(async ({ name }) => sha256Of(await readFile(join(copy ?? '', name)).catch(() => Buffer.alloc(0)))),
      )
      return [...digests.reverse(), sha256Of(source.rootBytes)]
    },
  }
}

const VERSIONS_KEPT = 256

const readPart = async (
  path: string,
  offset: number,
  length: number,
  maxBytes: number,
): Promise<FilePart | undefined> => {
  let file: Awaited<ReturnType<typeof open>>
  try {
    file = await open(path)
  } catch {
    return undefined // Gone since, or never there.
  }
  try {
    const { size } = await file.stat()
    if (size > maxBytes || offset > size) return undefined
    const bytes = Buffer.alloc(Math.min(length, size - offset))
    const { bytesRead } = await file.read(bytes, 0, bytes.length, offset)
    return bytesRead === bytes.length ? { bytes, totalBytes: size } : undefined
  } finally {
    await file.close()
  }
}

/** Of a file of this machine; 0 if it is none. */
const versionIn = (bytes: Buffer): number => {
  try {
    const { signed } = JSON.parse(bytes.toString('utf8')) as { readonly signed?: { readonly version?: unknown } }
    return Number.isSafeInteger(signed?.version) ? Number(signed?.version) : 0
  } catch {
    return 0 // Damaged: the next refresh fetches it again.
  }
}

const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
