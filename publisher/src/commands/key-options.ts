// The options by which every command that signs finds its keys.
import { resolve } from 'node:path'
import { UpdateError } from '@updraft/core/errors'
import { type Command, Option } from 'commander'
import type { Context } from '../context.ts'
import { commandKeys } from '../keys/command-key.ts'
import { fileKeys } from '../keys/key-file.ts'
import { keysDirectoryOf } from '../keys/keys-directory.ts'
import { KEY_TYPES, type KeyType } from '../keys/private-key.ts'
import { firstHolder, type KeySource } from '../keys/signer.ts'
import { existingPassphrase, givenPassphrase, newPassphrase, type PassphraseOptions } from '../passphrase.ts'

export interface KeyOptions {
  readonly keys?: string
  readonly passphraseFd?: number
}

export interface FolderOptions extends KeyOptions {
  readonly repo?: string
}

export interface FoundKeys {
  readonly directory: string
  readonly source: KeySource
  /** For keys that are made meanwhile. */
  readonly passphrase: PassphraseOptions
}

export const addKeyOptions = (command: Command): Command =>
  addPassphraseOption(
    command.option(
      '--keys <dir>',
      'folder of the signing keys (or UPDRAFT_KEYS; default: DIR.keys beside the repository)',
    ),
  )

/** For commands that need a folder of keys, and no repository. */
export const addFolderOptions = (command: Command): Command =>
  addPassphraseOption(
    command
      .option('--keys <dir>', 'folder of the keys (or UPDRAFT_KEYS)')
      .option('--repo <dir>', 'the repository whose keys are meant: those in DIR.keys'),
  )

const addPassphraseOption = (command: Command): Command =>
  command.option(
    '--passphrase-fd <n>',
    'read the passphrase of the keys from this file descriptor (or UPDRAFT_PASSPHRASE; default: ask)',
    parseFileDescriptor,
  )

/** For commands that make keys; see NewKeyOptions. */
export const addNewKeyOptions = (command: Command, what: string): Command =>
  command
    .addOption(keyTypeOption(`the kind of ${what}`))
    .option('--no-passphrase', `leave ${what} unencrypted in its file`)

export interface NewKeyOptions {
  readonly type: KeyType
  /** False with --no-passphrase. */
  readonly passphrase: boolean
}

/** How new keys are kept: asks for a passphrase unless they shall have none. Errors: PASSPHRASE_MISSING, PASSPHRASE_WRONG, ABORTED. */
export const keepNewKeys = async (
  { type, passphrase }: NewKeyOptions,
  { passphrase: given }: Pick<FoundKeys, 'passphrase'>,
): Promise<{ readonly type: KeyType; readonly passphrase: string | undefined }> => ({
  type,
  passphrase: passphrase ? await newPassphrase(given) : undefined,
})

export const keyTypeOption = (what: string): Option =>
  new Option('--type <type>', what).choices(KEY_TYPES).default('ed25519')

/** Errors: USAGE if the keys would be inside the repository, or the file descriptor cannot be read. */
export const keysFor = (repository: string, options: KeyOptions, context: Context): FoundKeys =>
  keysIn(keysDirectoryOf(repository, options.keys, context.environment), options, context)

/** Errors: USAGE also if nothing says which folder is meant. */
export const keysInFolder = (options: FolderOptions, context: Context): FoundKeys => {
  if (options.repo !== undefined) return keysFor(options.repo, options, context)
  const directory = options.keys ?? context.environment.UPDRAFT_KEYS
  if (directory !== undefined) return keysIn(resolve(directory), options, context)
  throw new UpdateError('USAGE', 'it is not clear which keys are meant', {
    hint: 'name their folder with --keys or UPDRAFT_KEYS, or the repository with --repo',
  })
}

const keysIn = (directory: string, options: KeyOptions, context: Context): FoundKeys => {
  const { environment, terminal, signal } = context
  const passphrase = { given: givenPassphrase(options.passphraseFd, environment), terminal }
  const source = firstHolder(
    fileKeys(directory, existingPassphrase(passphrase)),
    commandKeys(directory, { environment, signal }),
  )
  return { directory, source, passphrase }
}

export const parseFileDescriptor = (value: string): number => {
  if (!/^\d{1,6}$/.test(value)) {
    throw new UpdateError('USAGE', `--passphrase-fd ${JSON.stringify(value)} is not a file descriptor`, {
      hint: 'give its number, as in: --passphrase-fd 3 3< FILE',
    })
  }
  return Number(value)
}
