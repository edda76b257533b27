// `keys export NAME`: writes a key into a file, for another machine or, its public half, for other people.

import { createPublicKey, type KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { UpdateError } from '@updraft/core/errors'
import { writeFileAtomic } from '@updraft/core/files/atomic'
import { type Command, Option } from 'commander'
import type { Context } from '../../context.ts'
import { encryptPrivateKey } from '../../keys/encrypted-pem.ts'
import { openKeyFile } from '../../keys/key-file.ts'
import { findKey, listKeys } from '../../keys/key-folder.ts'
import { keyFileName } from '../../keys/keys-directory.ts'
import { plainPrivateKey } from '../../keys/pem.ts'
import { writePkcs12 } from '../../keys/pkcs12.ts'
import { describedKeyOf, kindOfKey, type PublicKey, publicPemOf } from '../../keys/public-key.ts'
import { existingPassphrase, givenFilePassphrase, newPassphrase } from '../../passphrase.ts'
import { addFolderOptions, type FolderOptions, keysInFolder, parseFileDescriptor } from '../key-options.ts'

interface ExportKeyOptions extends FolderOptions {
  readonly out: string
  readonly format: 'public' | 'pem' | 'pkcs12'
  readonly exportPassphraseFd?: number
  /** False with --no-passphrase. */
  readonly passphrase: boolean
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-publisher keys export alice --keys ~/updraft-keys --out alice.pub
  $ updraft-publisher keys export acme --repo r --format pkcs12 --out acme.p12

Without --format it is the public half, which may go to anyone. The passphrase of an exported private key may be given as
UPDRAFT_EXPORT_PASSPHRASE.`

export const addExportKeyCommand = (keys: Command, context: Context): void => {
  const command = keys
    .command('export')
    .description('write a key, or its public half, into a file')
    .argument('<key>', 'its name, or the beginning of its id')
    .requiredOption('--out <file>', 'the file to write; one that is there is replaced')
    .addOption(new Option('--format <format>', 'what to write').choices(['public', 'pem', 'pkcs12']).default('public'))
    .option('--export-passphrase-fd <n>', 'read the passphrase for the file from this descriptor', parseFileDescriptor)
    .option('--no-passphrase', 'leave a private key in PEM unencrypted')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
  addFolderOptions(command).action(async (wanted: string, options: ExportKeyOptions) => {
    const { out, format } = options
    const exported =
      format === 'public' ? await exportPublic(wanted, options, context) : await exportPrivate(wanted, options, context)
    const { keyId, publicKey } = exported
    context.print(
      options.json
        ? JSON.stringify({ keyId, kind: kindOfKey(publicKey), file: out, format })
        : `wrote the ${format === 'public' ? 'public half of the' : ''} ${kindOfKey(publicKey)} key ${keyId} to ${out}`.replaceAll(
            '  ',
            ' ',
          ),
    )
  })
}

const exportPublic = async (wanted: string, options: ExportKeyOptions, context: Context): Promise<PublicKey> => {
  const { directory, passphrase } = keysInFolder(options, context)
  const known = (await listKeys(directory)).filter(({ name, keyId }) => name === wanted || keyId.startsWith(wanted))
  const [only] = known
  // Keys from before public halves were written: only the private half knows it.
  const isOld = known.length === 1 && only?.publicKey === undefined && only?.held === 'encrypted'
  const key = isOld
    ? describedKeyOf(createPublicKey(await openPrivate(directory, only, existingPassphrase(passphrase))))
    : (await findKey(directory, wanted)).publicKey
  await writeFileAtomic(options.out, publicPemOf(key.publicKey))
  return key
}

const exportPrivate = async (wanted: string, options: ExportKeyOptions, context: Context): Promise<PublicKey> => {
  const { out, format } = options
  const { directory, passphrase } = keysInFolder(options, context)
  const key = await findKey(directory, wanted)
  const privateKey = await openPrivate(directory, key, existingPassphrase(passphrase))
  const given = givenFilePassphrase(options.exportPassphraseFd, context.environment.UPDRAFT_EXPORT_PASSPHRASE)
  const secret = options.passphrase ? await newPassphrase({ given, terminal: context.terminal, what: out }) : undefined
  if (format === 'pkcs12' && secret === undefined) {
    throw new UpdateError('USAGE', 'PKCS#12 without a passphrase protects nothing', {
      hint: 'leave out --no-passphrase',
    })
  }
  const bytes =
    secret === undefined
      ? plainPrivateKey(privateKey)
      : format === 'pem'
        ? await encryptPrivateKey(privateKey, secret)
        : await writePkcs12(privateKey, key.chain, { name: key.name, passphrase: secret })
  await writeFileAtomic(out, bytes, { mode: 0o600 })
  return key.publicKey
}

const openPrivate = async (
  directory: string,
  { name, keyId, held }: { readonly name: string; readonly keyId: string; readonly held: string },
  passphrase: () => Promise<string | undefined>,
): Promise<KeyObject> => {
  const privateKey = await openKeyFile(join(directory, keyFileName(name, keyId, 'pem')), passphrase)
  if (privateKey !== undefined) return privateKey
  throw new UpdateError('KEY_MISSING', `the private half of ${name} is not in ${directory}`, {
    hint:
      held === 'command'
        ? 'a command signs with it: the key itself never leaves what holds it'
        : 'look where it is kept',
  })
}
