// `rollout PRODUCT VERSION STEP...`: says how many machines may have a release, from when on.
import type { Command } from 'commander'
import { parseRollout, rollout } from '../amend/rollout.ts'
import type { Context } from '../context.ts'
import { type AmendCommandOptions, addAmendOptions, runAmend } from './amend-options.ts'

const HELP = `
Examples:
  $ updraft-publisher rollout acme 1.4.0 10% --repo r
  $ updraft-publisher rollout acme 1.4.0 1% 10%@24h 50%@2d 100%@3d --repo r
  $ updraft-publisher rollout acme 1.4.0 0% --repo r               (halts it)

Each step holds from its time on until the next one. Which machines are the first 10 % differs from release to release.
Machines that have the release keep it. To begin small, give --rollout to publish.
The keys of the product, of snapshot and of timestamp have to be at hand. No bytes move.`

export const addRolloutCommand = (program: Command, context: Context): void => {
  const command = program
    .command('rollout')
    .description('let a part of all machines have a release, and more of them later')
    .argument('<product>', 'one of the products of the repository')
    .argument('<version>', 'the release')
    .argument('<step...>', 'PERCENT, or PERCENT@WHEN with 12h, 3d or a time such as 2026-03-01T12:00:00Z')
    .addHelpText('after', HELP)
  addAmendOptions(command).action(
    (product: string, version: string, steps: readonly string[], options: AmendCommandOptions) =>
      runAmend(product, version, options, (now) => rollout(parseRollout(steps, now)), context),
  )
}
