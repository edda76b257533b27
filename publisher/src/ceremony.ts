// A signing ceremony: a change is prepared where the repository is, signed by people on machines of their own that may have no
// network, and published once enough of them have. Between them goes one file, by whatever way they like.
import { UpdateError } from '@updraft/core/errors'
import { canonicalBytes } from '@updraft/core/trust/canonical'
import type { Signature } from '@updraft/core/trust/metadata'
import { draftedRoles, signersNeeded } from './apply-change.ts'
import {
  assertSignature,
  type Ceremony,
  demandsOf,
  draftOf,
  readCeremony,
  writeCeremony,
} from './ceremony/ceremony-file.ts'
import { type Review, reviewCeremony } from './ceremony/review.ts'
import { noteFingerprint } from './keys/keys-directory.ts'
import { type KeySource, type MetadataSigner, openSigners, type Signers } from './keys/signer.ts'
import { commitFiles } from './repository/commit.ts'
import { assertClock } from './repository/demands.ts'
import { metadataFileOf } from './repository/edition.ts'
import { changeRepository, lockRepository, openRepository, type Repository, withEdition } from './repository.ts'
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
  /** Of the first root, as the person has it from elsewhere; needed the first time. */
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

export interface Finished {
  readonly signed: readonly string[]
  /** By role, as they are in force now. */
  readonly metadataVersions: Readonly<Record<string, number>>
}

/**
 * Publishes what enough people have signed. `files` are copies of one ceremony, each with signatures of its own.
 *
 * Errors: CEREMONY_INVALID, CEREMONY_STALE (the repository has changed since), SIGNATURES_MISSING, METADATA_EXPIRED, CLOCK_WRONG,
 *         LOCKED, REPOSITORY_INVALID; KEY_MISSING and what else opening the online keys throws; DISK_FULL, PERMISSION, IO.
 */
export const finishCeremony = async (
  directory: string,
  files: readonly [string, ...string[]],
  { keys, now, onStep }: { readonly keys: KeySource; readonly now: Date; readonly onStep?: (step: string) => void },
): Promise<Finished> => {
  const ceremony = await mergeCeremonies(files)
  using _lock = await lockRepository(directory)
  const repository = await openRepository(directory, { fingerprints: await keys.rootFingerprints() })
  assertClock(repository, now)
  assertFollows(ceremony, repository)
  assertNotExpired(ceremony, now)
  assertComplete(ceremony, now)
  const { edition, settings } = repository
  const online = signersNeeded(edition, ceremony.drafts, snapshotChanges(ceremony)).filter(
    ({ role }) => role === 'snapshot' || role === 'timestamp',
  )
  const signers: Signers = new Map([...(await openSigners(keys, online)), ...storedSigners(ceremony)])
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
  drafts.root.roles.snapshot.keyids.join() !== base.root.metadata.signed.roles.snapshot.keyids.join()

const mergeCeremonies = async ([first, ...others]: readonly [string, ...string[]]): Promise<Ceremony> => {
  const ceremony = await readCeremony(first)
  const signatures = new Map(ceremony.signatures)
  const roles = draftedRoles(ceremony.drafts)
  for (const file of others) {
    const other = await readCeremony(file)
    const isSame =
      other.fingerprint === ceremony.fingerprint &&
      draftedRoles(other.drafts).join() === roles.join() &&
      roles.every((role) =>
        canonicalBytes(draftOf(other.drafts, role)).equals(canonicalBytes(draftOf(ceremony.drafts, role))),
      )
    if (!isSame)
      throw new UpdateError('CEREMONY_INVALID', `${file} is not a copy of ${first}: it would sign something else`)
    for (const role of roles) {
      const there = signatures.get(role) ?? []
      const added = (other.signatures.get(role) ?? []).filter(({ keyid }) => !there.some((old) => old.keyid === keyid))
      signatures.set(role, [...there, ...added])
    }
  }
  return { ...ceremony, signatures }
}

/** Signers whose signature was made elsewhere: what signs the files verifies it again. */
const storedSigners = ({ signatures }: Ceremony): Signers =>
  new Map([...signatures].map(([role, list]) => [role, list.map(storedSigner)]))

const storedSigner = ({ keyid, sig }: Signature): MetadataSigner => ({
  keyId: keyid,
  sign: async () => sig,
})

const assertFollows = ({ base, drafts, fingerprint }: Ceremony, repository: Repository): void => {
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

const assertComplete = (ceremony: Ceremony, now: Date): void => {
  const { documents } = reviewCeremony(ceremony, now)
  const lacking = documents.flatMap(({ role, needs }) =>
    needs
      .filter(({ threshold, signed }) => signed.length < threshold)
      .map(
        ({ threshold, signed, missing }) =>
          `${role} has ${signed.length} of ${threshold} signatures, and may have those of ${missing.map((id) => id.slice(0, 8)).join(', ')}`,
      ),
  )
  if (lacking.length === 0) return
  throw new UpdateError('SIGNATURES_MISSING', lacking.join('; '), {
    hint: 'each of them runs: updraft-publisher sign add FILE; nothing was published',
  })
}

const assertNotExpired = ({ drafts }: Ceremony, now: Date): void => {
  for (const role of draftedRoles(drafts)) {
    const expires = draftOf(drafts, role)?.expires ?? ''
    if (Date.parse(expires) > now.getTime()) continue
    throw new UpdateError('METADATA_EXPIRED', `${role} in this ceremony expired at ${expires}`, {
      hint: `this machine's clock says ${now.toISOString()}: set it, or have the ceremony prepared anew`,
    })
  }
}

const assertKnownRoot = async (ceremony: Ceremony, { keys, fingerprint }: AddOptions): Promise<void> => {
  const known = await keys.rootFingerprints()
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

const rememberRoot = async ({ fingerprint }: Ceremony, { keys, keysDirectory }: AddOptions): Promise<void> => {
  if (!(await keys.rootFingerprints()).includes(fingerprint)) await noteFingerprint(keysDirectory, fingerprint)
}
