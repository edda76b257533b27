// Signs a change with the keys that are here and puts it into the repository, as one step: what `rotate`, `revoke`, `identity`
// and `renew` have in common. What changes is decided before, by pure functions.
import type { KeySource, RoleKeys } from './keys/signer.ts'
import { openSigners } from './keys/signer.ts'
import { commitFiles } from './repository/commit.ts'
import { assertClock } from './repository/demands.ts'
import type { Edition } from './repository/edition.ts'
import { demandOf } from './repository/signatures.ts'
import { changeRepository, lockRepository, openRepository, type Repository, withEdition } from './repository.ts'
import { type Change, type Drafts, delegatorsOf, draftChange, signDrafts } from './sign.ts'

export interface ApplyOptions {
  readonly keys: KeySource
  readonly now: Date
  /** The role whose metadata is written now; the timestamp is the last. */
  readonly onStep?: ((step: string) => void) | undefined
  /** All is signed, and is about to be written: from here on some of it may be public, whatever fails. */
  readonly onCommit?: (() => void) | undefined
}

export interface Applied {
  readonly before: Repository
  readonly after: Repository
  /** The roles that were signed anew, in order; empty if there was nothing to change. */
  readonly signed: readonly string[]
}

/**
 * Makes the change that `decide` asks for; undefined leaves everything as it is.
 *
 * Errors: LOCKED, REPOSITORY_INVALID, CLOCK_WRONG, METADATA_POLICY, LIMIT_EXCEEDED; KEY_MISSING and what else a signer throws;
 *         DISK_FULL, PERMISSION, IO; whatever `decide` throws. Nothing has changed then.
 */
export const applyChange = async (
  directory: string,
  decide: (repository: Repository) => Change | undefined | Promise<Change | undefined>,
  { keys, now, onStep, onCommit }: ApplyOptions,
): Promise<Applied> => {
  using _lock = await lockRepository(directory)
  const repository = await openRepository(directory, { fingerprints: await keys.rootFingerprints() })
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
  base: Edition | undefined,
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
  base: Pick<Edition, 'root' | 'targets'> | undefined,
  drafts: Drafts,
): readonly RoleKeys[] =>
  delegatorsOf(role, base, drafts).flatMap((delegator) => {
    const demand = demandOf(delegator, role)
    return demand === undefined ? [] : [{ role, keyIds: demand.keyids, threshold: demand.threshold }]
  })
