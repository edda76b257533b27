// `urgent PRODUCT VERSION`: lets machines have a release before the age that their owners ask for.
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { declareUrgent } from '../declare-urgent.ts'
import { parseWanted } from '../repository/find-release.ts'
import { type AmendCommandOptions, addAmendOptions, describeAmended } from './amend-options.ts'
import { keysFor } from './key-options.ts'

interface UrgentCommandOptions extends AmendCommandOptions {
  readonly undo?: true
}

const HELP = `
Examples:
  $ updraft-publisher urgent acme 1.4.1 --repo r
  $ updraft-publisher urgent acme 1.4.1 --undo --repo r

It lifts minimumAgeHours of agent.json and nothing else: windows, holds, approvals and the rollout stay.
The keys of the role urgent, of snapshot and of timestamp have to be at hand; if those of urgent are apart: updraft-publisher sign
prepare urgent. A repository without that role lets the product's own keys say it: give it one with rotate urgent --new.
No bytes move.`

export const addUrgentCommand = (program: Command, context: Context): void => {
  const command = program
    .command('urgent')
    .description('let machines have a release at once, whatever age their owners ask for')
    .argument('<product>', 'one of the products of the repository')
    .argument('<version>', 'the release')
    .option('--undo', 'take it back: machines wait again')
    .addHelpText('after', HELP)
  addAmendOptions(command).action(async (product: string, version: string, options: UrgentCommandOptions) => {
    const wanted = parseWanted(product, version, options.platform)
    const request = { repository: options.repo, ...wanted, undo: options.undo === true }
    const { source: keys } = keysFor(options.repo, options, context)
    const declared = await declareUrgent(request, { keys, now: context.now() })
    context.print(options.json ? JSON.stringify(declared) : describeAmended(declared, declared.signedAs))
  })
}
