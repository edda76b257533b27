// `keys import FILE`: takes in a key that was made elsewhere.
import { basename } from 'node:path'
import { nameOf } from '@updraft/core/trust/certificates'
import type { Command } from 'commander'
import type { Context } from '../../context.ts'
import { importKey } from '../../keys/import-key.ts'
import { parseKeyName } from '../../keys/keys-directory.ts'
import { kindOfKey } from '../../keys/public-key.ts'
import { existingPassphrase, givenFilePassphrase, newPassphrase } from '../../passphrase.ts'
import { addFolderOptions, type FolderOptions, keysInFolder, parseFileDescriptor } from '../key-options.ts'

interface ImportOptions extends FolderOptions {
  readonly name: string
  readonly pick?: string
  /** False with --no-certificate. */
  readonly certificate: boolean
  readonly importPassphraseFd?: number
  /** False with --no-passphrase. */
  readonly passphrase: boolean
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-publisher keys import acme-release.p12 --name acme --repo r
  $ updraft-publisher keys import keys.pem --name alice --keys ~/updraft-keys --pick 3f9a01c4

Reads PEM (PKCS#8, encrypted or not, and the older forms) and PKCS#12 (.p12, .pfx), with the certificates in it. The passphrase of
the file may be given as UPDRAFT_IMPORT_PASSPHRASE.`

export const addImportCommand = (keys: Command, context: Context): void => {
  const command = keys
    .command('import')
    .description('take in a key, and its certificates, from PEM or PKCS#12')
    .argument('<file>', 'the file; it stays as it is')
    .requiredOption('--name <name>', 'what the key is called here')
    .option('--pick <key>', 'which one, if there are several: its name, or the beginning of its id')
    .option('--no-certificate', 'leave the certificates in the file')
    .option('--import-passphrase-fd <n>', 'read the passphrase of the file from this descriptor', parseFileDescriptor)
    .option('--no-passphrase', 'leave the new key file unencrypted')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
  addFolderOptions(command).action(async (file: string, options: ImportOptions) => {
    const { environment, terminal, now } = context
    const { directory, passphrase } = keysInFolder(options, context)
    const name = parseKeyName(options.name)
    const given = givenFilePassphrase(options.importPassphraseFd, environment.UPDRAFT_IMPORT_PASSPHRASE)
    const secret = options.passphrase ? await newPassphrase(passphrase) : undefined
    const { key, chain } = await importKey(
      { file, directory, name, pick: options.pick, certificates: options.certificate },
      {
        filePassphrase: existingPassphrase({ given, terminal, what: basename(file) }),
        passphrase: secret,
        now: now(),
      },
    )
    const { keyId, publicKey, path } = key
    const names = chain.map(nameOf)
    context.print(
      options.json
        ? JSON.stringify({ name, keyId, kind: kindOfKey(publicKey), path, certificates: names })
        : `imported the ${kindOfKey(publicKey)} key ${keyId}\n  ${path}, ${secret === undefined ? 'NOT encrypted' : 'encrypted'}${names.length === 0 ? '' : `\n  with the certificate of ${names.join(', issued by ')}`}`,
    )
  })
}
