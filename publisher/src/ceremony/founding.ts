// The ceremony that founds a repository: nobody ever has more than one key, so there is no moment in which one person, or one
// machine, could sign alone for everybody who will trust its first root.
import { UpdateError } from '@updraft/core/errors'
import { noteFingerprint } from '../keys/keys-directory.ts'
import type { KeySource } from '../keys/signer.ts'
import { fingerprintOf } from '../repository/edition.ts'
import { assertNothingAt, createRepository } from '../repository.ts'
import { type ExpiryDays, parseRepositorySettings, type RepositorySettings } from '../repository-settings.ts'
import { type Founders, firstChange } from '../sign/first-edition.ts'
import { draftChange, signDrafts } from '../sign.ts'
import { type Ceremony, foundingFingerprint, writeCeremony } from './ceremony-file.ts'
import { type Review, reviewCeremony } from './review.ts'
import { assertComplete, assertNotExpired, signersOf } from './signed-enough.ts'

/**
 * Writes the ceremony in which these people sign the first version of everything. Needs no key.
 *
 * Errors: USAGE for a threshold that cannot be met, and for a key or product that is there twice; DISK_FULL, PERMISSION, IO.
 */
export const prepareFounding = async (
  founders: Founders,
  file: string,
  { expiryDays, now }: { readonly expiryDays: ExpiryDays; readonly now: Date },
): Promise<Review> => {
  const drafts = draftChange(undefined, firstChange(founders), { expiryDays, now })
  if (drafts.root === undefined) throw new TypeError('a first edition has a root')
  const fingerprint = foundingFingerprint(drafts.root)
  const ceremony: Ceremony = { base: undefined, drafts, signatures: new Map(), fingerprint }
  await writeCeremony(file, ceremony)
  return reviewCeremony(ceremony, now)
}

export interface FoundOptions {
  readonly keys: KeySource
  /** Where snapshot and timestamp have their keys, and the fingerprint is noted. */
  readonly keysDirectory: string
  /** The usual ones if undefined. */
  readonly settings: RepositorySettings | undefined
  readonly now: Date
}

export interface Founded {
  /** `sha256:<hex>` of `1.root.json`, which the owners of machines compare. */
  readonly founded: string
  readonly signed: readonly string[]
  readonly metadataVersions: Readonly<Record<string, number>>
}

/**
 * Makes the repository of what enough people have signed, all of it or nothing.
 *
 * Errors: METADATA_EXPIRED, SIGNATURES_MISSING, REPOSITORY_EXISTS; KEY_MISSING and what else opening the online keys throws;
 *         DISK_FULL, PERMISSION, IO.
 */
export const foundRepository = async (
  directory: string,
  ceremony: Ceremony,
  { keys, keysDirectory, settings = usualSettings(), now }: FoundOptions,
): Promise<Founded> => {
  assertNotExpired(ceremony, now)
  assertComplete(ceremony, now)
  await assertNothingAt(directory)
  const { drafts } = ceremony
  const signers = await signersOf(ceremony, keys, undefined, true)
  const { edition, changed } = await signDrafts(undefined, drafts, { signers, expiryDays: settings.expiryDays, now })
  const founded = fingerprintOf(edition.root)
  await using undo = new AsyncDisposableStack()
  undo.use(await noteFingerprint(keysDirectory, founded))
  await createRepository(directory, settings, changed)
  undo.move() // It stands now.
  return {
    founded,
    signed: changed.map(({ role }) => role),
    metadataVersions: Object.fromEntries(changed.map(({ role, metadata }) => [role, metadata.signed.version])),
  }
}

const usualSettings = (): RepositorySettings => parseRepositorySettings({}, 'the settings of a new repository')

/** Errors: USAGE. Where a repository is, its own settings hold. */
export const assertNoSettings = (settings: RepositorySettings | undefined): void => {
  if (settings === undefined) return
  throw new UpdateError(
    'USAGE',
    '--url and --tracker are for a ceremony that founds a repository; this one changes one',
    {
      hint: 'its addresses stand in repository.json, and need no signature',
    },
  )
}
