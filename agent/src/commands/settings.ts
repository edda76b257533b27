// `settings schema`: describes agent.json to editors, so that they complete and check it while it is written.
import type { Command } from 'commander'
import { settingsJsonSchema } from '../settings.ts'
import type { Context } from './context.ts'

const HELP = `
Example:
  $ updraft-agent settings schema > ~/.config/updraft/agent.schema.json

With "$schema": "./agent.schema.json" as the first line of agent.json, editors complete the settings, explain them and mark
what is wrong.`

export const addSettingsCommand = (program: Command, context: Context): void => {
  const settings = program.command('settings').description('what agent.json may say')
  settings
    .command('schema')
    .description('print the JSON schema of agent.json')
    .addHelpText('after', HELP)
    .action(() => context.print(JSON.stringify(settingsJsonSchema(), undefined, 2)))
}
