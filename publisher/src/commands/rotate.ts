// `rotate ROLE`: other keys for a role, signed with the keys that are here.
import { UpdateError } from '@updraft/core/errors'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import type { KeyType } from '../keys/private-key.ts'
import { newPassphrase } from '../passphrase.ts'
import { rotate } from '../rotate.ts'
import { addKeyOptions, type KeyOptions, keysFor, keyTypeOption } from './key-options.ts'
import { addEditOptions, describeRotated, type EditOptions, editsOf } from './rotate-options.ts'

interface RotateCommandOptions extends KeyOptions, EditOptions {
  readonly repo: string
  readonly new?: true
  readonly type: KeyType
  /** False with --no-passphrase. */
  readonly passphrase: boolean
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
    .addOption(keyTypeOption('the kind of new keys'))
    .option('--no-passphrase', 'leave new key files unencrypted')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
  addKeyOptions(command).action(async (role: string, options: RotateCommandOptions) => {
    const { directory, source, passphrase } = keysFor(options.repo, options, context)
    if (options.new && options.addKey !== undefined) throw new UpdateError('USAGE', 'say either --new or --add-key')
    const all = options.new && options.removeKey === undefined
    const edits = await editsOf(role, all ? { ...options, removeAll: true } : options)
    const replace = options.new && {
      directory,
      passphrase: options.passphrase ? await newPassphrase(passphrase) : undefined,
      type: options.type,
    }
    const rotated = await rotate(options.repo, edits, { keys: source, now: context.now(), replace })
    context.print(options.json ? JSON.stringify(rotated) : describeRotated(rotated))
  })
}
