// `init DIR`: makes a repository and its keys.
import { basename } from 'node:path'
import { UpdateError } from '@updraft/core/errors'
import { parseProduct, URGENT_ROLE } from '@updraft/core/names'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { initRepository, type NewRepository } from '../init.ts'
import type { KeyType } from '../keys/private-key.ts'
import { newPassphrase } from '../passphrase.ts'
import { assertNothingAt } from '../repository.ts'
import { parseRepositorySettings } from '../repository-settings.ts'
import { grouped } from './fingerprint-text.ts'
import { addKeyOptions, type KeyOptions, keysFor, keyTypeOption } from './key-options.ts'
import { parsePeople } from './rotate-options.ts'

interface InitCommandOptions extends KeyOptions {
  readonly product: readonly string[]
  readonly url?: string
  readonly tracker?: readonly string[]
  readonly rootKeys: number
  readonly rootThreshold: number
  readonly targetsKeys: number
  readonly targetsThreshold: number
  readonly productKeys: number
  readonly productThreshold: number
  readonly urgentKeys: number
  readonly urgentThreshold: number
  readonly type: KeyType
  /** False with --no-passphrase. */
  readonly passphrase: boolean
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-publisher init r --product acme --url https://updates.example.com/
  $ updraft-publisher publish build/ --repo r --product acme --version 1.0.0
  $ updraft-publisher init r --product acme --urgent-keys 2 --urgent-threshold 2
  $ updraft-publisher init r --product acme --root-keys 3 --root-threshold 2 --targets-keys 3 --targets-threshold 2

Everything in r may be served by any web server. The keys are in r.keys: keep them elsewhere.`

export const addInitCommand = (program: Command, context: Context): void => {
  const command = program
    .command('init')
    .description('make a repository, and the keys that sign in it')
    .argument('<dir>', 'folder to make')
    .requiredOption('--product <name...>', 'what will be published: a-z, 0-9 and -')
    .option('--url <url>', 'public address of the repository, for stock BitTorrent clients')
    .option('--tracker <url...>', "trackers besides the origin's own")
    .option('--root-keys <n>', 'how many root keys to make', parsePeople, 1)
    .option('--root-threshold <n>', 'how many of them must sign a change of keys', parsePeople, 1)
    .option('--targets-keys <n>', 'how many keys of targets to make', parsePeople, 1)
    .option('--targets-threshold <n>', 'how many of them must sign a change of products', parsePeople, 1)
    .option('--product-keys <n>', 'how many keys to make for each product', parsePeople, 1)
    .option('--product-threshold <n>', 'how many of them must sign a release', parsePeople, 1)
    .option('--urgent-keys <n>', 'keys of a role that alone may call a release urgent; none by default', parsePeople, 0)
    .option('--urgent-threshold <n>', 'how many of them must sign that', parsePeople, 1)
    .addOption(keyTypeOption('the kind of the keys'))
    .option('--no-passphrase', 'leave the key files unencrypted')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
  addKeyOptions(command).action(async (directory: string, options: InitCommandOptions) => {
    const created = await runInit(directory, options, context)
    context.print(options.json ? JSON.stringify(created) : describe(directory, created, options))
  })
}

const runInit = async (directory: string, options: InitCommandOptions, context: Context): Promise<NewRepository> => {
  const products = [...new Set(options.product)].map(parseProduct)
  const settings = parseRepositorySettings({ url: options.url, trackers: options.tracker }, 'the command line')
  const { rootKeys, rootThreshold, targetsKeys, targetsThreshold, productKeys, productThreshold, type } = options
  const { urgentKeys, urgentThreshold } = options
  assertThreshold('root', rootThreshold, rootKeys)
  assertThreshold('targets', targetsThreshold, targetsKeys)
  assertThreshold('product', productThreshold, productKeys)
  if (urgentKeys > 0 || urgentThreshold > 1) assertThreshold('urgent', urgentThreshold, urgentKeys)
  const keys = keysFor(directory, options, context)
  await assertNothingAt(directory) // Before a person is asked for a passphrase.
  const passphrase = options.passphrase ? await newPassphrase(keys.passphrase) : undefined
  const people = { rootKeys, rootThreshold, targetsKeys, targetsThreshold, productKeys, productThreshold, type }
  const urgent = { urgentKeys, urgentThreshold }
  const request = { directory, keysDirectory: keys.directory, products, settings, ...people, ...urgent }
  return await initRepository(request, { passphrase, now: context.now() })
}

const assertThreshold = (role: string, threshold: number, keys: number): void => {
  if (threshold <= keys) return
  throw new UpdateError('USAGE', `--${role}-threshold ${threshold} cannot be met by --${role}-keys ${keys}`)
}

const describe = (directory: string, { fingerprint, keys }: NewRepository, options: InitCommandOptions): string => {
  const [product = ''] = options.product
  const files = keys.map(({ role, path }) => `  ${basename(path).padEnd(40)} ${purposeOf(role)}`)
  const folder = keys[0]?.path.slice(0, -basename(keys[0].path).length)
  return `made the repository ${directory}

fingerprint of its root, for the owners of machines to compare before they trust it
  ${fingerprint}
${grouped(fingerprint)}

keys in ${folder}, ${options.passphrase ? 'encrypted' : 'NOT encrypted'}
${files.join('\n')}

next
  updraft-publisher publish BUILD --repo ${directory} --product ${product} --version 1.0.0
  updraft-publisher serve ${directory}`
}

const purposeOf = (role: string): string => {
  switch (role) {
    case 'root':
      return 'move it offline: only a change of keys needs it'
    case 'targets':
      return 'move it offline: only another product needs it'
    case URGENT_ROLE:
      return 'give it to others than those who release: it lifts the minimum age of machines'
    case 'snapshot':
    case 'timestamp':
      return 'stays where the repository is published and served'
    default:
      return `signs the releases of ${role}`
  }
}
