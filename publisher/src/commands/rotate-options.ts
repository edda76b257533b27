// The options by which commands say how the keys of a role change, here or in a ceremony.
import { UpdateError } from '@updraft/core/errors'
import { type Command, InvalidArgumentError } from 'commander'
import { readPublicKey } from '../keys/public-key.ts'
import type { Repository } from '../repository.ts'
import { type Rotated, type RotateRequest, rotation } from '../rotate.ts'
import type { RoleEdit } from '../sign/role-keys.ts'

export interface EditOptions {
  readonly addKey?: readonly string[]
  readonly removeKey?: readonly string[]
  readonly removeAll?: true
  readonly threshold?: number
}

export const addEditOptions = (command: Command): Command =>
  command
    .option(
      '--add-key <file...>',
      'public keys that may sign from now on: PEM, as keys generate and keys export write it',
    )
    .option('--remove-key <id...>', 'keys that may not sign any more: the beginning of their ids')
    .option('--remove-all', 'all keys that the role has now may not sign any more, unless they are added again')
    .option('--threshold <n>', 'how many of the keys have to sign', parsePeople)

/** The edits as a function of the repository, with the key files read. */
export const editsOf = async (
  role: string,
  options: EditOptions,
): Promise<(repository: Repository) => readonly RoleEdit[]> => {
  if (options.removeAll && options.removeKey !== undefined) {
    throw new UpdateError('USAGE', 'say either --remove-all or --remove-key')
  }
  const request: RotateRequest = {
    role,
    add: await readPublicKeys(options.addKey),
    remove: options.removeAll ? 'all' : (options.removeKey ?? []),
    threshold: options.threshold,
  }
  return (repository) => rotation(repository, request)
}

export const readPublicKeys = (files: readonly string[] = []) => Promise.all(files.map(readPublicKey))

/** How many keys a role has, or how many of them have to sign: more people than this never meet. */
export const PEOPLE_MAX = 16

export const parsePeople = (value: string): number => {
  const count = /^\d{1,2}$/.test(value) ? Number(value) : 0
  if (count >= 1 && count <= PEOPLE_MAX) return count
  throw new InvalidArgumentError(`It has to be a number from 1 to ${PEOPLE_MAX}.`)
}

export const describeRotated = ({ roles, made, metadataVersions }: Rotated): string => {
  const short = (ids: readonly string[]) => ids.map((id) => id.slice(0, 8)).join(', ')
  return [
    ...roles.map(
      ({ role, keyIds, removed, threshold }) =>
        `${role}: ${threshold} of ${short(keyIds)} sign${removed.length === 0 ? '' : `; ${short(removed)} no longer do`}`,
    ),
    ...made.map(({ role, path }) => `  made ${path} for ${role}`),
    `  metadata         ${Object.entries(metadataVersions)
      .map(([role, version]) => `${role} ${version}`)
      .join(', ')}`,
  ].join('\n')
}
