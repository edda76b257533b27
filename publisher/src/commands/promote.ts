// `promote PRODUCT VERSION --to CHANNEL`: puts a release on further channels.
import { parseChannel } from '@updraft/core/names'
import type { Command } from 'commander'
import { promotion } from '../amend/promotion.ts'
import type { Context } from '../context.ts'
import { type AmendCommandOptions, addAmendOptions, runAmend } from './amend-options.ts'

interface PromoteCommandOptions extends AmendCommandOptions {
  readonly to: readonly string[]
}

const HELP = `
Example:
  $ updraft-publisher promote acme 2.0.0 --to stable --repo r

The keys of the product, of snapshot and of timestamp have to be at hand. No bytes move. A rollout
of the release holds on the new channel as well.`

export const addPromoteCommand = (program: Command, context: Context): void => {
  const command = program
    .command('promote')
    .description('put a release on further channels, such as from beta to stable')
    .argument('<product>', 'one of the products of the repository')
    .argument('<version>', 'the release')
    .requiredOption('--to <channel...>', 'who gets it besides')
    .addHelpText('after', HELP)
  addAmendOptions(command).action((product: string, version: string, options: PromoteCommandOptions) =>
    runAmend(product, version, options, () => promotion([...new Set(options.to)].map(parseChannel)), context),
  )
}
