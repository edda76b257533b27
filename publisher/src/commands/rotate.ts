// `rotate ROLE`: other keys for a role, signed with the keys that are here.
import { UpdateError } from '@updraft/core/errors'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { rotate } from '../rotate.ts'
import {
  addKeyOptions,
  addNewKeyOptions,
  type KeyOptions,
  keepNewKeys,
  keysFor,
  type NewKeyOptions,
} from './key-options.ts'
import { addEditOptions, describeRotated, type EditOptions, editsOf } from './rotate-options.ts'

interface RotateCommandOptions extends KeyOptions, NewKeyOptions, EditOptions {
  readonly repo: string
  readonly new?: true
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-publisher rotate timestamp --repo r --new
  $ updraft-publisher rotate acme --repo r --add-key bob.pub --remove-key 3f9a01c4
  $ updraft-publisher rotate root --repo r --add-key alice.pub bob.pub carol.pub --remove-all --threshold 2

Roles are root, targets, snapshot, timestamp and the products. The keys that have to agree must be here: those of root for all but
products, whose keys the role targets decides; the role itself is signed anew by its new keys. If they are not in one place, do
the same with: updraft-publisher sign prepare rotate`

export const addRotateCommand = (program: Command, context: Context): void => {
  const command = addEditOptions(
    program
      .command('rotate')
      .description('give a role other keys, or another threshold')
      .argument('<role>', 'root, targets, snapshot, timestamp or a product')
      .requiredOption('--repo <dir>', 'the repository'),
  )
    .option('--new', 'make a new key here for each that is removed; all of them, if none is named')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
  addKeyOptions(addNewKeyOptions(command, 'a new key')).action(async (role: string, options: RotateCommandOptions) => {
    const found = keysFor(options.repo, options, context)
    if (options.new && options.addKey !== undefined) throw new UpdateError('USAGE', 'say either --new or --add-key')
    const all = options.new && options.removeKey === undefined
    const edits = await editsOf(role, all ? { ...options, removeAll: true } : options)
    const replace = options.new && { directory: found.directory, ...(await keepNewKeys(options, found)) }
    const rotated = await rotate(options.repo, edits, { keys: found.source, now: context.now(), replace })
    context.print(options.json ? JSON.stringify(rotated) : describeRotated(rotated))
  })
}
