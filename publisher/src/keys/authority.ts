// A small certificate authority of one's own: a key like any other, a certificate that it gave itself, and a list of what it
// has issued and taken back. For those whose company has none; a company's own is asked with a signing request instead.
import { X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { messageOf, UpdateError } from '@updraft/core/errors'
import { readFileIfThere, writeFileAtomic } from '@updraft/core/files/atomic'
import { z } from 'zod'
import { pemOf } from './asn1.ts'
import { assertChain, type Chain, keyOfPublic, writeChain } from './certificate-chain.ts'
import { parseDistinguishedName } from './distinguished-name.ts'
import type { FolderKey } from './key-folder.ts'
import { keyFileName } from './keys-directory.ts'
import { KEY_FILE_MAX_BYTES, type PublicKey } from './public-key.ts'
import type { KeySource, Signer } from './signer.ts'
import { makeCertificate, makeRequest, makeRevocationList, REVOCATION_REASONS, type RevocationReason } from './x509.ts'

const DAY_MS = 24 * 60 * 60 * 1000

const ledgerSchema = z.strictObject({
  schema: z.literal(1),
  /** Of the newest revocation list; 0 before the first. */
  crlNumber: z.int().min(0),
  issued: z.array(
    z.strictObject({
      serial: z.string().regex(/^[0-9A-F]+$/),
      subject: z.string(),
      keyId: z.string(),
      expires: z.iso.datetime(),
      revoked: z
        .strictObject({ at: z.iso.datetime(), reason: z.enum(Object.keys(REVOCATION_REASONS) as RevocationReason[]) })
        .optional(),
    }),
  ),
})
type Ledger = z.output<typeof ledgerSchema>

/** A key of the folder whose public half is here. */
export type NamedKey = Pick<FolderKey, 'name' | 'chain'> & { readonly publicKey: PublicKey }

export interface CertificateOptions {
  readonly directory: string
  readonly keys: KeySource
  readonly now: Date
}

export interface IssueRequest {
  /** `CN=Acme Release Engineering,O=Acme` */
  readonly subject: string
  readonly days: number
}

export interface Issued {
  readonly path: string
  readonly certificate: X509Certificate
}

/** Gives the key a certificate of its own making, that of an authority. Errors: USAGE, KEY_MISSING and those of the signer. */
export const makeAuthority = async (
  key: NamedKey,
  request: IssueRequest,
  options: CertificateOptions,
): Promise<Issued> => {
  const signer = await openKey(key, options.keys)
  const content = { ...contentOf(key, request, options.now), authority: true }
  const certificate = new X509Certificate(await makeCertificate(content, signer, undefined))
  return { certificate, path: await writeChain(options.directory, key.name, key.publicKey, [certificate]) }
}

/**
 * Issues a certificate for `key`, and puts it, with that of the authority, beside the key.
 *
 * Errors: USAGE, CERTIFICATE_INVALID (the authority has none, or it has expired), KEY_MISSING and those of the signer.
 */
export const issueCertificate = async (
  key: NamedKey,
  authority: NamedKey,
  request: IssueRequest,
  options: CertificateOptions,
): Promise<Issued> => {
  const { directory, keys, now } = options
  const issuer = authorityCertificate(authority, now)
  const signer = await openKey(authority, keys)
  const content = contentOf(key, request, now)
  // What outlives its issuer would end with it, unexpectedly.
  const to = new Date(Math.min(content.to.getTime(), issuer.validToDate.getTime()))
  const certificate = new X509Certificate(await makeCertificate({ ...content, to, authority: false }, signer, issuer))
  const chain: Chain = [certificate, ...authority.chain]
  assertChain(chain, keyOfPublic(key.publicKey), 'the new certificate', now)
  const ledger = await readLedger(directory, authority)
  const { serialNumber: serial, validToDate } = certificate
  ledger.issued.push({
    serial,
    subject: request.subject,
    keyId: key.publicKey.keyId,
    expires: validToDate.toISOString(),
  })
  await writeLedger(directory, authority, ledger)
  return { certificate, path: await writeChain(directory, key.name, key.publicKey, chain) }
}

/** A signing request in PEM, for an authority elsewhere. Errors: USAGE, KEY_MISSING and those of the signer. */
export const requestCertificate = async (key: NamedKey, subject: string, keys: KeySource): Promise<string> =>
  pemOf(
    'CERTIFICATE REQUEST',
    await makeRequest(parseDistinguishedName(subject), key.publicKey, await openKey(key, keys)),
  )

export interface RevocationListRequest {
  /** How long machines may believe it. */
  readonly days: number
  /** What is taken back now: a serial number, or the key that certificates were issued for. */
  readonly revoke?: { readonly what: string; readonly reason: RevocationReason } | undefined
}

export interface RevocationList {
  readonly path: string
  readonly revoked: readonly string[]
  readonly nextUpdate: Date
}

/**
 * Writes the authority's next revocation list, PEM, beside its key.
 *
 * Errors: CERTIFICATE_INVALID if nothing that it issued is named; KEY_MISSING and those of the signer.
 */
export const writeRevocationList = async (
  authority: NamedKey,
  { days, revoke }: RevocationListRequest,
  { directory, keys, now }: CertificateOptions,
): Promise<RevocationList> => {
  const issuer = authorityCertificate(authority, now)
  const signer = await openKey(authority, keys)
  const before = await readLedger(directory, authority)
  const ledger = {
    ...before,
    crlNumber: before.crlNumber + 1,
    issued: before.issued.map((entry) => withRevocation(entry, revoke, now)),
  }
  if (revoke !== undefined && !before.issued.some((entry) => isNamed(entry, revoke.what))) {
    throw new UpdateError('CERTIFICATE_INVALID', `${authority.name} has issued no certificate ${revoke.what}`, {
      hint: `it has issued ${before.issued.map(({ serial, subject }) => `${serial} to ${subject}`).join('; ') || 'none'}`,
    })
  }
  const revocations = ledger.issued.flatMap(({ serial, revoked }) =>
    revoked === undefined ? [] : [{ serial, at: new Date(revoked.at), reason: revoked.reason }],
  )
  const nextUpdate = new Date(now.getTime() + days * DAY_MS)
  const dates = { number: ledger.crlNumber, from: now, to: nextUpdate }
  const list = await makeRevocationList(revocations, dates, signer, issuer)
  // The ledger first: a list may be lost and written anew, but what was revoked stays revoked.
  await writeLedger(directory, authority, ledger)
  const path = join(directory, keyFileName(authority.name, authority.publicKey.keyId, 'crl'))
  await writeFileAtomic(path, pemOf('X509 CRL', list))
  return { path, revoked: revocations.map(({ serial }) => serial), nextUpdate }
}

type Entry = Ledger['issued'][number]

const isNamed = ({ serial, keyId }: Entry, what: string): boolean =>
  serial === what.toUpperCase() || keyId.startsWith(what)

const withRevocation = (entry: Entry, revoke: RevocationListRequest['revoke'], now: Date): Entry =>
  revoke === undefined || entry.revoked !== undefined || !isNamed(entry, revoke.what)
    ? entry
    : { ...entry, revoked: { at: now.toISOString(), reason: revoke.reason } }

const contentOf = ({ publicKey }: NamedKey, { subject, days }: IssueRequest, now: Date) => ({
  subject: parseDistinguishedName(subject),
  key: publicKey,
  // Machines whose clocks are a little behind should not refuse it on its first day.
  from: new Date(now.getTime() - 60 * 60 * 1000),
  to: new Date(now.getTime() + days * DAY_MS),
})

const authorityCertificate = ({ name, publicKey, chain }: NamedKey, now: Date): X509Certificate => {
  const [certificate] = chain
  if (certificate?.ca !== true) {
    throw new UpdateError('CERTIFICATE_INVALID', `${name} is not an authority: its certificate may issue none`, {
      hint: 'make one with: updraft-publisher keys certificate authority NAME --subject CN=...',
    })
  }
  assertChain(chain, keyOfPublic(publicKey), name, now)
  return certificate
}

const openKey = async ({ name, publicKey }: NamedKey, keys: KeySource): Promise<Signer> => {
  const signer = await keys.open(publicKey.keyId)
  if (signer !== undefined) return signer
  throw new UpdateError('KEY_MISSING', `the private half of ${name} is not in ${keys.description}`)
}

const ledgerPath = (directory: string, { name, publicKey }: NamedKey): string =>
  join(directory, keyFileName(name, publicKey.keyId, 'issued.json'))

const readLedger = async (directory: string, authority: NamedKey): Promise<Ledger> => {
  const path = ledgerPath(directory, authority)
  const file = await readFileIfThere(path, KEY_FILE_MAX_BYTES)
  if (file === undefined) return { schema: 1, crlNumber: 0, issued: [] }
  try {
    return ledgerSchema.parse(JSON.parse(file.toString('utf8')))
  } catch (error) {
    throw new UpdateError('CERTIFICATE_INVALID', `${path} is damaged: ${messageOf(error)}`, {
      cause: error,
      hint: 'restore it from a backup: without it, revoked certificates would be forgotten',
    })
  }
}

const writeLedger = async (directory: string, authority: NamedKey, ledger: Ledger): Promise<void> =>
  writeFileAtomic(ledgerPath(directory, authority), `${JSON.stringify(ledger, undefined, 1)}\n`)
