// `approve PRODUCT [VERSION]` and `skip PRODUCT VERSION`: what the owner of the machine says about one version.
import type { Command } from 'commander'
import type { Context } from './context.ts'
import { tellWish } from './wish.ts'

const APPROVE_HELP = `
Examples:
  $ updraft-agent approve acme
  $ updraft-agent approve acme 1.4.0

With "approval": "required" in agent.json, nothing else is installed. Without a version, the newest one that waits for its
approval; see: updraft-agent why acme. A version that was signed by somebody else than before has to be named: ask the publisher
first. Also undoes a skip. Works with and without a running agent.`

const SKIP_HELP = `
Example:
  $ updraft-agent skip acme 1.4.0

Other versions are installed as before. Undo it with: updraft-agent approve acme 1.4.0`

interface Options {
  readonly json?: true
}

export const addApproveCommands = (program: Command, context: Context): void => {
  program
    .command('approve')
    .description('let a version be installed that waits for you')
    .argument('<product>', 'name of the product, such as acme')
    .argument('[version]', 'the version (default: the newest that waits)')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', APPROVE_HELP)
    .action(async (product: string, version: string | undefined, { json }: Options) => {
      const answer = await tellWish(product, { kind: 'approve', version }, context)
      context.print(json ? JSON.stringify(answer) : `${product} ${answer.version} is approved`)
    })
  program
    .command('skip')
    .description('never install a version')
    .argument('<product>', 'name of the product, such as acme')
    .argument('<version>', 'the version, such as 1.4.0')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', SKIP_HELP)
    .action(async (product: string, version: string, { json }: Options) => {
      const answer = await tellWish(product, { kind: 'skip', version }, context)
      context.print(json ? JSON.stringify(answer) : `${product} ${answer.version} is skipped`)
    })
}
