// The keys of a folder as people list and name them. Reads public halves only: no passphrase is needed to look.
import { createPublicKey } from 'node:crypto'
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { UpdateError } from '@updraft/core/errors'
import { readFileIfThere } from '@updraft/core/files/atomic'
import { type Chain, readChain } from './certificate-chain.ts'
import { listKeyFiles, type NamedKeyFile } from './keys-directory.ts'
import { isEncryptedPem } from './pem.ts'
import { describedKeyOf, KEY_FILE_MAX_BYTES, type PublicKey } from './public-key.ts'

export type Held = 'encrypted' | 'plain' | 'command' | 'public'

export interface FolderKey {
  readonly name: string
  /** The whole id, or its beginning where the public half is not there. */
  readonly keyId: string
  /** Undefined for an encrypted key from before public halves were written beside keys. */
  readonly publicKey: PublicKey | undefined
  /** How the private half is held; `public` if it is not here. */
  readonly held: Held
  /** Others can read the private half. */
  readonly exposed: boolean
  readonly chain: Chain
}

/** Every key of which the folder has anything, by name. Errors: KEY_INVALID, CERTIFICATE_INVALID, PERMISSION, IO. */
export const listKeys = async (directory: string): Promise<readonly FolderKey[]> => {
  const files = await listKeyFiles(directory)
  const groups = Map.groupBy(files, ({ name, shortId }) => `${name}-${shortId}`)
  return await Promise.all([...groups.values()].map((group) => folderKeyOf(directory, group)))
}

/**
 * The key that `wanted` names: by its name, or by the beginning of its id.
 *
 * Errors: KEY_MISSING if there is none, KEY_INVALID if there are several, or its public half is not there.
 */
export const findKey = async (directory: string, wanted: string): Promise<FolderKey & { publicKey: PublicKey }> => {
  const keys = await listKeys(directory)
  const found = keys.filter(
    ({ name, keyId }) => name === wanted || keyId.startsWith(wanted) || wanted.startsWith(keyId),
  )
  const [key, ...others] = found
  if (key === undefined || others.length > 0) {
    const list = (found.length > 0 ? found : keys).map(({ name, keyId }) => `${name} ${keyId.slice(0, 8)}`).join(', ')
    throw new UpdateError(
      key === undefined ? 'KEY_MISSING' : 'KEY_INVALID',
      `${JSON.stringify(wanted)} names ${found.length === 0 ? 'no key' : `${found.length} keys`} in ${directory}`,
      { hint: list === '' ? 'the folder has no keys' : `there is ${list}` },
    )
  }
  const { publicKey } = key
  if (publicKey !== undefined) return { ...key, publicKey }
  throw new UpdateError('KEY_INVALID', `the public half of ${key.name} is not in ${directory}`, {
    hint: 'it is written by: updraft-publisher keys export NAME --public --out FILE',
  })
}

const folderKeyOf = async (directory: string, files: readonly NamedKeyFile[]): Promise<FolderKey> => {
  const has = (kind: string) => files.find((file) => file.kind === kind)
  const [first] = files
  const { name = '', shortId = '' } = first ?? {}
  const pem = await textOf(directory, has('pem'))
  const publicKey = await publicKeyOf(directory, has('pub'), pem)
  return {
    name,
    keyId: publicKey?.keyId ?? shortId,
    publicKey,
    held:
      pem === undefined
        ? has('command.json') === undefined
          ? 'public'
          : 'command'
        : isEncryptedPem(pem)
          ? 'encrypted'
          : 'plain',
    exposed: await isExposed(directory, has('pem')),
    chain: (await readChain(directory, publicKey?.keyId ?? shortId)) ?? [],
  }
}

const publicKeyOf = async (
  directory: string,
  file: NamedKeyFile | undefined,
  privatePem: string | undefined,
): Promise<PublicKey | undefined> => {
  const pem =
    (await textOf(directory, file)) ?? (privatePem === undefined || isEncryptedPem(privatePem) ? undefined : privatePem)
  if (pem === undefined) return undefined
  try {
    return describedKeyOf(createPublicKey(pem))
  } catch {
    return undefined // Listed by its name only; whoever wants to use it learns why it cannot be.
  }
}

const textOf = async (directory: string, file: NamedKeyFile | undefined): Promise<string | undefined> =>
  file === undefined
    ? undefined
    : (await readFileIfThere(join(directory, file.file), KEY_FILE_MAX_BYTES))?.toString('utf8')

const isExposed = async (directory: string, file: NamedKeyFile | undefined): Promise<boolean> =>
  file !== undefined && process.platform !== 'win32' && ((await lstat(join(directory, file.file))).mode & 0o077) !== 0
