// Turns a change into signed metadata: what changes gets the next version, a new expiry and its signatures, and snapshot
// and timestamp follow. Computes and signs only; nothing is read or written.
import { createHash } from 'node:crypto'
import { UpdateError } from '@updraft/core/errors'
import type {
  MetaFile,
  SignedCommon,
  SignedRoot,
  SignedSnapshot,
  SignedTargets,
  SignedTimestamp,
} from '@updraft/core/trust/metadata'
import type { Signers } from './keys/signer.ts'
import type { Edition, EditionPart, SignedRole } from './repository/edition.ts'
import { type Delegator, signatureFault } from './repository/signatures.ts'
import type { ExpiryDays } from './repository-settings.ts'
import { signRole } from './sign/role.ts'

/** The version of the TUF specification that what we write conforms to. */
const SPEC_VERSION = '1.0.34'
const DAY_MS = 24 * 60 * 60 * 1000

export type RootContent = Pick<SignedRoot, 'keys' | 'roles'>
export type TargetsContent = Pick<SignedTargets, 'targets' | 'delegations' | 'urgent'>

/** What is to change. What is not named stays as it is, down to its signatures. */
export interface Change {
  readonly root?: RootContent | undefined
  readonly targets?: TargetsContent | undefined
  /** Delegated roles by name. */
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

export interface SignedChange<Known extends EditionPart = Edition> {
  /** What clients will see. */
  readonly edition: Known
  /** The files that are new, in the order in which they have to be written: the timestamp is the last. */
  readonly changed: readonly SignedRole[]
}

/** What is to be signed by people, as it will stand in the files. Snapshot and timestamp follow from it. */
export interface Drafts {
  readonly root?: SignedRoot | undefined
  readonly targets?: SignedTargets | undefined
  readonly products: ReadonlyMap<string, SignedTargets>
}

export interface DraftOptions extends SignOptions {
  /** The snapshot is signed anew though nothing that it lists has changed. */
  readonly snapshot?: boolean | undefined
}

/**
 * Signs `change` on top of `base`, which is undefined for a new repository.
 *
 * Errors: METADATA_POLICY, LIMIT_EXCEEDED, KEY_MISSING (see sign/role.ts); whatever a signer throws.
 * Source: TUF 4.3 to 4.6 (contents), 6.1 (order of writing).
 */
export const signChange = <Known extends EditionPart = Edition>(
  base: Known | undefined,
  change: Change,
  options: SignOptions,
): Promise<SignedChange<Known | Edition>> =>
  signDrafts(base, draftChange(base, change, options), { ...options, snapshot: change.snapshot })

/** The next version of each file that `change` names, with a new expiry. Pure. */
export const draftChange = (
  base: EditionPart | undefined,
  { root, targets, products = new Map() }: Change,
  { expiryDays, now }: Pick<SignOptions, 'expiryDays' | 'now'>,
): Drafts => ({
  root: root && {
    _type: 'root',
    ...headerOf(base?.root, expiryDays.root, now),
    consistent_snapshot: true,
    keys: root.keys,
    roles: root.roles,
  },
  targets: targets && targetsOf(headerOf(base?.targets, expiryDays.targets, now), targets),
  products: new Map(
    [...products].map(([name, content]) => [
      name,
      targetsOf(headerOf(base?.products.get(name), expiryDays.product, now), content),
    ]),
  ),
})

/** The files whose word counts for who may sign the draft of `role`; of a root the one before it as well (TUF 6.1). */
export const delegatorsOf = (
  role: string,
  base: Pick<EditionPart, 'root' | 'targets'> | undefined,
  drafts: Drafts,
): readonly Delegator[] => {
  const root = drafts.root ?? required(base?.root).metadata.signed
  switch (role) {
    case 'root':
      return base === undefined ? [root] : [base.root.metadata.signed, root]
    case 'targets':
    case 'snapshot':
    case 'timestamp':
      return [root]
    default:
      return [drafts.targets ?? required(base?.targets).metadata.signed]
  }
}

/** Signs drafts that were made on top of `base`, and what follows from them. The same errors. */
export const signDrafts = async <Known extends EditionPart = Edition>(
  base: Known | undefined,
  drafts: Drafts,
  options: DraftOptions,
): Promise<SignedChange<Known | Edition>> => {
  if (base !== undefined && base.carried.length > 0 && (drafts.root ?? drafts.targets) !== undefined) {
    throw new TypeError('who may sign changes for roles that were not opened: open the whole edition')
  }
  const sign = async <Signed extends SignedCommon>(
    role: string,
    signed: Signed | undefined,
    unchanged: SignedRole<Signed> | undefined,
  ): Promise<SignedRole<Signed>> => {
    const delegators = delegatorsOf(role, base, drafts)
    if (signed !== undefined) return await signRole(role, signed, options.signers, delegators)
    const kept = required(unchanged)
    // Only a new delegator can want other signatures, and a repository may have a thousand products.
    const isNew = delegators.some((one) => one === drafts.root || one === drafts.targets)
    if (isNew) assertStillSigned(role, kept, delegators)
    return kept
  }
  const root = drafts.root === undefined ? required(base?.root) : await sign('root', drafts.root, undefined)
  const targets = await sign('targets', drafts.targets, base?.targets)
  const products = new Map(base?.products)
  for (const name of new Set([...products.keys(), ...drafts.products.keys()])) {
    products.set(name, await sign(name, drafts.products.get(name), products.get(name)))
  }
  const unchanged = new Set<unknown>(base === undefined ? [] : [base.root, base.targets, ...base.products.values()])
  const relisted = [targets, ...products.values()].filter((file) => !unchanged.has(file))
  const snapshot =
    base !== undefined && options.snapshot !== true && relisted.length === 0
      ? base.snapshot
      : await signSnapshot(base?.snapshot, relisted, root, options)
  if (snapshot === base?.snapshot && drafts.root !== undefined) assertStillSigned('snapshot', snapshot, [drafts.root])
  const timestamp = await signTimestamp(base?.timestamp, snapshot, root, options)
  const roots: Edition['roots'] = base === undefined ? [root] : root === base.root ? base.roots : [...base.roots, root]
  unchanged.add(base?.snapshot)
  const after = { roots, root, targets, products, snapshot, timestamp }
  return {
    edition: base === undefined ? { ...after, carried: [] } : { ...base, ...after },
    changed: [root, ...products.values(), targets, snapshot, timestamp].filter((file) => !unchanged.has(file)),
  }
}

/** Whoever takes keys away from a role has to have it signed anew by those that stay. */
const assertStillSigned = (role: string, { metadata }: SignedRole, delegators: readonly Delegator[]): void => {
  const fault = signatureFault(role, metadata, delegators)
  if (fault === undefined) return
  throw new UpdateError('KEY_MISSING', `the role ${role} would no longer be signed as it has to be: ${fault}`, {
    hint: 'it has to be signed anew in the same change; nothing was written',
  })
}

/** What is not `relisted` was seen to be as the previous snapshot lists it. */
const signSnapshot = (
  previous: Edition['snapshot'] | undefined,
  relisted: readonly SignedRole[],
  root: Edition['root'],
  options: SignOptions,
): Promise<Edition['snapshot']> => {
  const signed: SignedSnapshot = {
    _type: 'snapshot',
    ...headerOf(previous, options.expiryDays.snapshot, options.now),
    meta: {
      ...previous?.metadata.signed.meta,
      ...Object.fromEntries(relisted.map((file) => [`${file.role}.json`, metaOf(file)])),
    },
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

const targetsOf = (header: Header, { targets, delegations, urgent }: TargetsContent): SignedTargets => ({
  _type: 'targets',
  ...header,
  targets,
  ...(delegations === undefined ? {} : { delegations }),
  ...(urgent === undefined ? {} : { urgent }),
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
