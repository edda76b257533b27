// `yank PRODUCT VERSION --reason TEXT [--instead VERSION]`: withdraws a release.
import { parseReleaseVersion } from '@updraft/core/names'
import type { Command } from 'commander'
import { yank } from '../amend/yank.ts'
import type { Context } from '../context.ts'
import { type AmendCommandOptions, addAmendOptions, runAmend } from './amend-options.ts'

interface YankCommandOptions extends AmendCommandOptions {
  readonly reason: string
  readonly instead?: string
}

const HELP = `
Examples:
  $ updraft-publisher yank acme 1.4.0 --instead 1.3.2 --reason "loses settings on upgrade" --repo r
  $ updraft-publisher yank acme 1.4.0 --reason "loses settings on upgrade" --repo r

Nobody installs it any more. Machines that have it warn their owners, and go to the version of --instead, even if that is
older; without --instead they stay until a newer release comes. This cannot be taken back.
The keys of the product, of snapshot and of timestamp have to be at hand. No bytes move.`

export const addYankCommand = (program: Command, context: Context): void => {
  const command = program
    .command('yank')
    .description('withdraw a release, and say where machines that have it should go')
    .argument('<product>', 'one of the products of the repository')
    .argument('<version>', 'the release')
    .requiredOption('--reason <text>', 'what is wrong with it, for the owners of machines')
    .option('--instead <version>', 'where machines that have it go')
    .addHelpText('after', HELP)
  addAmendOptions(command).action((product: string, version: string, options: YankCommandOptions) => {
    const goTo = options.instead === undefined ? undefined : parseReleaseVersion(options.instead)
    return runAmend(product, version, options, (now) => yank({ reason: options.reason, goTo }, now), context)
  })
}
