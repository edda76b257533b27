// The options by which every command that signs finds its keys.
import { UpdateError } from '@updraft/core/errors'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import { fileKeys } from '../keys/key-file.ts'
import { keysDirectoryOf } from '../keys/keys-directory.ts'
import type { KeySource } from '../keys/signer.ts'
import { existingPassphrase, givenPassphrase, type PassphraseOptions } from '../passphrase.ts'

export interface KeyOptions {
  readonly keys?: string
  readonly passphraseFd?: number
}

export interface FoundKeys {
  readonly directory: string
  readonly source: KeySource
  /** For keys that are made meanwhile. */
  readonly passphrase: PassphraseOptions
}

export const addKeyOptions = (command: Command): Command =>
  command
    .option('--keys <dir>', 'folder of the signing keys (or UPDRAFT_KEYS; default: DIR.keys beside the repository)')
    .option(
      '--passphrase-fd <n>',
      'read the passphrase of the keys from this file descriptor (or UPDRAFT_PASSPHRASE; default: ask)',
      parseFileDescriptor,
    )

/** Errors: USAGE if the keys would be inside the repository, or the file descriptor cannot be read. */
export const keysFor = (repository: string, options: KeyOptions, context: Context): FoundKeys => {
  const directory = keysDirectoryOf(repository, options.keys, context.environment)
  const given = givenPassphrase(options.passphraseFd, context.environment)
  const passphrase = { given, terminal: context.terminal }
  return { directory, source: fileKeys(directory, existingPassphrase(passphrase)), passphrase }
}

const parseFileDescriptor = (value: string): number => {
  if (!/^\d{1,6}$/.test(value)) {
    throw new UpdateError('USAGE', `--passphrase-fd ${JSON.stringify(value)} is not a file descriptor`, {
      hint: 'give its number, as in: --passphrase-fd 3 3< FILE',
    })
  }
  return Number(value)
}
