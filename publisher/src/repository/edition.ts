// The signed metadata of a repository as it stands on disk, read and verified from the first root down to each product,
// before anything is built on it. Nothing is repaired and nothing is written here.
import { createHash } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import {
  Metadata,
  MetadataKind,
  type MetaFile,
  type Root,
  type Snapshot,
  type Targets,
  type Timestamp,
} from '@tufjs/models'
import { fromFileSystem, hasCode, messageOf, UpdateError } from '@updraft/core/errors'
import { readFileBounded } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { parseMetadata } from '@updraft/core/trust/metadata'
import { assertMetadataPolicy } from '@updraft/core/trust/policy'
import { layoutOf, metadataFileName } from './layout.ts'

export type SignedContent = Root | Targets | Snapshot | Timestamp

/** One metadata file: what it says, and the exact bytes that say it. */
export interface SignedRole<Content extends SignedContent> {
  readonly role: string
  readonly metadata: Metadata<Content>
  readonly bytes: Buffer
}

/** Everything that clients see at one moment. */
export interface Edition {
  /** Every root from version 1 on; the last one is in force. */
  readonly roots: readonly [SignedRole<Root>, ...SignedRole<Root>[]]
  readonly root: SignedRole<Root>
  readonly targets: SignedRole<Targets>
  /** Delegated roles by name. */
  readonly products: ReadonlyMap<string, SignedRole<Targets>>
  readonly snapshot: SignedRole<Snapshot>
  readonly timestamp: SignedRole<Timestamp>
}

/**
 * Reads the edition that `timestamp.json` names, and checks every signature, version, length and hash on the way. Does
 * not look at expiry: a repository whose metadata has expired must still be renewable.
 *
 * Errors: REPOSITORY_INVALID with the file and why; LIMIT_EXCEEDED; IO; PERMISSION.
 * Source: TUF 5.3 to 5.6, without the steps that need an earlier state to compare with.
 */
export const readEdition = async (directory: string): Promise<Edition> => {
  const folder = layoutOf(directory).metadata
  const roots = await readRoots(folder)
  const root = roots.at(-1) ?? roots[0]

  const timestamp = await readRole(folder, { role: 'timestamp', maxBytes: LIMITS.timestampLengthBytes }, asTimestamp)
  verifyRole(folder, timestamp, [root])

  const snapshot = await readRole(
    folder,
    { role: 'snapshot', listed: timestamp.metadata.signed.snapshotMeta, maxBytes: LIMITS.snapshotLengthBytes },
    asSnapshot,
  )
  verifyRole(folder, snapshot, [root])

  const listed = (role: string): MetaFile => {
    const entry = snapshot.metadata.signed.meta[`${role}.json`]
    if (entry === undefined) throw damaged(fileOf(folder, snapshot), `it does not list ${role}.json`)
    return entry
  }
  const readTargets = async (role: string, delegator: SignedRole<Root> | SignedRole<Targets>) => {
    const read = await readRole(folder, { role, listed: listed(role), maxBytes: LIMITS.targetsLengthBytes }, asTargets)
    verifyRole(folder, read, [delegator])
    return read
  }

  const targets = await readTargets('targets', root)
  const names = Object.keys(targets.metadata.signed.delegations?.roles ?? {})
  const products = new Map<string, SignedRole<Targets>>()
  for (const name of names) products.set(name, await readTargets(name, targets))

  const known = new Set(['targets', ...names].map((name) => `${name}.json`))
  for (const entry of Object.keys(snapshot.metadata.signed.meta)) {
    if (!known.has(entry)) throw damaged(fileOf(folder, snapshot), `it lists ${entry}, which no role delegates to`)
  }
  return { roots, root, targets, products, snapshot, timestamp }
}

/** The file that holds this role. */
export const metadataFileOf = ({ role, metadata }: SignedRole<SignedContent>): string =>
  metadataFileName(role, metadata.signed.version)

const readRoots = async (folder: string): Promise<[SignedRole<Root>, ...SignedRole<Root>[]]> => {
  const first = await readRoot(folder, 1)
  verifyRole(folder, first, [first])
  const roots: [SignedRole<Root>, ...SignedRole<Root>[]] = [first]
  const newest = Math.max(...(await rootVersionsIn(folder)))
  for (let version = 2; version <= newest; version += 1) {
    const root = await readRoot(folder, version)
    // TUF 5.3.4: a new root is signed by enough keys of the one before it, and of itself.
    verifyRole(folder, root, [roots[version - 2] ?? first, root])
    roots.push(root)
  }
  return roots
}

const readRoot = (folder: string, version: number): Promise<SignedRole<Root>> =>
  readRole(folder, { role: 'root', listed: { version }, maxBytes: LIMITS.rootLengthBytes }, asRoot)

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

interface Wanted {
  readonly role: string
  readonly maxBytes: number
  /** What a verified file says of this one. */
  readonly listed?: { readonly version: number; verify?(bytes: Buffer): void }
}

type JsonObject = Parameters<typeof Metadata.fromJSON>[1]

const asRoot = (json: JsonObject) => Metadata.fromJSON(MetadataKind.Root, json)
const asTargets = (json: JsonObject) => Metadata.fromJSON(MetadataKind.Targets, json)
const asSnapshot = (json: JsonObject) => Metadata.fromJSON(MetadataKind.Snapshot, json)
const asTimestamp = (json: JsonObject) => Metadata.fromJSON(MetadataKind.Timestamp, json)

const readRole = async <Content extends SignedContent>(
  folder: string,
  { role, listed, maxBytes }: Wanted,
  parse: (json: JsonObject) => Metadata<Content>,
): Promise<SignedRole<Content>> => {
  const file = join(folder, metadataFileName(role, listed?.version ?? 0))
  const bytes = await readFileBounded(file, maxBytes).catch((error: unknown) => {
    throw hasCode(error, 'IO') ? damaged(file, messageOf(error), error) : error
  })
  try {
    listed?.verify?.(bytes)
    const metadata = parse(parseMetadata(bytes, basename(file)) as JsonObject)
    if (listed !== undefined && metadata.signed.version !== listed.version) {
      throw new Error(`it has version ${metadata.signed.version} instead of ${listed.version}`)
    }
    assertMetadataPolicy(role, metadata, {}, basename(file))
    return { role, metadata, bytes }
  } catch (error) {
    throw damaged(file, messageOf(error), error)
  }
}

/**
 * Enough signatures by each of `delegators`, and none that is a stranger's or does not verify: a signature that a
 * client would merely ignore is damage in one's own repository.
 */
const verifyRole = (
  folder: string,
  signed: SignedRole<SignedContent>,
  delegators: readonly (SignedRole<Root> | SignedRole<Targets>)[],
): void => {
  try {
    for (const delegator of delegators) delegator.metadata.verifyDelegate(signed.role, signed.metadata)
    for (const [keyId, { sig }] of Object.entries(signed.metadata.signatures)) {
      const key = delegators.map((delegator) => keysOf(delegator)[keyId]).find((found) => found !== undefined)
      if (key === undefined) throw new Error(`it carries a signature of the unknown key ${keyId}`)
      // Upper case would verify, but it is not what was written.
      if (!/^([0-9a-f]{2})+$/.test(sig)) throw new Error(`its signature by ${keyId} is malformed`)
      key.verifySignature(signed.metadata)
    }
  } catch (error) {
    throw damaged(fileOf(folder, signed), messageOf(error), error)
  }
}

const keysOf = ({ metadata }: SignedRole<Root> | SignedRole<Targets>) =>
  metadata.signed.type === MetadataKind.Root ? metadata.signed.keys : (metadata.signed.delegations?.keys ?? {})

const fileOf = (folder: string, signed: SignedRole<SignedContent>): string => join(folder, metadataFileOf(signed))

const damaged = (file: string, why: string, cause?: unknown): UpdateError =>
  new UpdateError('REPOSITORY_INVALID', `${file} is damaged: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'restore the file from a backup or from a server that has it; nothing was changed',
  })

/** `sha256:<hex>` of the exact bytes of the first root: what an owner of a machine compares before trusting it. */
export const fingerprintOf = ({ bytes }: SignedRole<Root>): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`
