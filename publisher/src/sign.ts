// Turns a change into signed metadata: what changes gets the next version, a new expiry and its signatures, and snapshot
// and timestamp follow. Computes and signs only; nothing is read or written.
import { createHash } from 'node:crypto'
import type {
  MetaFile,
  SignedCommon,
  SignedRoot,
  SignedSnapshot,
  SignedTargets,
  SignedTimestamp,
} from '@updraft/core/trust/metadata'
import type { Signers } from './keys/signer.ts'
import type { Edition, SignedRole } from './repository/edition.ts'
import type { ExpiryDays } from './repository-settings.ts'
import { signRole } from './sign/role.ts'

/** The version of the TUF specification that what we write conforms to. */
const SPEC_VERSION = '1.0.34'
const DAY_MS = 24 * 60 * 60 * 1000

export type RootContent = Pick<SignedRoot, 'keys' | 'roles'>
export type TargetsContent = Pick<SignedTargets, 'targets' | 'delegations'>

/** What is to change. What is not named stays as it is, down to its signatures. */
export interface Change {
  readonly root?: RootContent | undefined
  readonly targets?: TargetsContent | undefined
  readonly products?: ReadonlyMap<string, TargetsContent> | undefined
  /** The timestamp is always new; the snapshot if something that it lists is, or if this asks for it. */
  readonly snapshot?: boolean
}

export interface SignOptions {
  /** Enough for every role that changes. */
  readonly signers: Signers
  readonly expiryDays: ExpiryDays
  readonly now: Date
}

export interface SignedChange {
  /** What clients will see. */
  readonly edition: Edition
  /** The files that are new, in the order in which they have to be written: the timestamp is the last. */
  readonly changed: readonly SignedRole[]
}

/**
 * Signs `change` on top of `base`, which is undefined for a new repository.
 *
 * Errors: METADATA_POLICY, LIMIT_EXCEEDED, KEY_MISSING (see sign/role.ts); whatever a signer throws.
 * Source: TUF 4.3 to 4.6 (contents), 6.1 (order of writing).
 */
export const signChange = async (
  base: Edition | undefined,
  change: Change,
  options: SignOptions,
): Promise<SignedChange> => {
  const root = await signRoot(base?.root, change.root, options)
  const targets = await signTargets(base?.targets, change.targets, root, options)
  const products = await signProducts(base?.products, change.products, targets, options)
  const listed = [targets, ...products.values()]
  const unchanged = new Set<unknown>(base === undefined ? [] : [base.root, base.targets, ...base.products.values()])
  const snapshot =
    base !== undefined && change.snapshot !== true && listed.every((file) => unchanged.has(file))
      ? base.snapshot
      : await signSnapshot(base?.snapshot, listed, root, options)
  const timestamp = await signTimestamp(base?.timestamp, snapshot, root, options)
  const roots: Edition['roots'] = base === undefined ? [root] : root === base.root ? base.roots : [...base.roots, root]
  unchanged.add(base?.snapshot)
  return {
    edition: { roots, root, targets, products, snapshot, timestamp },
    changed: [root, ...products.values(), targets, snapshot, timestamp].filter((file) => !unchanged.has(file)),
  }
}

const signRoot = async (
  previous: Edition['root'] | undefined,
  content: RootContent | undefined,
  options: SignOptions,
): Promise<Edition['root']> => {
  if (content === undefined) return required(previous)
  const signed: SignedRoot = {
    _type: 'root',
    ...headerOf(previous, options.expiryDays.root, options.now),
    consistent_snapshot: true,
    keys: content.keys,
    roles: content.roles,
  }
  // TUF 6.1: the keys of the root before it have to agree as well.
  const delegators = previous === undefined ? [signed] : [previous.metadata.signed, signed]
  return await signRole('root', signed, options.signers, delegators)
}

const signTargets = async (
  previous: Edition['targets'] | undefined,
  content: TargetsContent | undefined,
  root: Edition['root'],
  options: SignOptions,
): Promise<Edition['targets']> => {
  if (content === undefined) return required(previous)
  const header = headerOf(previous, options.expiryDays.targets, options.now)
  return await signRole('targets', targetsOf(header, content), options.signers, [root.metadata.signed])
}

const signProducts = async (
  previous: Edition['products'] = new Map(),
  contents: Change['products'] = new Map(),
  targets: Edition['targets'],
  options: SignOptions,
): Promise<Edition['products']> => {
  const products = new Map(previous)
  for (const [name, content] of contents) {
    const header = headerOf(previous.get(name), options.expiryDays.product, options.now)
    products.set(name, await signRole(name, targetsOf(header, content), options.signers, [targets.metadata.signed]))
  }
  return products
}

const signSnapshot = (
  previous: Edition['snapshot'] | undefined,
  listed: readonly SignedRole[],
  root: Edition['root'],
  options: SignOptions,
): Promise<Edition['snapshot']> => {
  const signed: SignedSnapshot = {
    _type: 'snapshot',
    ...headerOf(previous, options.expiryDays.snapshot, options.now),
    meta: Object.fromEntries(listed.map((file) => [`${file.role}.json`, metaOf(file)])),
  }
  return signRole('snapshot', signed, options.signers, [root.metadata.signed])
}

const signTimestamp = (
  previous: Edition['timestamp'] | undefined,
  snapshot: Edition['snapshot'],
  root: Edition['root'],
  options: SignOptions,
): Promise<Edition['timestamp']> => {
  const signed: SignedTimestamp = {
    _type: 'timestamp',
    ...headerOf(previous, options.expiryDays.timestamp, options.now),
    meta: { 'snapshot.json': metaOf(snapshot) },
  }
  return signRole('timestamp', signed, options.signers, [root.metadata.signed])
}

type Header = Omit<SignedCommon, '_type'>

const headerOf = (previous: SignedRole | undefined, expiryDays: number, now: Date): Header => ({
  spec_version: SPEC_VERSION,
  version: (previous?.metadata.signed.version ?? 0) + 1,
  expires: wholeSeconds(new Date(now.getTime() + expiryDays * DAY_MS)),
})

const targetsOf = (header: Header, { targets, delegations }: TargetsContent): SignedTargets => ({
  _type: 'targets',
  ...header,
  targets,
  ...(delegations === undefined ? {} : { delegations }),
})

/** TUF 4.2 has no fractions of a second, and strict clients refuse them. */
const wholeSeconds = (time: Date): string => time.toISOString().replace(/\.\d{3}Z$/, 'Z')

/** Length and hash are optional in TUF; with them a client refuses a wrong file before it parses any of it. */
const metaOf = ({ metadata, bytes }: SignedRole): MetaFile => ({
  version: metadata.signed.version,
  length: bytes.length,
  hashes: { sha256: createHash('sha256').update(bytes).digest('hex') },
})

const required = <Value>(value: Value | undefined): Value => {
  if (value === undefined) throw new TypeError('a new repository needs a root and targets')
  return value
}
