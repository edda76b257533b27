// One file that carries what is to be signed from person to person: the new metadata, the signatures so far, and the metadata
// that it follows, all of it public. Whoever reads it believes nothing that is not signed or computed here.
import { createHash } from 'node:crypto'
import { messageOf, UpdateError } from '@updraft/core/errors'
import { readFileBounded, writeFileAtomic } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { canonicalBytes } from '@updraft/core/trust/canonical'
import { verifySignature } from '@updraft/core/trust/keys'
import type { Metadata, Signature, SignedCommon, SignedRoot, SignedTargets, TufKey } from '@updraft/core/trust/metadata'
import { assertMetadataPolicy } from '@updraft/core/trust/policy'
import { z } from 'zod'
import { draftedRoles, roleKeysOf } from '../apply-change.ts'
import type { RoleKeys } from '../keys/signer.ts'
import { type Edition, fingerprintOf, metadataFileOf, type SignedRole, verifyRole } from '../repository/edition.ts'
import { metadataFileName } from '../repository/layout.ts'
import { type Delegator, keyInDelegator } from '../repository/signatures.ts'
import { type Drafts, delegatorsOf } from '../sign.ts'

const KIND = 'updraft-ceremony'
const SCHEMA = 1

const signatureSchema = z.strictObject({ keyid: z.string(), sig: z.string() })
const fileSchema = z.strictObject({
  kind: z.literal(KIND),
  schema: z.literal(SCHEMA),
  /**
   * Exact texts of the metadata that this follows, by file name: every root, targets, and the products that change. None, if
   * the documents found a repository.
   */
  base: z.record(z.string(), z.string()),
  documents: z.record(z.string(), z.strictObject({ signed: z.looseObject({}), signatures: z.array(signatureSchema) })),
})

/** What is known of the repository: its edition without snapshot, timestamp and the products that stay as they are. */
export type Base = Pick<Edition, 'roots' | 'root' | 'targets' | 'products'>

export interface Ceremony {
  /** Undefined if this founds a repository. */
  readonly base: Base | undefined
  readonly drafts: Drafts
  /** By role, each checked: a signature of one of the keys that the role demands. */
  readonly signatures: ReadonlyMap<string, readonly Signature[]>
  /** Of the first root: what tells repositories apart. Before there is one, of what will be signed as it. */
  readonly fingerprint: string
}

/** `sha256:<hex>` of the canonical form of a first root that nobody has signed yet. */
export const foundingFingerprint = (root: SignedRoot): string =>
  `sha256:${createHash('sha256').update(canonicalBytes(root)).digest('hex')}`

/** Reads and checks a ceremony file. Errors: CEREMONY_INVALID, LIMIT_EXCEEDED, PERMISSION, IO. */
export const readCeremony = async (path: string): Promise<Ceremony> => {
  const bytes = await readFileBounded(path, LIMITS.ceremonyLengthBytes)
  try {
    return parseCeremony(bytes)
  } catch (error) {
    throw new UpdateError('CEREMONY_INVALID', `${path} cannot be used: ${messageOf(error)}`, {
      cause: error,
      hint: 'it was altered or damaged on its way: ask for it again, from who prepared it; nothing was signed',
    })
  }
}

/** Errors: DISK_FULL, PERMISSION, IO. */
export const writeCeremony = (path: string, ceremony: Ceremony): Promise<void> =>
  writeFileAtomic(path, serializeCeremony(ceremony))

export const serializeCeremony = ({ base, drafts, signatures }: Ceremony): string => {
  const documents = Object.fromEntries(
    draftedRoles(drafts).map((role) => [
      role,
      { signed: draftOf(drafts, role), signatures: signatures.get(role) ?? [] },
    ]),
  )
  const files = base === undefined ? [] : [...base.roots, base.targets, ...base.products.values()]
  const texts = Object.fromEntries(files.map((file) => [metadataFileOf(file), file.bytes.toString('utf8')]))
  return `${JSON.stringify({ kind: KIND, schema: SCHEMA, base: texts, documents }, undefined, 1)}\n`
}

export const draftOf = ({ root, targets, products }: Drafts, role: string): SignedCommon | undefined =>
  role === 'root' ? root : role === 'targets' ? targets : products.get(role)

/** Whose signatures a document needs: for a root the keys of the one before it, and its own. */
export const demandsOf = ({ base, drafts }: Pick<Ceremony, 'base' | 'drafts'>, role: string): readonly RoleKeys[] =>
  roleKeysOf(role, base, drafts)

/** The public key of a signature, of those that the role demands. */
export const demandedKey = (
  { base, drafts }: Pick<Ceremony, 'base' | 'drafts'>,
  role: string,
  keyId: string,
): TufKey | undefined =>
  demandsOf({ base, drafts }, role).some(({ keyIds }) => keyIds.includes(keyId))
    ? delegatorsOf(role, base, drafts).flatMap((delegator) => keyInDelegator(delegator, keyId) ?? [])[0]
    : undefined

/** Errors: CEREMONY_INVALID for a signature that is not by such a key, or not over this document. */
export const assertSignature = (
  ceremony: Pick<Ceremony, 'base' | 'drafts'>,
  role: string,
  { keyid, sig }: Signature,
): void => {
  const key = demandedKey(ceremony, role, keyid)
  if (key === undefined) throw invalid(`${role} carries a signature of ${keyid}, who is not asked to sign it`)
  if (!verifySignature(key, canonicalBytes(draftOf(ceremony.drafts, role)), sig)) {
    throw invalid(`the signature of ${keyid} is for other bytes than those of ${role} in this file`)
  }
}

const parseCeremony = (bytes: Buffer): Ceremony => {
  const { base: texts, documents } = fileSchema.parse(JSON.parse(bytes.toString('utf8')))
  const base = Object.keys(texts).length === 0 ? undefined : verifyBase(texts, Object.keys(documents))
  const drafts = draftsOf(base, documents)
  const fingerprint = base === undefined ? foundingFingerprint(drafts.root as SignedRoot) : fingerprintOf(base.roots[0])
  const ceremony = { base, drafts }
  for (const [role, { signatures }] of Object.entries(documents)) {
    for (const signature of signatures) assertSignature(ceremony, role, signature)
  }
  return {
    ...ceremony,
    signatures: new Map(Object.entries(documents).map(([role, { signatures }]) => [role, signatures])),
    fingerprint,
  }
}

/** What founds a repository is all that a first edition has. */
const assertWhole = ({ root, targets, products }: Drafts): void => {
  if (root === undefined || targets === undefined) {
    throw invalid('it carries no metadata that it would follow, and no root and targets to begin with')
  }
  const delegated = (targets.delegations?.roles ?? []).map(({ name }) => name)
  const lacking = delegated.find((name) => !products.has(name))
  if (lacking !== undefined) throw invalid(`it lacks the first version of ${lacking}`)
}

/** From the first root down, as a client goes; nothing may be there beside what is needed. */
const verifyBase = (texts: Readonly<Record<string, string>>, roles: readonly string[]): Base => {
  const left = new Map(Object.entries(texts))
  const take = <Signed extends SignedCommon>(
    role: string,
    name: string,
    delegators: (own: Signed) => readonly Delegator[],
  ): SignedRole<Signed> => {
    const text = left.get(name)
    if (text === undefined) throw invalid(`it lacks ${name}`)
    left.delete(name)
    const [, digits = '0'] = /^(\d+)\./.exec(name) ?? []
    return verifyRole<Signed>(name, role, Buffer.from(text, 'utf8'), { version: Number(digits) }, delegators)
  }
  const first = take<SignedRoot>('root', metadataFileName('root', 1), (own) => [own])
  const roots: [SignedRole<SignedRoot>, ...SignedRole<SignedRoot>[]] = [first]
  let root = first
  for (let version = 2; left.has(metadataFileName('root', version)); version += 1) {
    const { signed } = root.metadata
    root = take<SignedRoot>('root', metadataFileName('root', version), (own) => [signed, own])
    roots.push(root)
  }
  const named = (role: string): string => {
    const name = [...left.keys()].find((file) => file.replace(/^\d+\./, '') === `${role}.json`)
    if (name === undefined) throw invalid(`it lacks the ${role} that is in force`)
    return name
  }
  const targets = take<SignedTargets>('targets', named('targets'), () => [root.metadata.signed])
  const known = (targets.metadata.signed.delegations?.roles ?? []).map(({ name }) => name)
  const products = new Map(
    roles
      .filter((role) => known.includes(role))
      .map((role) => [role, take<SignedTargets>(role, named(role), () => [targets.metadata.signed])]),
  )
  const [stray] = left.keys()
  if (stray !== undefined) throw invalid(`it carries ${stray}, which has no place in it`)
  return { roots, root, targets, products }
}

type Documents = z.output<typeof fileSchema>['documents']

const draftsOf = (base: Base | undefined, documents: Documents): Drafts => {
  const roles = Object.keys(documents)
  if (roles.length === 0) throw invalid('there is nothing to sign in it')
  for (const [role, { signed, signatures }] of Object.entries(documents)) {
    if (role === 'snapshot' || role === 'timestamp') throw invalid(`${role} is not signed by people`)
    assertMetadataPolicy(role, { signed, signatures })
    const { version } = signed as unknown as SignedCommon
    const before = versionIn(base, role)
    if (version !== before + 1) throw invalid(`${role} would go from version ${before} to ${version}`)
  }
  const at = <Signed>(role: string): Signed | undefined =>
    Object.hasOwn(documents, role) ? (documents[role]?.signed as Signed) : undefined
  const drafts: Drafts = {
    root: at<SignedRoot>('root'),
    targets: at<SignedTargets>('targets'),
    products: new Map(
      roles
        .filter((role) => role !== 'root' && role !== 'targets')
        .map((role) => [role, at<SignedTargets>(role) as SignedTargets]),
    ),
  }
  if (base === undefined) assertWhole(drafts)
  const orphan = roles.find((role) => demandsOf({ base, drafts }, role).length === 0)
  if (orphan !== undefined) throw invalid(`nobody delegates to ${orphan}`)
  return drafts
}

const versionIn = (base: Base | undefined, role: string): number => {
  const file: { readonly metadata: Metadata } | undefined =
    role === 'root' ? base?.root : role === 'targets' ? base?.targets : base?.products.get(role)
  return file?.metadata.signed.version ?? 0
}

const invalid = (message: string): UpdateError => new UpdateError('CEREMONY_INVALID', message)
