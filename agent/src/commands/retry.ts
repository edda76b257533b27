// `retry PRODUCT`: lets the agent try again what was bad on this machine.
import { controlAddressOf } from '@updraft/core/control/address'
import { controlClient } from '@updraft/core/control/client'
import { parseProduct } from '@updraft/core/names'
import type { Command } from 'commander'
import type { Context } from './context.ts'

const HELP = `
Examples:
  $ updraft-agent retry acme
  $ updraft-agent retry acme --json

Lifts every bad mark of the product on this machine, whether a probe or a person made it, and looks for updates at once.
With nothing marked it only looks. The JSON is {"product", "lifted": [versions]}.`

export const addRetryCommand = (program: Command, context: Context): void => {
  program
    .command('retry')
    .description('try again the versions that were rolled back on this machine')
    .argument('<product>', 'name of the product, such as acme')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
    .action(async (name: string, { json }: { readonly json?: true }) => {
      const { environment, signal, print } = context
      const product = parseProduct(name)
      const { lifted } = await controlClient(controlAddressOf(environment)).retry(product, { signal })
      print(json ? JSON.stringify({ product, lifted }) : wordsOf(product, lifted))
    })
}

const wordsOf = (product: string, lifted: readonly string[]): string =>
  lifted.length === 0
    ? `nothing of ${product} was marked bad; it is looked at now`
    : `no longer marked bad: ${product} ${lifted.join(', ')}; it is looked at now`
