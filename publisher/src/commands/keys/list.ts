// `keys list`: what is in a folder of keys, and which roles of a repository it signs for.
import { nameOf } from '@updraft/core/trust/certificates'
import type { Command } from 'commander'
import type { Context } from '../../context.ts'
import { type FolderKey, type Held, listKeys } from '../../keys/key-folder.ts'
import { kindOfKey } from '../../keys/public-key.ts'
import { openRepository, type RoleState } from '../../repository.ts'
import { addFolderOptions, type FolderOptions, keysInFolder } from '../key-options.ts'

interface ListOptions extends FolderOptions {
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-publisher keys list --repo r
  $ updraft-publisher keys list --keys ~/updraft-keys --json

Needs no passphrase. With --repo it also says which roles each key signs for, and which keys of the repository are not here.`

export const addListCommand = (keys: Command, context: Context): void => {
  const command = keys
    .command('list')
    .description('what keys there are, how they are held, and what they sign')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
  addFolderOptions(command).action(async (options: ListOptions) => {
    const { directory } = keysInFolder(options, context)
    const roles = options.repo === undefined ? [] : (await openRepository(options.repo)).roles
    const listed = (await listKeys(directory)).map((key) => summaryOf(key, roles))
    const known = new Set(listed.map(({ keyId }) => keyId))
    const absent = roles.flatMap(({ role, keyIds }) =>
      keyIds.filter((keyId) => ![...known].some((id) => keyId.startsWith(id))).map((keyId) => ({ role, keyId })),
    )
    context.print(
      options.json ? JSON.stringify({ directory, keys: listed, absent }) : describe(directory, listed, absent),
    )
  })
}

interface Summary {
  readonly name: string
  readonly keyId: string
  readonly kind: string
  readonly held: Held
  readonly exposed: boolean
  readonly roles: readonly string[]
  readonly certificate?: { readonly name: string; readonly expires: string }
}

const summaryOf = (
  { name, keyId, publicKey, held, exposed, chain: [leaf] }: FolderKey,
  roles: readonly RoleState[],
): Summary => ({
  name,
  keyId,
  kind: publicKey === undefined ? 'unknown' : kindOfKey(publicKey.publicKey),
  held,
  exposed,
  roles: roles.filter(({ keyIds }) => keyIds.some((id) => id.startsWith(keyId))).map(({ role }) => role),
  ...(leaf === undefined ? {} : { certificate: { name: nameOf(leaf), expires: leaf.validToDate.toISOString() } }),
})

const HELD: Readonly<Record<Held, string>> = {
  encrypted: 'encrypted',
  plain: 'NOT encrypted',
  command: 'behind a command',
  public: 'public half only',
}

const describe = (
  directory: string,
  keys: readonly Summary[],
  absent: readonly { readonly role: string; readonly keyId: string }[],
): string =>
  [
    `${directory}: ${keys.length === 0 ? 'no keys' : ''}`.trimEnd(),
    ...keys.map(({ name, keyId, kind, held, exposed, roles, certificate }) =>
      [
        `  ${keyId.slice(0, 8)}  ${name.padEnd(16)} ${kind.padEnd(12)} ${HELD[held]}`,
        ...(exposed ? ['READABLE BY OTHERS'] : []),
        ...(roles.length === 0 ? [] : [`signs ${roles.join(', ')}`]),
        ...(certificate === undefined ? [] : [`certificate of ${certificate.name} until ${certificate.expires}`]),
      ].join('; '),
    ),
    ...absent.map(({ role, keyId }) => `  ${keyId.slice(0, 8)}  not here; signs ${role}`),
  ].join('\n')
