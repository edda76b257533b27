// Private keys as files, one per key, in a folder that is never inside a repository. A key is in memory only between
// opening and signing, and no message says anything of it but its id.
import { createPublicKey, type KeyObject } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { UpdateError } from '@updraft/core/errors'
import { makeDirectory, readFileIfThere, writeFileAtomic } from '@updraft/core/files/atomic'
import { keyIdOf } from '@updraft/core/trust/keys'
import type { PassphraseSource } from '../passphrase.ts'
import { keyFileName, keyFiles, readFingerprints } from './keys-directory.ts'
import { isEncryptedPem, plainPrivateKey, readPrivateKey } from './pem.ts'
import { generatePrivateKey, type KeyType, signerOf } from './private-key.ts'
import { KEY_FILE_MAX_BYTES, type PublicKey, publicPemOf, tufKeyOf } from './public-key.ts'
import type { KeySource, Signer } from './signer.ts'

/** Disposing of a new key deletes its files, so that a repository that could not be made leaves no keys behind. */
export interface NewKey extends AsyncDisposable, PublicKey {
  readonly role: string
  readonly path: string
  readonly signer: Signer
}

/**
 * Makes a key and writes it, readable by its owner only; unencrypted if `passphrase` is undefined. Beside it, its public half.
 *
 * Errors: DISK_FULL, PERMISSION, IO.
 */
export const createKeyFile = async (
  directory: string,
  role: string,
  passphrase: string | undefined,
  type: KeyType = 'ed25519',
): Promise<NewKey> => writeKeyFile(directory, role, await generatePrivateKey(type), passphrase)

/** The same with a key that is there. Errors: KEY_INVALID if it cannot sign metadata; DISK_FULL, PERMISSION, IO. */
export const writeKeyFile = async (
  directory: string,
  role: string,
  privateKey: KeyObject,
  passphrase: string | undefined,
): Promise<NewKey> => {
  const signer = signerOf(privateKey)
  const { keyId, publicKey } = signer
  const path = join(directory, keyFileName(role, keyId, 'pem'))
  await makeDirectory(directory, 0o700)
  const pem = passphrase === undefined ? plainPrivateKey(privateKey) : await encrypted(privateKey, passphrase)
  await writeFileAtomic(path, pem, { mode: 0o600 })
  const publicPath = join(directory, keyFileName(role, keyId, 'pub'))
  await writeFileAtomic(publicPath, publicPemOf(publicKey))
  const remove = async () => {
    await rm(path, { force: true })
    await rm(publicPath, { force: true })
  }
  return { role, path, keyId, publicKey, signer, [Symbol.asyncDispose]: remove }
}

const encrypted = async (privateKey: KeyObject, passphrase: string): Promise<string> => {
  // Loaded only now: all who sign come by this file, and few of them make keys.
  const { encryptPrivateKey } = await import('./encrypted-pem.ts')
  return await encryptPrivateKey(privateKey, passphrase)
}

/** Keys that were made a moment ago, and are open still; `made` may grow. */
export const newKeys = (made: readonly NewKey[]): KeySource => ({
  description: 'memory',
  rootFingerprints: async () => [],
  open: async (keyId) => made.find((key) => key.keyId === keyId)?.signer,
})

/** The keys in `directory`. The passphrase is asked for once, and only if a key that is needed is encrypted. */
export const fileKeys = (directory: string, passphrase: PassphraseSource): KeySource => {
  let asked: Promise<string | undefined> | undefined
  const ask = () => (asked ??= passphrase())
  return {
    description: directory,
    rootFingerprints: () => readFingerprints(directory),
    open: async (keyId) => {
      const [name] = await keyFiles(directory, keyId, 'pem')
      const privateKey = name === undefined ? undefined : await openKeyFile(join(directory, name), ask)
      if (name === undefined || privateKey === undefined) return undefined
      const found = keyIdOf(tufKeyOf(createPublicKey(privateKey)))
      if (found !== keyId) {
        throw new UpdateError('KEY_MISSING', `${join(directory, name)} holds the key ${found}, not ${keyId}`, {
          hint: 'put the right key file back in its place',
        })
      }
      return signerOf(privateKey)
    },
  }
}

/**
 * The private key in the file, or undefined if there is no such file.
 *
 * Errors: PASSPHRASE_MISSING, PASSPHRASE_WRONG, KEY_MISSING if it is no private key; IO, PERMISSION.
 */
export const openKeyFile = async (path: string, ask: PassphraseSource): Promise<KeyObject | undefined> => {
  const file = await readFileIfThere(path, KEY_FILE_MAX_BYTES)
  if (file === undefined) return undefined
  const pem = file.toString('utf8')
  const encrypted = isEncryptedPem(pem)
  const passphrase = encrypted ? await ask() : undefined
  if (encrypted && passphrase === undefined) {
    throw new UpdateError('PASSPHRASE_MISSING', `${path} is encrypted, and no passphrase was given`, {
      hint: 'set UPDRAFT_PASSPHRASE, name a file descriptor with --passphrase-fd, or run it on a terminal',
    })
  }
  try {
    return readPrivateKey(pem, passphrase)
  } catch (error) {
    // OpenSSL's error is the cause; its text names neither the passphrase nor the key.
    if (!encrypted) throw new UpdateError('KEY_MISSING', `${path} is not a private key in PEM`, { cause: error })
    throw new UpdateError('PASSPHRASE_WRONG', `the passphrase does not open ${path}`, {
      cause: error,
      hint: 'if the passphrase is right, the file is damaged: take it from a backup',
    })
  }
}
