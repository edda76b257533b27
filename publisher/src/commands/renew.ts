// `renew DIR`: signs metadata anew before it expires.
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { type Renewal, renewOnlineRoles, renewRoles } from '../renew.ts'
import { addKeyOptions, type KeyOptions, keysFor } from './key-options.ts'

interface RenewCommandOptions extends KeyOptions {
  readonly role?: readonly string[]
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-publisher renew r                  (from a timer: does nothing until half of the life is over)
  $ updraft-publisher renew r --role root targets

A running origin (serve) renews snapshot and timestamp by itself.`

export const addRenewCommand = (program: Command, context: Context): void => {
  const command = program
    .command('renew')
    .description('sign metadata anew before it expires')
    .argument('<dir>', 'the repository')
    .option('--role <name...>', 'renew these roles now (default: snapshot and timestamp, if they are due)')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
  addKeyOptions(command).action(async (directory: string, options: RenewCommandOptions) => {
    const { source } = keysFor(directory, options, context)
    const signing = { keys: source, now: context.now() }
    const renewal =
      options.role === undefined
        ? await renewOnlineRoles(directory, signing)
        : await renewRoles(directory, options.role, signing)
    context.print(options.json ? JSON.stringify(summaryOf(renewal)) : describe(renewal))
  })
}

const summaryOf = ({ renewed, repository, nextDue }: Renewal) => ({
  renewed,
  roles: repository.roles.map(({ role, metadataVersion, expires }) => ({ role, metadataVersion, expires })),
  nextDue,
})

const describe = ({ renewed, repository, nextDue }: Renewal): string =>
  [
    renewed.length === 0 ? 'nothing was due' : `renewed ${renewed.join(', ')}`,
    ...repository.roles.map(
      ({ role, metadataVersion, expires }) =>
        `  ${role.padEnd(16)} version ${String(metadataVersion).padEnd(6)} expires ${expires.toISOString()}`,
    ),
    `  next due        ${nextDue.toISOString()}`,
  ].join('\n')
