// `revoke KEY`: takes a key away from every role that it signs for, because it was lost or stolen.
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { revocation, rotate } from '../rotate.ts'
import {
  addKeyOptions,
  addNewKeyOptions,
  type KeyOptions,
  keepNewKeys,
  keysFor,
  type NewKeyOptions,
} from './key-options.ts'
import { describeRotated, readPublicKeys } from './rotate-options.ts'

interface RevokeCommandOptions extends KeyOptions, NewKeyOptions {
  readonly repo: string
  readonly addKey?: readonly string[]
  /** False with --no-replacement. */
  readonly replacement: boolean
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-publisher revoke 3f9a01c4 --repo r                       (a new key, made here, takes its place)
  $ updraft-publisher revoke 3f9a01c4 --repo r --add-key bob.pub
  $ updraft-publisher revoke 3f9a01c4 --repo r --no-replacement

The keys that have to agree must be here; if they are not in one place: updraft-publisher sign prepare revoke. Machines follow at
their next look. Releases that a thief has signed stay where they are installed: look at what is published, yank what is not
yours. Try it before you need it: updraft-publisher drill`

export const addRevokeCommand = (program: Command, context: Context): void => {
  const command = program
    .command('revoke')
    .description('take a lost or stolen key away from every role')
    .argument('<key>', 'the beginning of its id, as keys list shows it')
    .requiredOption('--repo <dir>', 'the repository')
    .option('--add-key <file...>', 'public keys that take its place')
    .option('--no-replacement', 'nothing takes its place: fewer keys are left')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
  addKeyOptions(addNewKeyOptions(command, 'the new key')).action(async (key: string, options: RevokeCommandOptions) => {
    const found = keysFor(options.repo, options, context)
    const replacements = await readPublicKeys(options.addKey)
    const makesNew = options.replacement && replacements.length === 0
    const replace = makesNew ? { directory: found.directory, ...(await keepNewKeys(options, found)) } : undefined
    const edits = (repository: Parameters<typeof revocation>[0]) => revocation(repository, { key, replacements })
    const revoked = await rotate(options.repo, edits, { keys: found.source, now: context.now(), replace })
    context.print(options.json ? JSON.stringify(revoked) : describeRotated(revoked))
  })
}
