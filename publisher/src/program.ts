// The publisher's tree of commands: what there is, in the order that help shows it. Runs none of them.
import { Command } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { addCompletionCommand } from './commands/completion.ts'
import { addDiffCommand } from './commands/diff.ts'
import { addDoctorCommand } from './commands/doctor.ts'
import { addDrillCommand } from './commands/drill.ts'
import { addExportCommand } from './commands/export.ts'
import { addIdentityCommand } from './commands/identity.ts'
import { addInitCommand } from './commands/init.ts'
import { addKeysCommands } from './commands/keys.ts'
import { addListCommand } from './commands/list.ts'
import { addNotesCommand } from './commands/notes.ts'
import { addProductCommand } from './commands/product.ts'
import { addPromoteCommand } from './commands/promote.ts'
import { addPublishCommand } from './commands/publish.ts'
import { addRenewCommand } from './commands/renew.ts'
import { addRevokeCommand } from './commands/revoke.ts'
import { addRolloutCommand } from './commands/rollout.ts'
import { addRotateCommand } from './commands/rotate.ts'
import { addServeCommand } from './commands/serve.ts'
import { addShowCommand } from './commands/show.ts'
import { addSignCommands } from './commands/sign.ts'
import { addUrgentCommand } from './commands/urgent.ts'
import { addWatchCommand } from './commands/watch.ts'
import { addYankCommand } from './commands/yank.ts'
import type { Context } from './context.ts'

export const NAME = 'updraft-publisher'

export const publisherProgram = (context: Context): Command => {
  const program = new Command(NAME)
    .description('Signs builds as releases, and keeps the repository that agents update from')
    .version(manifest.version)
    .exitOverride()
    .enablePositionalOptions() // So that --version after `publish` is the release's.
    .showHelpAfterError('(--help shows what there is)')
  addInitCommand(program, context)
  addProductCommand(program, context)
  addKeysCommands(program, context)
  addPublishCommand(program, context)
  addWatchCommand(program, context)
  addPromoteCommand(program, context)
  addRolloutCommand(program, context)
  addUrgentCommand(program, context)
  addYankCommand(program, context)
  addNotesCommand(program, context)
  addListCommand(program, context)
  addShowCommand(program, context)
  addDiffCommand(program, context)
  addRotateCommand(program, context)
  addRevokeCommand(program, context)
  addSignCommands(program, context)
  addIdentityCommand(program, context)
  addDrillCommand(program, context)
  addServeCommand(program, context)
  addRenewCommand(program, context)
  addExportCommand(program, context)
  addDoctorCommand(program, context)
  addCompletionCommand(program, context)
  return program
}
