// A release on its way over an air gap: one tar archive with files of a repository under their own paths, and at the end their
// SHA-256, as sha256sum writes it. Says what such a file may contain, opens one, and reads it in place: nothing is ever
// unpacked. The sums find accidents; they are no signatures, and nothing is trusted for them.
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { fromFileSystem, isUpdateError, UpdateError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import {
  bundleNameOf,
  type Product,
  parsePlatform,
  parseProduct,
  parseReleaseVersion,
  patchNameOf,
  type ReleaseName,
  URGENT_ROLE,
} from '../names.ts'
import { type Member, readExactly, readTarMembers } from './tar.ts'

/** Its last member: a line for each of the others, in their order. */
export const SUMS = 'SHA256SUMS'

export interface ExportFile extends AsyncDisposable {
  readonly path: string
  readonly product: Product
  /** Releases of which the whole bundle is in it. */
  readonly releases: readonly ReleaseName[]
  /** Names of all members but the sums, in their order. */
  readonly names: readonly string[]
  has(name: string): boolean
  lengthOf(name: string): number
  /** As the sums say. */
  sha256Of(name: string): string
  /** Errors: EXPORT_INVALID if there is no such member; LIMIT_EXCEEDED before anything longer is read; IO. */
  read(name: string, maxBytes: number): Promise<Buffer>
  /** Part of a member. Errors: EXPORT_INVALID, IO. */
  readPart(name: string, start: number, lengthBytes: number): Promise<Buffer>
}

/** One line of the sums. */
export const sumLine = (sha256: string, name: string): string => `${sha256}  ${name}\n`

export const exportedPackOf = (release: ReleaseName): string => `bundles/${bundleNameOf(release)}/pack`
export const exportedIndexOf = (release: ReleaseName): string => `bundles/${bundleNameOf(release)}/index`
export const exportedPatchOf = (release: ReleaseName, from: string): string =>
  `bundles/${patchNameOf(release, from)}/patch`

/**
 * Opens an exported file, and checks everything in it that is not a pack against the sums. A pack is checked while it is read,
 * frame by frame, by who knows its index.
 *
 * Errors: EXPORT_INVALID with what is wrong and where; LIMIT_EXCEEDED, PERMISSION, IO, ABORTED.
 */
export const openExport = async (
  path: string,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ExportFile> => {
  let file: FileHandle | undefined
  try {
    // A pipe would otherwise hold whoever opens it until somebody writes.
    file = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    const stats = await file.stat()
    if (!stats.isFile()) throw invalid('it is not a file')
    return await parseExport(path, file, stats.size, signal)
  } catch (error) {
    await file?.close()
    throw isUpdateError(error) ? named(path, error) : fromFileSystem(error, `cannot read ${path}`)
  }
}

const parseExport = async (
  path: string,
  file: FileHandle,
  archiveBytes: number,
  signal: AbortSignal | undefined,
): Promise<ExportFile> => {
  const all = await readTarMembers(file, archiveBytes)
  const sums = all.at(-1)
  if (sums?.name !== SUMS) throw invalid(`its last file is ${sums?.name ?? 'none'} instead of ${SUMS}`)
  const members = all.slice(0, -1)
  const contents = contentsOf(members.map(({ name }) => name))
  const digests = await readSums(file, sums, members)
  for (const member of members) {
    if (!PACK.test(member.name)) await assertSum(file, member, digests.get(member.name), signal)
  }
  const byName = new Map(members.map((member) => [member.name, member]))
  const find = (name: string): Member => {
    const member = byName.get(name)
    if (member === undefined) throw named(path, invalid(`it has no ${name}`))
    return member
  }
  const read = async (position: number, lengthBytes: number): Promise<Buffer> => {
    try {
      return await readExactly(file, position, lengthBytes)
    } catch (error) {
      throw isUpdateError(error) ? named(path, error) : fromFileSystem(error, `cannot read ${path}`)
    }
  }
  return {
    path,
    ...contents,
    names: members.map(({ name }) => name),
    has: (name) => byName.has(name),
    lengthOf: (name) => find(name).lengthBytes,
    sha256Of: (name) => digests.get(find(name).name) ?? '',
    read: async (name, maxBytes) => {
      const { offset, lengthBytes } = find(name)
      if (lengthBytes > maxBytes) {
        throw new UpdateError(
          'LIMIT_EXCEEDED',
          `${path}: ${name} has ${lengthBytes} bytes; at most ${maxBytes} are read`,
        )
      }
      return await read(offset, lengthBytes)
    },
    readPart: async (name, start, lengthBytes) => {
      const member = find(name)
      if (start + lengthBytes > member.lengthBytes) {
        throw named(path, invalid(`${name} has ${member.lengthBytes} bytes, less than ${start + lengthBytes}`))
      }
      return await read(member.offset + start, lengthBytes)
    },
    [Symbol.asyncDispose]: async () => await file.close(),
  }
}

const METADATA = /^metadata\/(?:(timestamp)|([1-9]\d{0,8})\.([a-z][a-z0-9-]*))\.json$/
const TARGET = /^targets\/([^/]+)\/([^/]+)\/([0-9a-f]{64})\.([^./]+)\.(?:index|torrent|index-patch|patch\.torrent)$/
const BUNDLE = /^bundles\/([^/_]+)_([^/_]+)_([^/_]+)\/(index|pack)$/
const PATCH = /^bundles\/([^/_]+)_([^/_]+)_([^/_]+)_from_[0-9a-f]{16}\/patch$/
const PACK = /^bundles\/[^/]+\/pack$/

/** What the names say. Every name has to be that of a file of a repository, and of one product. */
const contentsOf = (names: readonly string[]): Pick<ExportFile, 'product' | 'releases'> => {
  const seen = new Set<string>()
  const products = new Set<string>()
  const roles: string[] = []
  const releases: ReleaseName[] = []
  for (const name of names) {
    if (seen.has(name)) throw invalid(`${name} is in it twice`)
    seen.add(name)
    const metadata = METADATA.exec(name)
    if (metadata !== null) {
      roles.push(metadata[1] ?? metadata[3] ?? '')
      continue
    }
    const target = TARGET.exec(name)
    const bundle = BUNDLE.exec(name)
    const match = target ?? bundle ?? PATCH.exec(name)
    if (match === null) throw invalid(`${JSON.stringify(name)} is no file of a release`)
    const release = releaseNameIn(name, match[1], match[2], target === null ? match[3] : match[4])
    products.add(release.product)
    if (bundle?.[4] === 'pack') releases.push(release)
  }
  for (const release of releases) {
    if (!seen.has(exportedIndexOf(release))) throw invalid(`it has no ${exportedIndexOf(release)}`)
  }
  const [product, ...others] = products
  if (product === undefined || releases.length === 0) throw invalid('it carries no release')
  if (others.length > 0) throw invalid(`it carries more than one product: ${[product, ...others].join(', ')}`)
  const wanted = ['product', 'snapshot', 'targets', 'timestamp']
  // It may say what is urgent as well: in one version, as it may have of every role but root.
  const rest = roles.filter((role, at) => role !== 'root' && (role !== URGENT_ROLE || roles.indexOf(role) !== at))
  const found = rest.map((role) => (role === product ? 'product' : role))
  if (found.toSorted().join() !== wanted.join() || !roles.includes('root')) {
    throw invalid(
      `its metadata is of ${roles.join(', ')}; needed are root, timestamp, snapshot, targets and ${product}`,
    )
  }
  return { product: parseProduct(product), releases }
}

const releaseNameIn = (name: string, product = '', version = '', platform = ''): ReleaseName => {
  try {
    return {
      product: parseProduct(product),
      version: parseReleaseVersion(version),
      platform: parsePlatform(platform),
    }
  } catch (error) {
    throw new UpdateError('EXPORT_INVALID', `${JSON.stringify(name)} is no file of a release`, { cause: error })
  }
}

const readSums = async (
  file: FileHandle,
  { offset, lengthBytes }: Member,
  members: readonly Member[],
): Promise<ReadonlyMap<string, string>> => {
  if (lengthBytes > LIMITS.exportSumsBytes) throw invalid(`${SUMS} has ${lengthBytes} bytes`)
  const text = (await readExactly(file, offset, lengthBytes)).toString('latin1')
  const digests = new Map<string, string>()
  for (const [row, { name }] of members.entries()) digests.set(name, text.split('\n')[row]?.slice(0, 64) ?? '')
  const expected = members.map(({ name }) => sumLine(digests.get(name) ?? '', name)).join('')
  if (text !== expected || [...digests.values()].some((sha256) => !/^[0-9a-f]{64}$/.test(sha256))) {
    throw invalid(`${SUMS} does not list exactly what is in it`)
  }
  for (const [name, sha256] of digests) {
    const named = TARGET.exec(name)?.[3]
    if (named !== undefined && named !== sha256) throw invalid(`${name} has the SHA-256 ${sha256}`)
  }
  return digests
}

const READ_BYTES = 1024 * 1024

const assertSum = async (
  file: FileHandle,
  { name, offset, lengthBytes }: Member,
  sha256: string | undefined,
  signal: AbortSignal | undefined,
): Promise<void> => {
  const digest = createHash('sha256')
  for (let at = 0; at < lengthBytes; at += READ_BYTES) {
    if (signal?.aborted) throw new UpdateError('ABORTED', 'reading it was interrupted')
    digest.update(await readExactly(file, offset + at, Math.min(READ_BYTES, lengthBytes - at)))
  }
  const is = digest.digest('hex')
  if (is !== sha256) throw invalid(`${name} has the SHA-256 ${is}, but ${SUMS} says ${sha256}`)
}

const invalid = (message: string): UpdateError =>
  new UpdateError('EXPORT_INVALID', message, {
    hint: 'it was damaged or altered on its way, or was not made by updraft-publisher export: copy it again',
  })

const named = (path: string, { code, message, hint, cause }: UpdateError): UpdateError =>
  new UpdateError(code, message.startsWith(path) ? message : `${path}: ${message}`, {
    cause,
    ...(hint === undefined ? {} : { hint }),
  })
