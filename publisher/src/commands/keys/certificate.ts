// `keys certificate …`: who a key belongs to, as X.509 says it: by an authority of one's own, or by the company's.
import { UpdateError } from '@updraft/core/errors'
import { readFileBounded, writeFileAtomic } from '@updraft/core/files/atomic'
import { nameOf } from '@updraft/core/trust/certificates'
import { type Command, Option } from 'commander'
import type { Context } from '../../context.ts'
import {
  type Issued,
  issueCertificate,
  makeAuthority,
  requestCertificate,
  writeRevocationList,
} from '../../keys/authority.ts'
import { chainFor, keyOfPublic, parseCertificates, writeChain } from '../../keys/certificate-chain.ts'
import { createKeyFile } from '../../keys/key-file.ts'
import { findKey } from '../../keys/key-folder.ts'
import { parseKeyName } from '../../keys/keys-directory.ts'
import type { KeyType } from '../../keys/private-key.ts'
import { KEY_FILE_MAX_BYTES } from '../../keys/public-key.ts'
import { REVOCATION_REASONS, type RevocationReason } from '../../keys/x509.ts'
import { newPassphrase } from '../../passphrase.ts'
import { addFolderOptions, type FolderOptions, keysInFolder, keyTypeOption } from '../key-options.ts'

interface CertificateOptions extends FolderOptions {
  readonly json?: true
}

interface SubjectOptions extends CertificateOptions {
  readonly subject: string
  readonly days: number
}

export const addCertificateCommands = (keys: Command, context: Context): void => {
  const certificate = keys.command('certificate').description('X.509 certificates for keys, and revocation lists')
  addAuthority(certificate, context)
  addIssue(certificate, context)
  addRequest(certificate, context)
  addAttach(certificate, context)
  addRevoke(certificate, context)
}

const addAuthority = (parent: Command, context: Context): void => {
  const command = subjectOptions(parent.command('authority'), 3650)
    .description('make a certificate authority of your own: a key, and its certificate')
    .argument('<name>', 'what it is called here')
    .addOption(keyTypeOption('the kind of its key').default('ecdsa-p256'))
    .option('--no-passphrase', 'leave its key file unencrypted')
    .addHelpText(
      'after',
      `
Example:
  $ updraft-publisher keys certificate authority acme-ca --keys ~/ca --subject "CN=Acme Code Signing,O=Acme,C=DE"

Owners of machines pin its certificate, the file that ends in .crt. Keep its key offline.`,
    )
  type Options = SubjectOptions & { readonly type: KeyType; readonly passphrase: boolean }
  addFolderOptions(command).action(async (name: string, options: Options) => {
    const { directory, passphrase, source } = keysInFolder(options, context)
    parseKeyName(name)
    const secret = options.passphrase ? await newPassphrase(passphrase) : undefined
    await using undo = new AsyncDisposableStack()
    const key = undo.use(await createKeyFile(directory, name, secret, options.type))
    const keys = { ...source, open: async () => key.signer }
    const named = { name, publicKey: key, chain: [] }
    const issued = await makeAuthority(named, options, { directory, keys, now: context.now() })
    context.print(describe('made', issued, options))
    undo.move() // It has its certificate: it stays.
  })
}

const addIssue = (parent: Command, context: Context): void => {
  const command = subjectOptions(parent.command('issue'), 365)
    .description('issue a certificate for a key by your own authority')
    .argument('<key>', 'its name, or the beginning of its id')
    .requiredOption('--authority <name>', 'the authority, as it is called here')
    .addHelpText(
      'after',
      `
Example:
  $ updraft-publisher keys certificate issue acme --authority acme-ca --repo r --subject "CN=Acme Release Engineering,O=Acme"

The chain lies beside the key, in the file that ends in .crt. To tell machines of it: updraft-publisher identity.`,
    )
  addFolderOptions(command).action(async (wanted: string, options: SubjectOptions & { readonly authority: string }) => {
    const { directory, source } = keysInFolder(options, context)
    const [key, authority] = [await findKey(directory, wanted), await findKey(directory, options.authority)]
    const issued = await issueCertificate(key, authority, options, { directory, keys: source, now: context.now() })
    context.print(describe(`${authority.name} issued`, issued, options))
  })
}

const addRequest = (parent: Command, context: Context): void => {
  const command = parent
    .command('request')
    .description("write a signing request for your company's authority")
    .argument('<key>', 'its name, or the beginning of its id')
    .requiredOption('--subject <name>', 'such as CN=Acme Release Engineering,O=Acme,C=DE')
    .requiredOption('--out <file>', 'the file to write')
    .option('--json', 'print the result as one JSON object')
    .addHelpText(
      'after',
      `
Example:
  $ updraft-publisher keys certificate request acme --repo r --subject "CN=Acme Release Engineering,O=Acme" --out acme.csr

What comes back is kept with: updraft-publisher keys certificate attach`,
    )
  type Options = CertificateOptions & { readonly subject: string; readonly out: string }
  addFolderOptions(command).action(async (wanted: string, options: Options) => {
    const { directory, source } = keysInFolder(options, context)
    const key = await findKey(directory, wanted)
    await writeFileAtomic(options.out, await requestCertificate(key, options.subject, source))
    const { keyId } = key.publicKey
    context.print(
      options.json
        ? JSON.stringify({ keyId, file: options.out })
        : `wrote the request of ${key.name} to ${options.out}`,
    )
  })
}

const addAttach = (parent: Command, context: Context): void => {
  const command = parent
    .command('attach')
    .description('keep a certificate chain that an authority has issued for a key')
    .argument('<key>', 'its name, or the beginning of its id')
    .argument('<chain>', 'PEM: the certificate of the key, and those of who issued it')
    .option('--json', 'print the result as one JSON object')
    .addHelpText(
      'after',
      `
Example:
  $ updraft-publisher keys certificate attach acme chain.pem --repo r`,
    )
  addFolderOptions(command).action(async (wanted: string, file: string, options: CertificateOptions) => {
    const { directory } = keysInFolder(options, context)
    const key = await findKey(directory, wanted)
    const certificates = parseCertificates((await readFileBounded(file, KEY_FILE_MAX_BYTES)).toString('utf8'), file)
    const chain = chainFor(keyOfPublic(key.publicKey), certificates, file, context.now())
    const path = await writeChain(directory, key.name, key.publicKey, chain)
    const [certificate] = chain
    if (certificate !== undefined) context.print(describe('attached', { path, certificate }, options))
  })
}

const addRevoke = (parent: Command, context: Context): void => {
  const command = parent
    .command('revoke')
    .description("write your authority's revocation list, and take a certificate back")
    .argument(
      '[certificate]',
      'its serial number, or the beginning of the id of its key (default: only write the list anew)',
    )
    .requiredOption('--authority <name>', 'the authority, as it is called here')
    .addOption(new Option('--reason <reason>', 'why').choices(Object.keys(REVOCATION_REASONS)).default('unspecified'))
    .option('--days <n>', 'how long the list may be believed', parseDays, 30)
    .option('--json', 'print the result as one JSON object')
    .addHelpText(
      'after',
      `
Example:
  $ updraft-publisher keys certificate revoke 3f9a01c4 --authority acme-ca --keys ~/ca --reason keyCompromise

This is for certificates. To keep a stolen key from signing releases: updraft-publisher revoke`,
    )
  type Options = CertificateOptions & {
    readonly authority: string
    readonly reason: RevocationReason
    readonly days: number
  }
  addFolderOptions(command).action(async (what: string | undefined, options: Options) => {
    const { directory, source } = keysInFolder(options, context)
    const authority = await findKey(directory, options.authority)
    const { days, reason } = options
    const request = { days, revoke: what === undefined ? undefined : { what, reason } }
    const list = await writeRevocationList(authority, request, { directory, keys: source, now: context.now() })
    context.print(
      options.json
        ? JSON.stringify(list)
        : `${list.path} takes back ${list.revoked.length} certificates, until ${list.nextUpdate.toISOString()}`,
    )
  })
}

const subjectOptions = (command: Command, days: number): Command =>
  command
    .requiredOption('--subject <name>', 'such as CN=Acme Release Engineering,O=Acme,C=DE')
    .option('--days <n>', 'how long it is good', parseDays, days)
    .option('--json', 'print the result as one JSON object')

const describe = (what: string, { path, certificate }: Issued, { json }: CertificateOptions): string => {
  const { serialNumber: serial, validToDate } = certificate
  const expires = validToDate.toISOString()
  return json
    ? JSON.stringify({ path, name: nameOf(certificate), serial, expires })
    : `${what} the certificate of ${nameOf(certificate)}, serial ${serial}, good until ${expires}\n  ${path}`
}

const DAYS_MAX = 36_500

const parseDays = (value: string): number => {
  const days = /^\d{1,5}$/.test(value) ? Number(value) : 0
  if (days >= 1 && days <= DAYS_MAX) return days
  throw new UpdateError('USAGE', `${JSON.stringify(value)} is not a number of days from 1 to ${DAYS_MAX}`)
}
