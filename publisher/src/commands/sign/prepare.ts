// `sign prepare …`: writes the file of a ceremony, for each kind of change that people sign.
import { UpdateError } from '@updraft/core/errors'
import { parseProduct } from '@updraft/core/names'
import type { Command } from 'commander'
import { prepareCeremony } from '../../ceremony.ts'
import type { Context } from '../../context.ts'
import { urgencyChange } from '../../declare-urgent.ts'
import { productChange } from '../../products.ts'
import { renewalOf } from '../../renew.ts'
import { parseWanted } from '../../repository/find-release.ts'
import type { Repository } from '../../repository.ts'
import { revocation } from '../../rotate.ts'
import { assertRole, keyChange } from '../../sign/role-keys.ts'
import type { Change } from '../../sign.ts'
import { addIdentityOptions, type IdentityOptions, identityFrom } from '../identity-options.ts'
import { addEditOptions, type EditOptions, editsOf, parsePeople, readPublicKeys } from '../rotate-options.ts'
import { addPrepareInit } from './prepare-init.ts'
import { describeReview } from './review-text.ts'

interface PrepareOptions {
  readonly repo: string
  readonly out: string
  readonly json?: true
}

export const addPrepareCommands = (sign: Command, context: Context): void => {
  const prepare = sign
    .command('prepare')
    .description('write the file of a ceremony: public data only, no key is needed')

  addEditOptions(
    kind(prepare, 'rotate', 'other keys, or another threshold, for a role')
      .argument('<role>', 'root, targets, urgent, or a product')
      .addHelpText(
        'after',
        example('rotate root --repo r --out ceremony.json --add-key dave.pub --remove-key 3f9a01c4'),
      ),
  ).action(async (role: string, options: PrepareOptions & EditOptions) => {
    const edits = await editsOf(role, options)
    await write((repository) => keyChange(repository, edits(repository)), options, context)
  })

  kind(prepare, 'revoke', 'take a lost or stolen key away from every role')
    .argument('<key>', 'the beginning of its id')
    .option('--add-key <file...>', 'public keys that take its place')
    .addHelpText('after', example('revoke 3f9a01c4 --repo r --out ceremony.json --add-key dave.pub'))
    .action(async (key: string, options: PrepareOptions & { readonly addKey?: readonly string[] }) => {
      const replacements = await readPublicKeys(options.addKey)
      await write(
        (repository) => keyChange(repository, revocation(repository, { key, replacements })),
        options,
        context,
      )
    })

  kind(prepare, 'renew', 'the same once more, with a new expiry')
    .argument('<role...>', 'root, targets, or products')
    .addHelpText('after', example('renew root targets --repo r --out ceremony.json'))
    .action(async (roles: readonly string[], options: PrepareOptions) => {
      const change = (repository: Repository) => {
        for (const role of roles) assertRole(repository, role)
        return renewalOf(repository, roles)
      }
      await write(change, options, context)
    })

  kind(prepare, 'product', 'a new product, and who signs for it')
    .argument('<name>', 'a-z, 0-9 and -, beginning with a letter')
    .requiredOption('--key <file...>', 'public keys of those who sign its releases')
    .option('--threshold <n>', 'how many of them have to sign', parsePeople, 1)
    .addHelpText('after', example('product acme-cli --repo r --out ceremony.json --key alice.pub bob.pub'))
    .action(
      async (
        name: string,
        options: PrepareOptions & { readonly key: readonly string[]; readonly threshold: number },
      ) => {
        const [product, keys] = [parseProduct(name), await readPublicKeys(options.key)]
        const holders = { keys, threshold: options.threshold }
        await write((repository) => productChange(repository, product, holders), options, context)
      },
    )

  addIdentityOptions(
    kind(prepare, 'identity', 'who holds the keys of a product, as certificates say it')
      .argument('<product>', 'one of the products')
      .addHelpText('after', example('identity acme --repo r --out ceremony.json --certificate acme.crt')),
  ).action(async (product: string, options: PrepareOptions & IdentityOptions) => {
    const change = await identityFrom(product, options, context.now())
    await write(change, options, context)
  })

  addUrgent(prepare, context)
  addPrepareInit(prepare, context)
}

const addUrgent = (prepare: Command, context: Context): void => {
  kind(prepare, 'urgent', 'let machines have a release before the age that their owners ask for')
    .argument('<product>', 'one of the products')
    .argument('<version>', 'the release')
    .option('--platform <platform>', 'only the release for this platform (default: all of the version)')
    .option('--undo', 'take it back: machines wait again')
    .addHelpText('after', example('urgent acme 1.4.1 --repo r --out ceremony.json'))
    .action(
      async (
        product: string,
        version: string,
        options: PrepareOptions & { readonly platform?: string; readonly undo?: true },
      ) => {
        const wanted = parseWanted(product, version, options.platform)
        const change = (repository: Repository) =>
          urgencyChange(repository, wanted, options.undo === true) ?? isSo(product)
        await write(change, options, context)
      },
    )
}

const isSo = (product: string): never => {
  throw new UpdateError('USAGE', `of this release of ${product}, that is signed already`)
}

const kind = (prepare: Command, name: string, description: string): Command =>
  prepare
    .command(name)
    .description(description)
    .requiredOption('--repo <dir>', 'the repository')
    .requiredOption('--out <file>', 'the ceremony file to write')
    .option('--json', 'print the result as one JSON object')

const example = (line: string): string => `
Example:
  $ updraft-publisher sign prepare ${line}

Then each signer: updraft-publisher sign add ceremony.json; in the end: updraft-publisher sign finish ceremony.json --repo r`

const write = async (
  decide: (repository: Repository) => Change,
  { repo, out, json }: PrepareOptions,
  context: Context,
) => {
  const review = await prepareCeremony(repo, decide, out, context.now())
  context.print(json ? JSON.stringify({ file: out, ...review }) : `${describeReview(review)}\n\nwrote ${out}`)
}
