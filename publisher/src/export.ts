// Puts a release into one file that a person can carry to where no network leads: all signed metadata from the first root
// down, and the bundle, each under its path in the repository. Checks what it copies, since nobody could mend it on the other
// side; signs nothing and changes nothing in the repository.
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { exportedIndexOf, exportedPackOf, exportedPatchOf } from '@updraft/core/archive/export-file'
import { frameOf, packLengthOf } from '@updraft/core/bundle/bundle-index'
import { parseIndex } from '@updraft/core/bundle/index-file'
import { fromFileSystem, UpdateError } from '@updraft/core/errors'
import {
  type Channel,
  compareVersions,
  describeRelease,
  indexPatchPathOf,
  type Platform,
  type Product,
  patchMetainfoPathOf,
  type ReleaseVersion,
  URGENT_ROLE,
} from '@updraft/core/names'
import type { ProgressListener } from '@updraft/core/progress'
import { type ExportMember, writeExport } from './export/write-export.ts'
import { metadataFileOf, type SignedRole } from './repository/edition.ts'
import { layoutOf, targetFileName } from './repository/layout.ts'
import { damaged, readStored } from './repository/stored.ts'
import { openRepository, type PublishedRelease, type Repository } from './repository.ts'

export interface ExportRequest {
  readonly repository: string
  readonly product: Product
  /** The newest in `channel` that was not yanked, by default. */
  readonly version?: ReleaseVersion | undefined
  readonly channel: Channel
  /** Every platform of the version by default. */
  readonly platforms?: readonly Platform[] | undefined
  /** Also what leads from older releases to this one, for those who are served from the unpacked file. */
  readonly patches: boolean
  readonly out: string
}

export interface ExportOptions {
  readonly now: Date
  readonly onProgress?: ProgressListener | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Exported {
  readonly product: string
  readonly version: string
  readonly platforms: readonly string[]
  readonly file: string
  readonly lengthBytes: number
  /** Until when it can be imported. */
  readonly expires: { readonly role: string; readonly at: string }
}

/**
 * Units:  progress in bytes of the file, phase `export`.
 * Errors: REPOSITORY_INVALID (also for bytes that are not what was signed), PRODUCT_UNKNOWN, RELEASE_UNKNOWN,
 *         METADATA_EXPIRED, LIMIT_EXCEEDED, DISK_FULL, PERMISSION, IO, ABORTED.
 */
export const exportRelease = async (request: ExportRequest, options: ExportOptions): Promise<Exported> => {
  const repository = await openRepository(request.repository)
  const releases = chooseReleases(repository, request)
  const expires = firstToExpire(repository, request.product)
  assertNotExpired(expires, options.now)
  const members = [
    ...metadataOf(repository, request.product),
    ...(await Promise.all(releases.map((release) => bundleOf(repository, release)))).flat(),
    ...(request.patches ? onceEach(releases.flatMap((release) => patchesOf(repository, release))) : []),
  ]
  const lengthBytes = await writeExport(request.out, members, options)
  const [{ release }] = releases
  return {
    product: release.product,
    version: release.version,
    platforms: releases.map(({ release: { platform } }) => platform),
    file: request.out,
    lengthBytes,
    expires: { role: expires.role, at: expires.expires.toISOString() },
  }
}

type Chosen = readonly [PublishedRelease, ...PublishedRelease[]]

const chooseReleases = (
  { directory, products, releases }: Repository,
  { product, version, channel, platforms }: ExportRequest,
): Chosen => {
  if (!products.includes(product)) {
    throw new UpdateError('PRODUCT_UNKNOWN', `${directory} has no product ${product}; it has ${products.join(', ')}`)
  }
  const own = releases.filter(({ release }) => release.product === product)
  const wanted =
    version ??
    own
      .filter(({ release }) => release.channels.includes(channel) && release.yanked === undefined)
      .map(({ release }) => release.version)
      .toSorted(compareVersions)
      .at(-1)
  const [first, ...rest] = own.filter(
    ({ release }) => release.version === wanted && (platforms === undefined || platforms.includes(release.platform)),
  )
  if (first !== undefined) return [first, ...rest]
  const there = own.map(({ release }) => describeRelease(release)).join(', ')
  const asked = [
    product,
    wanted ?? `on ${channel}`,
    ...(platforms === undefined ? [] : [`for ${platforms.join(', ')}`]),
  ]
  throw new UpdateError('RELEASE_UNKNOWN', `there is no release ${asked.join(' ')}; there is ${there || 'none'}`)
}

const firstToExpire = ({ roles }: Repository, product: Product) =>
  roles
    .filter(({ role }) => ['root', 'targets', 'snapshot', 'timestamp', product].includes(role))
    .reduce((first, other) => (other.expires < first.expires ? other : first))

const assertNotExpired = ({ role, expires }: ReturnType<typeof firstToExpire>, now: Date): void => {
  if (expires > now) return
  throw new UpdateError(
    'METADATA_EXPIRED',
    `role ${role} expired at ${expires.toISOString()}: nobody could import it`,
    {
      hint: `sign it anew with: updraft-publisher renew DIR --role ${role}`,
    },
  )
}

const metadataOf = ({ edition }: Repository, product: Product): readonly ExportMember[] => {
  const { roots, timestamp, snapshot, targets, products } = edition
  // Who reads it has to learn from the same file what is urgent.
  const own = [product, URGENT_ROLE].flatMap((role) => products.get(role) ?? [])
  const signed: readonly SignedRole[] = [...roots, timestamp, snapshot, targets, ...own]
  return signed.map((role) => inMemory(`metadata/${metadataFileOf(role)}`, role.bytes))
}

/** Both descriptions, and the bundle; the index twice, because agents ask for it by both names. */
const bundleOf = async (repository: Repository, published: PublishedRelease): Promise<readonly ExportMember[]> => {
  const { release, index, metainfo, bundleDirectory } = published
  const indexBytes = await readStored(index)
  const parsed = parseIndex(indexBytes)
  const frames = Array.from({ length: parsed.frames.count }, (_, number) => frameOf(parsed, number))
  return [
    inMemory(nameIn(repository, index.file), indexBytes),
    inMemory(nameIn(repository, metainfo.file), await readStored(metainfo)),
    inMemory(exportedIndexOf(release), indexBytes),
    {
      name: exportedPackOf(release),
      lengthBytes: packLengthOf(parsed),
      content: () =>
        readParts(
          join(bundleDirectory, 'pack'),
          frames.map(({ packedLength, sha256 }) => ({ lengthBytes: packedLength, sha256: Buffer.from(sha256) })),
        ),
    },
  ]
}

/** From two older releases the same patch may lead to this one: then it is one file, as its name has its digest. */
const onceEach = (members: readonly ExportMember[]): readonly ExportMember[] => [
  ...new Map(members.map((member) => [member.name, member])).values(),
]

const patchesOf = (repository: Repository, { release }: PublishedRelease): readonly ExportMember[] => {
  const { targets, bundles } = layoutOf(repository.directory)
  const whole = (name: string, file: string, lengthBytes: number, sha256: string): ExportMember => ({
    name,
    lengthBytes,
    content: () => readParts(file, [{ lengthBytes, sha256: Buffer.from(sha256, 'hex') }]),
  })
  const target = (path: string, { lengthBytes, sha256 }: { readonly lengthBytes: number; readonly sha256: string }) => {
    const file = join(targets, targetFileName(path, sha256))
    return whole(nameIn(repository, file), file, lengthBytes, sha256)
  }
  return [
    ...(release.indexPatches ?? []).map((patch) => target(indexPatchPathOf(release), patch)),
    ...(release.patches ?? []).flatMap(({ from, lengthBytes, sha256, metainfo }) => {
      const name = exportedPatchOf(release, from)
      const file = join(bundles, name.slice('bundles/'.length))
      return [target(patchMetainfoPathOf(release), metainfo), whole(name, file, lengthBytes, sha256)]
    }),
  ]
}

const inMemory = (name: string, bytes: Buffer): ExportMember => ({
  name,
  lengthBytes: bytes.length,
  content: async function* () {
    yield bytes
  },
})

const nameIn = ({ directory }: Repository, file: string): string => relative(directory, file).replaceAll('\\', '/')

interface Part {
  readonly lengthBytes: number
  readonly sha256: Buffer
}

const READ_BYTES = 1024 * 1024

/** The file in parts that follow one another, each checked as it goes by: the caller keeps nothing if one is wrong. */
async function* readParts(path: string, parts: readonly Part[]): AsyncGenerator<Buffer, void, undefined> {
  try {
    await using file = await open(path)
    let at = 0
    for (const { lengthBytes, sha256 } of parts) {
      const digest = createHash('sha256')
      for (const end = at + lengthBytes; at < end; ) {
        const block = Buffer.allocUnsafeSlow(Math.min(READ_BYTES, end - at))
        const { bytesRead } = await file.read(block, 0, block.length, at)
        if (bytesRead === 0) throw damaged(path, `it ends after ${at} bytes`)
        const bytes = block.subarray(0, bytesRead)
        digest.update(bytes)
        at += bytesRead
        yield bytes
      }
      if (!digest.digest().equals(sha256)) throw damaged(path, `before byte ${at} it is not what was signed`)
    }
    if ((await file.stat()).size !== at) throw damaged(path, `it has more than ${at} bytes`)
  } catch (error) {
    throw fromFileSystem(error, `cannot read ${path}`)
  }
}
