// `completion`: makes a shell know the commands of this program. What the script says is the business of core's terminal.
import { completionScript, SHELLS, type Shell } from '@updraft/core/terminal/completion'
import { Argument, type Command } from 'commander'
import type { Context } from './context.ts'

const HELP = `
Examples:
  $ source <(updraft-agent completion bash)
  $ updraft-agent completion zsh > ~/.zfunc/_updraft-agent            (with ~/.zfunc in $fpath)
  $ updraft-agent completion fish > ~/.config/fish/completions/updraft-agent.fish`

export const addCompletionCommand = (program: Command, context: Context): void => {
  program
    .command('completion')
    .description('print the script that lets a shell complete commands and options')
    .addArgument(new Argument('<shell>', 'the shell that is to read it').choices(SHELLS))
    .addHelpText('after', HELP)
    .action((shell: Shell) => context.print(completionScript(program, shell)))
}
