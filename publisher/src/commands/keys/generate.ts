// `keys generate NAME`: makes a key.
import { basename } from 'node:path'
import type { Command } from 'commander'
import type { Context } from '../../context.ts'
import { createKeyFile } from '../../keys/key-file.ts'
import { parseKeyName } from '../../keys/keys-directory.ts'
import { kindOfKey } from '../../keys/public-key.ts'
import {
  addFolderOptions,
  addNewKeyOptions,
  type FolderOptions,
  keepNewKeys,
  keysInFolder,
  type NewKeyOptions,
} from '../key-options.ts'

interface GenerateOptions extends FolderOptions, NewKeyOptions {
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-publisher keys generate alice --keys ~/updraft-keys
  $ updraft-publisher keys generate acme --repo r --type ecdsa-p256

A role lists it once a root, or the role targets, says so (updraft-publisher rotate). What others need for that is the public
half, the file that ends in .pub.`

export const addGenerateCommand = (keys: Command, context: Context): void => {
  const command = keys
    .command('generate')
    .description('make a key, encrypted unless told otherwise')
    .argument('<name>', 'who or what signs with it, such as alice or acme')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
  addFolderOptions(addNewKeyOptions(command, 'the key')).action(async (name: string, options: GenerateOptions) => {
    const found = keysInFolder(options, context)
    const parsed = parseKeyName(name)
    const { passphrase, type } = await keepNewKeys(options, found)
    const { keyId, publicKey, path } = await createKeyFile(found.directory, parsed, passphrase, type)
    const publicPath = path.replace(/pem$/, 'pub')
    context.print(
      options.json
        ? JSON.stringify({ name, keyId, kind: kindOfKey(publicKey), path, publicPath })
        : `made the ${kindOfKey(publicKey)} key ${keyId}\n  ${path}, ${passphrase === undefined ? 'NOT encrypted' : 'encrypted'}\n  ${basename(publicPath)} beside it is its public half, for others`,
    )
  })
}
