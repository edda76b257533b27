// `product add NAME`: adds a product to a repository.
import { basename } from 'node:path'
import { parseProduct } from '@updraft/core/names'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { addProduct } from '../products.ts'
import {
  addKeyOptions,
  addNewKeyOptions,
  type KeyOptions,
  keepNewKeys,
  keysFor,
  type NewKeyOptions,
} from './key-options.ts'

interface ProductAddOptions extends KeyOptions, NewKeyOptions {
  readonly repo: string
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
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
  addKeyOptions(addNewKeyOptions(command, 'the new key')).action(async (name: string, options: ProductAddOptions) => {
    const found = keysFor(options.repo, options, context)
    const { directory, source } = found
    const added = await addProduct(options.repo, parseProduct(name), {
      keys: source,
      keysDirectory: directory,
      ...(await keepNewKeys(options, found)),
      now: context.now(),
    })
    context.print(
      options.json
        ? JSON.stringify(added)
        : `added ${name} to ${options.repo}\n  ${basename(added.key.path)} in ${directory} signs its releases`,
    )
  })
}
