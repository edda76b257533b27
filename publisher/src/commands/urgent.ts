// `urgent PRODUCT VERSION`: lets machines have a release before the age that their owners ask for.
import type { Command } from 'commander'
import { urgency } from '../amend/urgent.ts'
import type { Context } from '../context.ts'
import { type AmendCommandOptions, addAmendOptions, runAmend } from './amend-options.ts'

const HELP = `
Example:
  $ updraft-publisher urgent acme 1.4.1 --repo r

It lifts minimumAgeHours of agent.json and nothing else: windows, holds, approvals and the rollout stay.
The keys of the product, of snapshot and of timestamp have to be at hand. No bytes move.`

export const addUrgentCommand = (program: Command, context: Context): void => {
  const command = program
    .command('urgent')
    .description('let machines have a release at once, whatever age their owners ask for')
    .argument('<product>', 'one of the products of the repository')
    .argument('<version>', 'the release')
    .addHelpText('after', HELP)
  addAmendOptions(command).action((product: string, version: string, options: AmendCommandOptions) =>
    runAmend(product, version, options, () => urgency, context),
  )
}
