// Turns a change into signed metadata: what changes gets the next version, a new expiry and its signatures, and snapshot
// and timestamp follow. Computes and signs only; nothing is read or written.
import { createHash } from 'node:crypto'
import { Root, Snapshot, Targets, Timestamp } from '@tufjs/models'
import type { Signers } from './keys/signer.ts'
import type { Edition, SignedContent, SignedRole } from './repository/edition.ts'
import type { ExpiryDays } from './repository-settings.ts'
import { type Json, signRole } from './sign/role.ts'

/** The version of the TUF specification that what we write conforms to. */
const SPEC_VERSION = '1.0.34'
const DAY_MS = 24 * 60 * 60 * 1000

/** What is to change. What is not named stays as it is, down to its signatures. */
export interface Change {
  /** `keys` and `roles` as in TUF 4.3. */
  readonly root?: { readonly keys: Json; readonly roles: Json }
  readonly targets?: TargetsContent
  readonly products?: ReadonlyMap<string, TargetsContent>
  /** The timestamp is always new; the snapshot if something that it lists is, or if this asks for it. */
  readonly snapshot?: boolean
}

/** `targets` and `delegations` as in TUF 4.5. */
export interface TargetsContent {
  readonly targets: Json
  readonly delegations?: Json
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
  readonly changed: readonly SignedRole<SignedContent>[]
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

/** The content of a targets file, to change a part of it. */
export const contentOf = ({ metadata }: SignedRole<Targets>): TargetsContent => {
  const { targets, delegations } = metadata.signed.toJSON() as { targets: Json; delegations?: Json }
  return { targets, ...(delegations === undefined ? {} : { delegations }) }
}

/** The content of a root, likewise. */
export const rootContentOf = ({ metadata }: SignedRole<Root>): NonNullable<Change['root']> => {
  const { keys, roles } = metadata.signed.toJSON() as { keys: Json; roles: Json }
  return { keys, roles }
}

const signRoot = async (
  previous: SignedRole<Root> | undefined,
  content: Change['root'],
  options: SignOptions,
): Promise<SignedRole<Root>> => {
  if (content === undefined) return required(previous)
  const header = headerOf('root', previous, options.expiryDays.root, options.now)
  const root = Root.fromJSON({ ...header, consistent_snapshot: true, ...content })
  // TUF 6.1: the keys of the root before it have to agree as well.
  return await signRole('root', root, options.signers, (own) => (previous ? [previous.metadata, own] : [own]))
}

const signTargets = async (
  previous: SignedRole<Targets> | undefined,
  content: TargetsContent | undefined,
  root: SignedRole<Root>,
  options: SignOptions,
): Promise<SignedRole<Targets>> => {
  if (content === undefined) return required(previous)
  const header = headerOf('targets', previous, options.expiryDays.targets, options.now)
  return await signRole('targets', Targets.fromJSON({ ...header, ...content }), options.signers, () => [root.metadata])
}

const signProducts = async (
  previous: Edition['products'] = new Map(),
  contents: Change['products'] = new Map(),
  targets: SignedRole<Targets>,
  options: SignOptions,
): Promise<Edition['products']> => {
  const products = new Map(previous)
  for (const [name, content] of contents) {
    const header = headerOf('targets', previous.get(name), options.expiryDays.product, options.now)
    const product = Targets.fromJSON({ ...header, ...content })
    products.set(name, await signRole(name, product, options.signers, () => [targets.metadata]))
  }
  return products
}

const signSnapshot = (
  previous: SignedRole<Snapshot> | undefined,
  listed: readonly SignedRole<Targets>[],
  root: SignedRole<Root>,
  options: SignOptions,
): Promise<SignedRole<Snapshot>> => {
  const header = headerOf('snapshot', previous, options.expiryDays.snapshot, options.now)
  const snapshot = Snapshot.fromJSON({ ...header, meta: metaOf(listed) })
  return signRole('snapshot', snapshot, options.signers, () => [root.metadata])
}

const signTimestamp = (
  previous: SignedRole<Timestamp> | undefined,
  snapshot: SignedRole<Snapshot>,
  root: SignedRole<Root>,
  options: SignOptions,
): Promise<SignedRole<Timestamp>> => {
  const header = headerOf('timestamp', previous, options.expiryDays.timestamp, options.now)
  const timestamp = Timestamp.fromJSON({ ...header, meta: metaOf([snapshot]) })
  return signRole('timestamp', timestamp, options.signers, () => [root.metadata])
}

const headerOf = (
  type: string,
  previous: SignedRole<SignedContent> | undefined,
  expiryDays: number,
  now: Date,
): Json => ({
  _type: type,
  spec_version: SPEC_VERSION,
  version: (previous?.metadata.signed.version ?? 0) + 1,
  expires: wholeSeconds(new Date(now.getTime() + expiryDays * DAY_MS)),
})

/** TUF 4.2 has no fractions of a second, and strict clients refuse them. */
const wholeSeconds = (time: Date): string => time.toISOString().replace(/\.\d{3}Z$/, 'Z')

/** Length and hash are optional in TUF; with them a client refuses a wrong file before it parses any of it. */
const metaOf = (files: readonly SignedRole<SignedContent>[]): Json =>
  Object.fromEntries(
    files.map(({ role, metadata, bytes }) => [
      `${role}.json`,
      {
        version: metadata.signed.version,
        length: bytes.length,
        hashes: { sha256: createHash('sha256').update(bytes).digest('hex') },
      },
    ]),
  )

const required = <Value>(value: Value | undefined): Value => {
  if (value === undefined) throw new TypeError('a new repository needs a root and targets')
  return value
}
