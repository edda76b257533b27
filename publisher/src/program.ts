// The publisher's tree of commands: what there is, in the order that help shows it. Runs none of them.
import { exitHelp } from '@updraft/core/terminal/exit-help'
import { Command } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import type { Context } from './context.ts'

export const NAME = 'updraft-publisher'

const HELP = `
A repository, its first release, and the server that machines update from:
  $ updraft-publisher init r --product acme
  $ updraft-publisher publish ./build --repo r --product acme --version 1.0.0
  $ updraft-publisher serve r`

type AddCommand = (program: Command, context: Context) => void

/** Each is loaded with all that it works with: who promotes a release shall not wait for an origin to be loaded. */
const COMMANDS: Readonly<Record<string, () => Promise<AddCommand>>> = {
  init: async () => (await import('./commands/init.ts')).addInitCommand,
  product: async () => (await import('./commands/product.ts')).addProductCommand,
  keys: async () => (await import('./commands/keys.ts')).addKeysCommands,
  publish: async () => (await import('./commands/publish.ts')).addPublishCommand,
  watch: async () => (await import('./commands/watch.ts')).addWatchCommand,
  promote: async () => (await import('./commands/promote.ts')).addPromoteCommand,
  rollout: async () => (await import('./commands/rollout.ts')).addRolloutCommand,
  urgent: async () => (await import('./commands/urgent.ts')).addUrgentCommand,
  yank: async () => (await import('./commands/yank.ts')).addYankCommand,
  notes: async () => (await import('./commands/notes.ts')).addNotesCommand,
  list: async () => (await import('./commands/list.ts')).addListCommand,
  show: async () => (await import('./commands/show.ts')).addShowCommand,
  diff: async () => (await import('./commands/diff.ts')).addDiffCommand,
  rotate: async () => (await import('./commands/rotate.ts')).addRotateCommand,
  revoke: async () => (await import('./commands/revoke.ts')).addRevokeCommand,
  sign: async () => (await import('./commands/sign.ts')).addSignCommands,
  identity: async () => (await import('./commands/identity.ts')).addIdentityCommand,
  drill: async () => (await import('./commands/drill.ts')).addDrillCommand,
  serve: async () => (await import('./commands/serve.ts')).addServeCommand,
  renew: async () => (await import('./commands/renew.ts')).addRenewCommand,
  export: async () => (await import('./commands/export.ts')).addExportCommand,
  doctor: async () => (await import('./commands/doctor.ts')).addDoctorCommand,
  completion: async () => (await import('./commands/completion.ts')).addCompletionCommand,
}

/** The tree; where the command that is asked for is one of it, with no other, since nothing else of it will be looked at. */
export const publisherProgram = async (context: Context, asked?: string): Promise<Command> => {
  const program = new Command(NAME)
    .description('Signs builds as releases, and keeps the repository that agents update from')
    .version(manifest.version)
    .exitOverride()
    .enablePositionalOptions() // So that --version after `publish` is the release's.
    .showHelpAfterError('(--help shows what there is)')
    .addHelpText('after', HELP)
    .addHelpText('afterAll', exitHelp(NAME, false))
  // The completion of a shell has all commands in it.
  const isAlone = asked !== undefined && asked !== 'completion' && Object.hasOwn(COMMANDS, asked)
  for (const [name, load] of Object.entries(COMMANDS)) {
    if (!isAlone || name === asked) (await load())(program, context)
  }
  return program
}
