// Signs a change with the keys that are here and puts it into the repository, as one step: what all commands that move no bytes
// have in common. What changes is decided before, by pure functions.
import type { KeySource, RoleKeys } from './keys/signer.ts'
import { openSigners } from './keys/signer.ts'
import { commitFiles } from './repository/commit.ts'
import { assertClock } from './repository/demands.ts'
import type { Edition, EditionPart } from './repository/edition.ts'
import type { WantedProducts } from './repository/edition-part.ts'
import { demandOf } from './repository/signatures.ts'
import {
  changeRepository,
  lockRepository,
  type OpenOptions,
  openProducts,
  openRepository,
  type Repository,
  withEdition,
} from './repository.ts'
import { type Change, type Drafts, delegatorsOf, draftChange, signDrafts } from './sign.ts'

export interface ApplyOptions {
  readonly keys: KeySource
  readonly now: Date
  /** The role whose metadata is written now; the timestamp is the last. */
  readonly onStep?: ((step: string) => void) | undefined
  /** All is signed, and is about to be written: from here on some of it may be public, whatever fails. */
  readonly onCommit?: (() => void) | undefined
}

export interface Applied<Known extends EditionPart = Edition> {
  readonly before: Repository<Known>
  readonly after: Repository<Known | Edition>
  /** The roles that were signed anew, in order; empty if there was nothing to change. */
  readonly signed: readonly string[]
}

/** Undefined leaves everything as it is. */
type Decide<Known extends EditionPart> = (
  repository: Repository<Known>,
) => Change | undefined | Promise<Change | undefined>

/**
 * Makes the change that `decide` asks for.
 *
 * Errors: LOCKED, REPOSITORY_INVALID, CLOCK_WRONG, METADATA_POLICY, LIMIT_EXCEEDED; KEY_MISSING and what else a signer throws;
 *         DISK_FULL, PERMISSION, IO; whatever `decide` throws. Nothing has changed then.
 */
export const applyChange = (directory: string, decide: Decide<Edition>, options: ApplyOptions): Promise<Applied> =>
  apply(directory, openRepository, decide, options)

/** The same for a change to what some products say of their releases: only these are opened. */
export const applyToProducts = (
  directory: string,
  wanted: WantedProducts,
  decide: Decide<EditionPart>,
  options: ApplyOptions,
): Promise<Applied<EditionPart>> =>
  apply(directory, (path, opening) => openProducts(path, wanted, opening), decide, options)

const apply = async <Known extends EditionPart>(
  directory: string,
  open: (directory: string, options: OpenOptions) => Promise<Repository<Known>>,
  decide: Decide<Known>,
  { keys, now, onStep, onCommit }: ApplyOptions,
): Promise<Applied<Known>> => {
  using _lock = await lockRepository(directory)
  const repository = await open(directory, { fingerprints: await keys.rootFingerprints() })
  assertClock(repository, now)
  const change = await decide(repository)
  if (change === undefined) return { before: repository, after: repository, signed: [] }
  const { expiryDays } = repository.settings
  const drafts = draftChange(repository.edition, change, { expiryDays, now })
  const signers = await openSigners(keys, signersNeeded(repository.edition, drafts, change.snapshot))
  const options = { signers, expiryDays, now, snapshot: change.snapshot }
  const { edition, changed } = await signDrafts(repository.edition, drafts, options)
  onCommit?.()
  await changeRepository(repository, () => commitFiles(repository.directory, { metadata: changed }, onStep))
  return { before: repository, after: withEdition(repository, edition), signed: changed.map(({ role }) => role) }
}

/** Whose signatures the drafts need, and the online roles that follow from them; a root needs those of two demands. */
export const signersNeeded = (
  base: EditionPart | undefined,
  drafts: Drafts,
  snapshot: boolean | undefined,
): readonly RoleKeys[] => {
  const drafted = draftedRoles(drafts)
  const needsSnapshot = snapshot === true || drafted.some((role) => role !== 'root')
  return [...drafted, ...(needsSnapshot ? ['snapshot'] : []), 'timestamp'].flatMap((role) =>
    roleKeysOf(role, base, drafts),
  )
}

export const draftedRoles = ({ root, targets, products }: Drafts): readonly string[] => [
  ...(root === undefined ? [] : ['root']),
  ...(targets === undefined ? [] : ['targets']),
  ...products.keys(),
]

export const roleKeysOf = (
  role: string,
  base: Pick<EditionPart, 'root' | 'targets'> | undefined,
  drafts: Drafts,
): readonly RoleKeys[] =>
  delegatorsOf(role, base, drafts).flatMap((delegator) => {
    const demand = demandOf(delegator, role)
    return demand === undefined ? [] : [{ role, keyIds: demand.keyids, threshold: demand.threshold }]
  })
