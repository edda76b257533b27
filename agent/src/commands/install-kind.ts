// The options of `install` that say how a version is brought into use, and what they make of the settings.
import { UpdateError } from '@updraft/core/errors'
import type { Product } from '@updraft/core/names'
import { type Command, Option } from 'commander'
import { digestAt } from '../activation/file.ts'
import { INSTALL_KINDS, type InstallKind } from '../settings/install-kind.ts'
import { readSettings } from '../settings.ts'

export interface KindOptions {
  readonly kind?: InstallKind['kind']
  readonly path?: string
  readonly from?: string
  readonly replace?: true
  readonly command?: readonly string[]
  readonly undo?: readonly string[]
  readonly cli?: readonly string[]
}

export const withKindOptions = (command: Command): Command =>
  command
    .addOption(
      new Option('--kind <kind>', 'how versions are brought into use (default: directory)').choices(INSTALL_KINDS),
    )
    .option('--path <file>', 'kind file: where the file is to be found')
    .option('--from <file>', 'kinds file and vsix: which file of the release (default: its only one)')
    .option('--replace', 'kind file: the file that stands there now may be replaced')
    .option('--command <word...>', 'kind command: program and arguments that bring a version into use')
    .option('--undo <word...>', 'kind command: program and arguments that go back')
    .option('--cli <word...>', 'kind vsix: command line of VS Code')

/** What the options say; undefined if nothing, and then the settings stay. Errors: SETTINGS_INVALID, USAGE, PERMISSION, IO. */
export const installKindOf = async (
  product: Product,
  options: KindOptions,
  configDirectory: string,
): Promise<object | undefined> => {
  const { kind, path, from, command, undo, cli } = options
  const given = Object.entries({ path, from, command, undo, cli }).filter(([, value]) => value !== undefined)
  const { products } = await readSettings(configDirectory)
  const before = products.find(({ name }) => name === product)?.install
  if (kind === undefined && given.length === 0 && options.replace === undefined) return undefined
  // What belongs to another kind is refused where the settings are read.
  const isSameKind = kind === undefined || kind === before?.kind
  const after = { ...(isSameKind ? before : {}), ...(kind === undefined ? {} : { kind }), ...Object.fromEntries(given) }
  if (!('kind' in after) || (after.kind === 'directory' && given.length > 0)) {
    throw new UpdateError('USAGE', `--${given[0]?.[0] ?? 'replace'} is for another kind than directory`, {
      hint: 'say which one with --kind',
    })
  }
  if (options.replace === undefined) return after
  if (!('path' in after) || typeof after.path !== 'string') {
    throw new UpdateError('USAGE', '--replace is for --kind file, with --path')
  }
  const replaces = await digestAt(after.path)
  return replaces === undefined ? after : { ...after, replaces }
}
