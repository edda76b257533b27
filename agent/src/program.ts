// The agent's command line: reads it, runs one command, and turns whatever that throws into an exit code.
import { exitHelp } from '@updraft/core/terminal/exit-help'
import { exitCodeOfUsage, printFailure } from '@updraft/core/terminal/failure'
import { Command, CommanderError } from 'commander'
import { addApproveCommands } from './commands/approve.ts'
import { addCompletionCommand } from './commands/completion.ts'
import type { Context } from './commands/context.ts'
import { addDoctorCommand } from './commands/doctor.ts'
import { addEventsCommand } from './commands/events.ts'
import { addHistoryCommand } from './commands/history.ts'
import { addHoldCommands } from './commands/hold.ts'
import { addImportCommand } from './commands/import.ts'
import { addInstallCommand } from './commands/install.ts'
import { addRetryCommand } from './commands/retry.ts'
import { addRollbackCommand } from './commands/rollback.ts'
import { addRunCommand } from './commands/run.ts'
import { addServiceCommand } from './commands/service.ts'
import { addSettingsCommand } from './commands/settings.ts'
import { addStatusCommand } from './commands/status.ts'
import { addTrustCommand } from './commands/trust.ts'
import { addVerifyCommand } from './commands/verify.ts'
import { addWhyCommand } from './commands/why.ts'

export const NAME = 'updraft-agent'

const HELP = `
The agent of this user (or with UPDRAFT_HOME=DIR the one that has everything under DIR):
  $ updraft-agent trust add https://updates.example.com --root root.json
  $ updraft-agent install acme
  $ updraft-agent run

The agent of the machine, as a service (for its users: UPDRAFT_SYSTEM=1 updraft-agent status):
  $ sudo updraft-agent service install
  $ sudo updraft-agent trust add https://updates.example.com --root /usr/local/share/updraft/root.json
  $ sudo updraft-agent install acme`

/** Runs the command of `argv` (as in process.argv), and says through the context what the process should exit with. */
export const runProgram = async (context: Context, argv: readonly string[]): Promise<void> => {
  try {
    await agentProgram(context).parseAsync(argv)
  } catch (error) {
    context.setExitCode(
      error instanceof CommanderError
        ? exitCodeOfUsage(error.exitCode)
        : printFailure(NAME, error, argv.includes('--json')),
    )
  }
}

/** The tree of commands: what there is, in the order that help shows it. Runs none of them. */
export const agentProgram = (context: Context): Command => {
  const program = new Command(NAME)
    .description('Keeps the software on this machine up to date, from a swarm, and trusts only what is signed')
    .version(context.version)
    .exitOverride()
    .showHelpAfterError('(--help shows what there is)')
    .addHelpText('after', HELP)
    .addHelpText('afterAll', exitHelp(NAME, true))
  addTrustCommand(program, context)
  addInstallCommand(program, context)
  addImportCommand(program, context)
  addVerifyCommand(program, context)
  addRunCommand(program, context)
  addStatusCommand(program, context)
  addWhyCommand(program, context)
  addHoldCommands(program, context)
  addApproveCommands(program, context)
  addHistoryCommand(program, context)
  addRollbackCommand(program, context)
  addRetryCommand(program, context)
  addEventsCommand(program, context)
  addDoctorCommand(program, context)
  addSettingsCommand(program, context)
  addServiceCommand(program, context)
  addCompletionCommand(program, context)
  return program
}
