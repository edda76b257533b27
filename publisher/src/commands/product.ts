// `product add NAME`: adds a product to a repository.
import { basename } from 'node:path'
import { parseProduct } from '@updraft/core/names'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import type { KeyType } from '../keys/private-key.ts'
import { newPassphrase } from '../passphrase.ts'
import { addProduct } from '../products.ts'
import { addKeyOptions, type KeyOptions, keysFor, keyTypeOption } from './key-options.ts'

interface ProductAddOptions extends KeyOptions {
  readonly repo: string
  readonly type: KeyType
  /** False with --no-passphrase. */
  readonly passphrase: boolean
  readonly json?: true
}

const HELP = `
Example:
  $ updraft-publisher product add acme-cli --repo r

The keys of targets, snapshot and timestamp have to be at hand; if they are not: updraft-publisher sign prepare product`

export const addProductCommand = (program: Command, context: Context): void => {
  const product = program.command('product').description('the products of a repository')
  const command = product
    .command('add')
    .description('add a product, with a signing key of its own')
    .argument('<name>', 'a-z, 0-9 and -, beginning with a letter')
    .requiredOption('--repo <dir>', 'the repository')
    .addOption(keyTypeOption('the kind of its key'))
    .option('--no-passphrase', 'leave the new key file unencrypted')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
  addKeyOptions(command).action(async (name: string, options: ProductAddOptions) => {
    const { directory, source, passphrase } = keysFor(options.repo, options, context)
    const added = await addProduct(options.repo, parseProduct(name), {
      keys: source,
      keysDirectory: directory,
      type: options.type,
      passphrase: options.passphrase ? await newPassphrase(passphrase) : undefined,
      now: context.now(),
    })
    context.print(
      options.json
        ? JSON.stringify(added)
        : `added ${name} to ${options.repo}\n  ${basename(added.key.path)} in ${directory} signs its releases`,
    )
  })
}
