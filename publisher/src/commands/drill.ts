// `drill KEY`: rehearses that a key was lost or stolen.
import { UpdateError } from '@updraft/core/errors'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { drill } from '../drill.ts'
import {
  addKeyOptions,
  addNewKeyOptions,
  type KeyOptions,
  keepNewKeys,
  keysFor,
  type NewKeyOptions,
} from './key-options.ts'

interface DrillCommandOptions extends KeyOptions, NewKeyOptions {
  readonly repo: string
  readonly out: string
  readonly lost?: true
  readonly stolen?: true
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-publisher drill 3f9a01c4 --stolen --repo r --out /tmp/drill
  $ updraft-publisher drill 3f9a01c4 --lost --repo r --keys /media/vault/keys --out /tmp/drill

The repository stays as it is. What recovery takes are the real keys: a drill that ends with KEY_MISSING has found what is missing.
The copy stays, with its new key in DIR.keys: serve it, and let a machine to spare follow it, to see the whole of it:
  $ updraft-publisher serve /tmp/drill --port 8081`

export const addDrillCommand = (program: Command, context: Context): void => {
  const command = program
    .command('drill')
    .description('rehearse a lost or stolen key on a copy of the repository')
    .argument('<key>', 'the beginning of its id, as keys list shows it')
    .requiredOption('--repo <dir>', 'the repository; it is only read')
    .requiredOption('--out <dir>', 'folder to make, for the copy')
    .option('--lost', 'the key is not there any more')
    .option('--stolen', 'the key is here, and in other hands as well')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
  addKeyOptions(addNewKeyOptions(command, 'the key that takes its place')).action(
    async (key: string, options: DrillCommandOptions) => {
      if ((options.lost === true) === (options.stolen === true)) {
        throw new UpdateError('USAGE', 'say either --lost or --stolen')
      }
      const found = keysFor(options.repo, options, context)
      const { out, repo: repository, json } = options
      const replacement = { directory: `${out.replace(/\/+$/, '')}.keys`, ...(await keepNewKeys(options, found)) }
      const request = { repository, out, key, what: options.lost ? 'lost' : 'stolen' } as const
      const onStep = json
        ? undefined
        : ({ step, detail }: { step: string; detail: string }) => context.print(`${step.padEnd(13)} ${detail}`)
      const result = await drill(request, { keys: found.source, replacement, now: context.now(), onStep })
      context.print(
        json
          ? JSON.stringify(result)
          : `\nit works: what was rehearsed is done in earnest by\n  updraft-publisher revoke ${key} --repo ${repository}`,
      )
    },
  )
}
