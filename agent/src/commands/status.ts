// `status`: what the agent does and knows, asked of the agent, or read from its store if none runs.
import { EXIT_CODES } from '@updraft/core/errors'
import type { Command } from 'commander'
import { textOfStatus } from '../status-text.ts'
import type { Context } from './context.ts'
import { readView } from './view.ts'

const HELP = `
Examples:
  $ updraft-agent status
  $ updraft-agent status --json

Without a running agent this shows what it last knew, and exits 9. The JSON is that of GET /v1/status; without a running
agent its "agent" is null.`

export const addStatusCommand = (program: Command, context: Context): void => {
  program
    .command('status')
    .description('show what is installed, what is available, and whether it can be trusted')
    .option('--json', 'print one JSON object')
    .addHelpText('after', HELP)
    .action(async ({ json = false }: { readonly json?: boolean }) => {
      const view = await readView(context)
      context.print(json ? JSON.stringify(view) : textOfStatus(view, context.now()))
      if (view.agent === null) context.setExitCode(EXIT_CODES.notRunning)
    })
}
