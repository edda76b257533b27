// The signed metadata of a repository as it stands on disk, read and verified from the first root down to each product,
// before anything is built on it. Nothing is repaired and nothing is written here.
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { fromFileSystem, hasCode, messageOf, UpdateError } from '@updraft/core/errors'
import { readFileBounded } from '@updraft/core/files/atomic'
import {
  type Metadata,
  type MetaFile,
  parseMetadata,
  type SignedCommon,
  type SignedRoot,
  type SignedSnapshot,
  type SignedTargets,
  type SignedTimestamp,
} from '@updraft/core/trust/metadata'
import { assertMetadataPolicy } from '@updraft/core/trust/policy'
import { layoutOf, metadataFileName, metadataMaxBytes } from './layout.ts'
import { type Delegator, signatureFault } from './signatures.ts'

/** One metadata file: what it says, and the exact bytes that say it. */
export interface SignedRole<Signed extends SignedCommon = SignedCommon> {
  readonly role: string
  readonly metadata: Metadata<Signed>
  readonly bytes: Buffer
}

/** What clients see at one moment, down to those products that were asked for: see edition-part.ts. */
export interface EditionPart {
  /** Every root from version 1 on; the last one is in force. */
  readonly roots: readonly [SignedRole<SignedRoot>, ...SignedRole<SignedRoot>[]]
  readonly root: SignedRole<SignedRoot>
  readonly targets: SignedRole<SignedTargets>
  /** Delegated roles by name: one for each product, and `urgent`. */
  readonly products: ReadonlyMap<string, SignedRole<SignedTargets>>
  /** The delegated roles that are not among `products`. */
  readonly carried: readonly CarriedRole[]
  readonly snapshot: SignedRole<SignedSnapshot>
  readonly timestamp: SignedRole<SignedTimestamp>
}

/** Everything that clients see at one moment. */
export interface Edition extends EditionPart {
  readonly carried: readonly []
}

/** A role whose file is, byte for byte, what the snapshot lists. What it says is only read here, and was not judged. */
export interface CarriedRole {
  readonly role: string
  readonly metadataVersion: number
  readonly expires: Date
  /** Of all its releases the one that was published or yanked last: its target path, and when that was. */
  readonly newest: { readonly path: string; readonly at: Date } | undefined
}

/** The files above the products. */
export type TopLevel = Omit<EditionPart, 'products' | 'carried'>

/** Each file takes a file handle while it is read, and there may be a thousand products. */
const FILES_READ_AT_ONCE = 32

/**
 * Reads the edition that `timestamp.json` names, and checks every signature, version, length and hash on the way. Does
 * not look at expiry: a repository whose metadata has expired must still be renewable.
 *
 * Errors: REPOSITORY_INVALID with the file and why; LIMIT_EXCEEDED; IO; PERMISSION.
 * Source: TUF 5.3 to 5.6, without the steps that need an earlier state to compare with.
 */
export const readEdition = async (directory: string): Promise<Edition> => {
  const folder = layoutOf(directory).metadata
  const top = await readTopLevel(folder)
  return { ...top, products: await readProducts(folder, top, delegatedNames(top)), carried: [] }
}

/** The same down to the role targets. */
export const readTopLevel = async (folder: string): Promise<TopLevel> => {
  const roots = await readRoots(folder)
  const root = roots.at(-1) ?? roots[0]
  const byRoot = () => [root.metadata.signed]
  const timestamp = await readRole<SignedTimestamp>(folder, 'timestamp', undefined, byRoot)
  const { 'snapshot.json': newest } = timestamp.metadata.signed.meta
  const snapshot = await readRole<SignedSnapshot>(folder, 'snapshot', newest, byRoot)
  const targets = await readRole<SignedTargets>(folder, 'targets', listed(folder, snapshot, 'targets'), byRoot)
  assertNothingStray(folder, snapshot, targets)
  return { roots, root, targets, snapshot, timestamp }
}

/** In the order of their rank. */
export const delegatedNames = ({ targets }: Pick<TopLevel, 'targets'>): readonly string[] =>
  (targets.metadata.signed.delegations?.roles ?? []).map(({ name }) => name)

/** The file that holds this role. */
export const metadataFileOf = ({ role, metadata }: SignedRole): string =>
  metadataFileName(role, metadata.signed.version)

/** `sha256:<hex>` of the exact bytes of the first root: what an owner of a machine compares before trusting it. */
export const fingerprintOf = ({ bytes }: SignedRole<SignedRoot>): string => `sha256:${sha256Of(bytes)}`

const readRoots = async (folder: string): Promise<Edition['roots']> => {
  const first = await readRole<SignedRoot>(folder, 'root', { version: 1 }, (own) => [own])
  const roots: [SignedRole<SignedRoot>, ...SignedRole<SignedRoot>[]] = [first]
  const newest = Math.max(...(await rootVersionsIn(folder)))
  let previous = first
  for (let version = 2; version <= newest; version += 1) {
    // TUF 5.3.4: a new root is signed by enough keys of the one before it, and of itself.
    const { signed } = previous.metadata
    previous = await readRole<SignedRoot>(folder, 'root', { version }, (own) => [signed, own])
    roots.push(previous)
  }
  return roots
}

const rootVersionsIn = async (folder: string): Promise<readonly number[]> => {
  try {
    return (await readdir(folder)).flatMap((name) => {
      const match = /^([1-9][0-9]{0,8})\.root\.json$/.exec(name)
      return match === null ? [] : [Number(match[1])]
    })
  } catch (error) {
    throw fromFileSystem(error, `cannot list ${folder}`)
  }
}

const assertNothingStray = (
  folder: string,
  snapshot: SignedRole<SignedSnapshot>,
  targets: SignedRole<SignedTargets>,
): void => {
  const known = new Set(['targets', ...delegatedNames({ targets })].map((name) => `${name}.json`))
  const stray = Object.keys(snapshot.metadata.signed.meta).find((entry) => !known.has(entry))
  if (stray !== undefined) throw damaged(fileIn(folder, snapshot), `it lists ${stray}, which no role delegates to`)
}

/** Reads and verifies the files of delegated roles. The same errors. */
export const readProducts = async (
  folder: string,
  { snapshot, targets }: Pick<TopLevel, 'snapshot' | 'targets'>,
  names: readonly string[],
): Promise<Edition['products']> => {
  const byTargets = () => [targets.metadata.signed]
  const products = new Map<string, SignedRole<SignedTargets>>()
  for (let at = 0; at < names.length; at += FILES_READ_AT_ONCE) {
    const read = await Promise.all(
      names
        .slice(at, at + FILES_READ_AT_ONCE)
        .map((name) => readRole<SignedTargets>(folder, name, listed(folder, snapshot, name), byTargets)),
    )
    for (const product of read) products.set(product.role, product)
  }
  return products
}

/** What the snapshot says of the file of `role`. */
export const listed = (folder: string, snapshot: SignedRole<SignedSnapshot>, role: string): MetaFile => {
  const entry = snapshot.metadata.signed.meta[`${role}.json`]
  if (entry === undefined) throw damaged(fileIn(folder, snapshot), `it does not list ${role}.json`)
  return entry
}

/** `listed` is what a verified file says of this one; only the timestamp is listed nowhere. */
const readRole = async <Signed extends SignedCommon>(
  folder: string,
  role: string,
  listed: MetaFile | undefined,
  delegators: (own: Signed) => readonly Delegator[],
): Promise<SignedRole<Signed>> => {
  const file = join(folder, metadataFileName(role, listed?.version ?? 0))
  const bytes = await readFileBounded(file, metadataMaxBytes(role)).catch((error: unknown) => {
    throw hasCode(error, 'IO') ? damaged(file, messageOf(error), error) : error
  })
  return verifyRole(file, role, bytes, listed, delegators)
}

/**
 * The file of `role` in `bytes`, if it is what `listed` says and signed as its delegators demand. `file` names it to the reader.
 *
 * Errors: REPOSITORY_INVALID.
 */
export const verifyRole = <Signed extends SignedCommon>(
  file: string,
  role: string,
  bytes: Buffer,
  listed: MetaFile | undefined,
  delegators: (own: Signed) => readonly Delegator[],
): SignedRole<Signed> => {
  try {
    const json = parseMetadata(bytes, basename(file))
    assertMetadataPolicy(role, json, {}, basename(file))
    const metadata = json as Metadata<Signed> // The policy has checked the shape.
    const fault =
      listingFault(metadata.signed.version, bytes, listed) ??
      signatureFault(role, metadata, delegators(metadata.signed))
    if (fault !== undefined) throw damaged(file, fault)
    return { role, metadata, bytes }
  } catch (error) {
    throw hasCode(error, 'REPOSITORY_INVALID') ? error : damaged(file, messageOf(error), error)
  }
}

/** Why `bytes`, whose own version is `version`, are not the file that is listed; undefined if they are. */
export const listingFault = (version: number, bytes: Buffer, listed: MetaFile | undefined): string | undefined => {
  if (listed === undefined) return undefined
  if (version !== listed.version) return `it has version ${version} instead of ${listed.version}`
  if (listed.length !== undefined && bytes.length !== listed.length) {
    return `it has ${bytes.length} bytes instead of ${listed.length}`
  }
  const sha256 = listed.hashes?.sha256
  return sha256 === undefined || sha256Of(bytes) === sha256 ? undefined : `its SHA-256 is not ${sha256}`
}

const fileIn = (folder: string, signed: SignedRole): string => join(folder, metadataFileOf(signed))

export const damaged = (file: string, why: string, cause?: unknown): UpdateError =>
  new UpdateError('REPOSITORY_INVALID', `${file} is damaged: ${why}`, {
    cause,
    hint: 'restore the file from a backup or from a server that has it; nothing was changed',
  })

const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
