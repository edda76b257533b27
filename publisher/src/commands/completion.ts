// `completion`: makes a shell know the commands of this program. What the script says is the business of core's terminal.
import { completionHelp, completionScript, SHELLS, type Shell } from '@updraft/core/terminal/completion'
import { Argument, type Command } from 'commander'
import type { Context } from '../context.ts'

export const addCompletionCommand = (program: Command, context: Context): void => {
  program
    .command('completion')
    .description('print the script that lets a shell complete commands and options')
    .addArgument(new Argument('<shell>', 'the shell that is to read it').choices(SHELLS))
    .addHelpText('after', completionHelp(program.name()))
    .action((shell: Shell) => context.print(completionScript(program, shell)))
}
