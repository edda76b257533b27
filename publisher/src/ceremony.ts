// A signing ceremony: a change is prepared where the repository is, signed by people on machines of their own that may have no
// network, and published once enough of them have. Between them goes one file, by whatever way they like.
import { UpdateError } from '@updraft/core/errors'
import { canonicalBytes } from '@updraft/core/trust/canonical'
import { draftedRoles } from './apply-change.ts'
import {
  assertSignature,
  type Base,
  type Ceremony,
  demandsOf,
  draftOf,
  readCeremony,
  writeCeremony,
} from './ceremony/ceremony-file.ts'
import { assertNoSettings, foundRepository } from './ceremony/founding.ts'
import { type Review, reviewCeremony } from './ceremony/review.ts'
import { assertComplete, assertNotExpired, mergeCeremonies, signersOf } from './ceremony/signed-enough.ts'
import { noteFingerprint } from './keys/keys-directory.ts'
import type { KeySource } from './keys/signer.ts'
import { commitFiles } from './repository/commit.ts'
import { assertClock } from './repository/demands.ts'
import { metadataFileOf } from './repository/edition.ts'
import { changeRepository, lockRepository, openRepository, type Repository, withEdition } from './repository.ts'
import type { RepositorySettings } from './repository-settings.ts'
import { type Change, draftChange, signDrafts } from './sign.ts'

/**
 * Writes the ceremony for the change that `decide` makes to `file`. Needs no key.
 *
 * Errors: REPOSITORY_INVALID, CLOCK_WRONG, USAGE if nothing of it is signed by people, DISK_FULL, PERMISSION, IO.
 */
export const prepareCeremony = async (
  directory: string,
  decide: (repository: Repository) => Change | undefined,
  file: string,
  now: Date,
): Promise<Review> => {
  const repository = await openRepository(directory)
  assertClock(repository, now)
  const drafts = draftChange(repository.edition, decide(repository) ?? {}, {
    expiryDays: repository.settings.expiryDays,
    now,
  })
  const roles = draftedRoles(drafts)
  if (roles.length === 0) {
    throw new UpdateError('USAGE', 'this change needs no ceremony: only snapshot and timestamp would be signed', {
      hint: 'updraft-publisher renew DIR does it with the online keys',
    })
  }
  const { roots, root, targets, products } = repository.edition
  const ceremony: Ceremony = {
    base: { roots, root, targets, products: new Map([...products].filter(([name]) => roles.includes(name))) },
    drafts,
    signatures: new Map(),
    fingerprint: repository.fingerprint,
  }
  await writeCeremony(file, ceremony)
  return reviewCeremony(ceremony, now)
}

/** Errors: CEREMONY_INVALID, LIMIT_EXCEEDED, PERMISSION, IO. */
export const reviewCeremonyFile = async (file: string, now: Date): Promise<Review> =>
  reviewCeremony(await readCeremony(file), now)

export interface AddOptions {
  readonly keys: KeySource
  /** Where the keys are, and the fingerprints of the repositories that they belong to. */
  readonly keysDirectory: string
  /** Of the first root, as the person has it from elsewhere; needed the first time, and for whatever founds a repository. */
  readonly fingerprint: string | undefined
  readonly now: Date
  /** Asks the person whether this is to be signed; throws if it is not. */
  readonly confirm: (review: Review) => Promise<void>
}

export interface Added {
  readonly signed: readonly { readonly role: string; readonly keyId: string }[]
  readonly review: Review
}

/**
 * Signs what the keys that are here are asked to sign, and has not been signed by them yet.
 *
 * Errors: CEREMONY_INVALID, ROOT_UNKNOWN (another repository's, or one that these keys do not know yet), METADATA_EXPIRED,
 *         KEY_MISSING if none of these keys is asked; those of a signer; DISK_FULL, PERMISSION, IO.
 */
export const addSignatures = async (file: string, options: AddOptions): Promise<Added> => {
  const { keys, now, confirm } = options
  const ceremony = await readCeremony(file)
  await assertKnownRoot(ceremony, options)
  assertNotExpired(ceremony, now)
  await confirm(reviewCeremony(ceremony, now))
  const signatures = new Map(ceremony.signatures)
  const signed: { role: string; keyId: string }[] = []
  let asked = 0
  for (const role of draftedRoles(ceremony.drafts)) {
    const wanted = new Set(demandsOf(ceremony, role).flatMap(({ keyIds }) => keyIds))
    for (const keyId of wanted) {
      const signer = await keys.open(keyId)
      if (signer === undefined) continue
      asked += 1
      const there = signatures.get(role) ?? []
      if (there.some(({ keyid }) => keyid === keyId)) continue
      const signature = { keyid: keyId, sig: await signer.sign(canonicalBytes(draftOf(ceremony.drafts, role))) }
      assertSignature(ceremony, role, signature)
      signatures.set(role, [...there, signature])
      signed.push({ role, keyId })
    }
  }
  if (asked === 0) {
    throw new UpdateError('KEY_MISSING', `none of the keys in ${keys.description} is asked to sign ${file}`, {
      hint: 'sign review lists whose signatures it needs; keys list shows what is here',
    })
  }
  const result = { ...ceremony, signatures }
  if (signed.length > 0) await writeCeremony(file, result)
  if (options.fingerprint !== undefined) await rememberRoot(ceremony, options)
  return { signed, review: reviewCeremony(result, now) }
}

export interface FinishOptions {
  readonly keys: KeySource
  readonly now: Date
  readonly onStep?: (step: string) => void
  /** For a ceremony that founds the repository: where its online keys are, and its settings unless they are the usual ones. */
  readonly founding?: { readonly keysDirectory: string; readonly settings: RepositorySettings | undefined } | undefined
}

export interface Finished {
  /** Of the first root, if it came to be. */
  readonly founded?: string
  readonly signed: readonly string[]
  /** By role, as they are in force now. */
  readonly metadataVersions: Readonly<Record<string, number>>
}

/**
 * Publishes what enough people have signed. `files` are copies of one ceremony, each with signatures of its own.
 *
 * Errors: CEREMONY_INVALID, REPOSITORY_EXISTS (where one is to be founded), USAGE (settings for one that is there), CEREMONY_STALE (the repository has changed since), SIGNATURES_MISSING, METADATA_EXPIRED, CLOCK_WRONG,
 *         LOCKED, REPOSITORY_INVALID; KEY_MISSING and what else opening the online keys throws; DISK_FULL, PERMISSION, IO.
 */
export const finishCeremony = async (
  directory: string,
  files: readonly [string, ...string[]],
  { keys, now, onStep, founding }: FinishOptions,
): Promise<Finished> => {
  const ceremony = await mergeCeremonies(files)
  if (ceremony.base === undefined) {
    if (founding === undefined) throw new TypeError('who founds a repository needs a folder of keys')
    return await foundRepository(directory, ceremony, { keys, now, ...founding })
  }
  assertNoSettings(founding?.settings)
  using _lock = await lockRepository(directory)
  const repository = await openRepository(directory, { fingerprints: await keys.rootFingerprints() })
  assertClock(repository, now)
  assertFollows(ceremony, ceremony.base, repository)
  assertNotExpired(ceremony, now)
  assertComplete(ceremony, now)
  const { edition, settings } = repository
  const signers = await signersOf(ceremony, keys, edition, snapshotChanges(ceremony))
  const options = { signers, expiryDays: settings.expiryDays, now, snapshot: snapshotChanges(ceremony) }
  const { edition: after, changed } = await signDrafts(edition, ceremony.drafts, options)
  await changeRepository(repository, () => commitFiles(repository.directory, { metadata: changed }, onStep))
  const { roles } = withEdition(repository, after)
  return {
    signed: changed.map(({ role }) => role),
    metadataVersions: Object.fromEntries(roles.map(({ role, metadataVersion }) => [role, metadataVersion])),
  }
}

/** A new root may want another signature under the snapshot that is there. */
const snapshotChanges = ({ base, drafts }: Ceremony): boolean =>
  drafts.root !== undefined &&
  base !== undefined &&
  drafts.root.roles.snapshot.keyids.join() !== base.root.metadata.signed.roles.snapshot.keyids.join()

const assertFollows = ({ drafts, fingerprint }: Ceremony, base: Base, repository: Repository): void => {
  if (fingerprint !== repository.fingerprint) {
    throw new UpdateError(
      'CEREMONY_INVALID',
      `it is a ceremony of another repository, whose first root is ${fingerprint}`,
    )
  }
  const { edition } = repository
  const pairs = [
    [base.root, edition.root],
    [base.targets, edition.targets],
    ...[...drafts.products.keys()].map((name) => [base.products.get(name), edition.products.get(name)] as const),
  ] as const
  for (const [then, now] of pairs) {
    if (now === undefined && then === undefined) continue
    if (now !== undefined && then?.bytes.equals(now.bytes)) continue
    const role = now?.role ?? then?.role
    throw new UpdateError(
      'CEREMONY_STALE',
      `${role} has changed since the ceremony was prepared: ${then === undefined ? 'it is new' : `it was ${metadataFileOf(then)}`}, now it is ${now === undefined ? 'gone' : metadataFileOf(now)}`,
      { hint: 'prepare it anew, and have it signed again' },
    )
  }
}

const assertKnownRoot = async (ceremony: Ceremony, { keys, fingerprint }: AddOptions): Promise<void> => {
  const known = ceremony.base === undefined ? [] : await keys.rootFingerprints()
  if (ceremony.base === undefined && fingerprint === undefined) {
    throw new UpdateError('ROOT_UNKNOWN', `this would found a new repository, ${ceremony.fingerprint}`, {
      hint: 'read what it says; compare the fingerprint with the others who sign, by telephone or face to face; then say it with --fingerprint',
    })
  }
  const expected = fingerprint ?? (known.includes(ceremony.fingerprint) ? ceremony.fingerprint : undefined)
  if (expected === ceremony.fingerprint) return
  throw new UpdateError(
    'ROOT_UNKNOWN',
    expected === undefined
      ? `these keys do not know the repository of this ceremony, whose first root is ${ceremony.fingerprint}`
      : `the first root of this ceremony is ${ceremony.fingerprint}, not ${expected}`,
    { hint: 'compare it with what init printed, then say it with --fingerprint; from then on it is remembered' },
  )
}

/** What is founded has no root yet that could be remembered: its signatures will be part of its fingerprint. */
const rememberRoot = async ({ base, fingerprint }: Ceremony, { keys, keysDirectory }: AddOptions): Promise<void> => {
  if (base === undefined) return
  if (!(await keys.rootFingerprints()).includes(fingerprint)) await noteFingerprint(keysDirectory, fingerprint)
}
