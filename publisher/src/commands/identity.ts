// `identity PRODUCT`: signs into the metadata who holds the keys of a product.
import type { Command } from 'commander'
import { applyChange } from '../apply-change.ts'
import type { Context } from '../context.ts'
import { addIdentityOptions, type IdentityOptions, identityFrom } from './identity-options.ts'
import { addKeyOptions, type KeyOptions, keysFor } from './key-options.ts'

interface IdentityCommandOptions extends KeyOptions, IdentityOptions {
  readonly repo: string
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-publisher identity acme --repo r --certificate r.keys/acme-3f9a01c4.crt
  $ updraft-publisher identity acme --repo r --revocation-list acme-ca.crl

The role targets signs it, so its keys have to be here; if they are not in one place: updraft-publisher sign prepare identity`

export const addIdentityCommand = (program: Command, context: Context): void => {
  const command = addIdentityOptions(
    program
      .command('identity')
      .description('sign who holds the keys of a product, as certificates say it')
      .argument('<product>', 'one of the products of the repository, or urgent')
      .requiredOption('--repo <dir>', 'the repository'),
  )
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
  addKeyOptions(command).action(async (product: string, options: IdentityCommandOptions) => {
    const { source } = keysFor(options.repo, options, context)
    const change = await identityFrom(product, options, context.now())
    const { after, signed } = await applyChange(options.repo, change, { keys: source, now: context.now() })
    const metadataVersions = Object.fromEntries(after.roles.map(({ role, metadataVersion }) => [role, metadataVersion]))
    context.print(
      options.json
        ? JSON.stringify({ product, signed, metadataVersions })
        : `signed ${signed.join(', ')} with the identity of ${product}`,
    )
  })
}
