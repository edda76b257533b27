// `yank PRODUCT VERSION --reason TEXT [--instead VERSION]`: withdraws a release; with `--undo` it is offered again.
import { UpdateError } from '@updraft/core/errors'
import { parseReleaseVersion } from '@updraft/core/names'
import type { Command } from 'commander'
import { unyank, yank } from '../amend/yank.ts'
import type { Context } from '../context.ts'
import { type AmendCommandOptions, addAmendOptions, runAmend } from './amend-options.ts'

interface YankCommandOptions extends AmendCommandOptions {
  readonly reason?: string
  readonly instead?: string
  readonly undo?: true
}

const HELP = `
Examples:
  $ updraft-publisher yank acme 1.4.0 --instead 1.3.2 --reason "loses settings on upgrade" --repo r
  $ updraft-publisher yank acme 1.4.0 --reason "loses settings on upgrade" --repo r
  $ updraft-publisher yank acme 1.4.0 --undo --repo r

Nobody installs it any more. Machines that have it warn their owners, and go to the version of --instead, even if that is
older; without --instead they stay until a newer release comes. With --undo it is offered again as before, also to machines that
have gone elsewhere, but for those that have marked it bad themselves.
The keys of the product, of snapshot and of timestamp have to be at hand. No bytes move.`

export const addYankCommand = (program: Command, context: Context): void => {
  const command = program
    .command('yank')
    .description('withdraw a release, and say where machines that have it should go')
    .argument('<product>', 'one of the products of the repository')
    .argument('<version>', 'the release')
    .option('--reason <text>', 'what is wrong with it, for the owners of machines; has to be said')
    .option('--instead <version>', 'where machines that have it go')
    .option('--undo', 'take it back: the release is offered again')
    .addHelpText('after', HELP)
  addAmendOptions(command).action((product: string, version: string, options: YankCommandOptions) => {
    const { reason, instead, undo } = options
    if (undo && (reason ?? instead) !== undefined) {
      throw new UpdateError('USAGE', 'say either --undo, or --reason and --instead')
    }
    if (undo) return runAmend(product, version, options, () => unyank, context)
    if (reason === undefined) throw new UpdateError('USAGE', "required option '--reason <text>' not specified")
    const goTo = instead === undefined ? undefined : parseReleaseVersion(instead)
    return runAmend(product, version, options, (now) => yank({ reason, goTo }, now), context)
  })
}
