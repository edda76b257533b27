// `rollback PRODUCT [VERSION]`: the way back by hand, done by the running agent.
import { controlAddressOf } from '@updraft/core/control/address'
import { controlClient } from '@updraft/core/control/client'
import { parseProduct, parseReleaseVersion } from '@updraft/core/names'
import type { Command } from 'commander'
import type { Context } from './context.ts'

const HELP = `
Examples:
  $ updraft-agent rollback acme
  $ updraft-agent rollback acme 1.4.2 --json

Goes to the newest older version that is kept and not marked bad, or to the one that is named. The version that it leaves is
marked bad on this machine: the agent does not take it again, but it takes a newer release. "retry acme" lifts the mark.
Ends with 3 if there is nothing to go back to. The JSON is {"product", "version", "previous"}.`

export const addRollbackCommand = (program: Command, context: Context): void => {
  program
    .command('rollback')
    .description('go back to the version from before, or to another one that is kept')
    .argument('<product>', 'name of the product, such as acme')
    .argument('[version]', 'the version to go back to, such as 1.4.2')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
    .action(async (name: string, wanted: string | undefined, { json }: { readonly json?: true }) => {
      const { environment, signal, print } = context
      const product = parseProduct(name)
      const request = wanted === undefined ? {} : { version: parseReleaseVersion(wanted) }
      const client = controlClient(controlAddressOf(environment))
      const { version, previous } = await client.rollback(product, request, { signal })
      print(
        json
          ? JSON.stringify({ product, version, previous })
          : `${product} is back at ${version}; ${previous} is marked bad on this machine\n  to take it again: updraft-agent retry ${product}`,
      )
    })
}
