// Private keys as files, one per key, in a folder that is never inside a repository. A key is in memory only between
// opening and signing, and no message says anything of it but its id.
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { UpdateError } from '@updraft/core/errors'
import { makeDirectory, readFileIfThere, writeFileAtomic } from '@updraft/core/files/atomic'
import { keyIdOf } from '@updraft/core/trust/keys'
import type { TufKey } from '@updraft/core/trust/metadata'
import type { PassphraseSource } from '../passphrase.ts'
import { encryptPrivateKey, isEncryptedPem, plainPrivateKey, readPrivateKey } from './encrypted-pem.ts'
import { readFingerprints } from './keys-directory.ts'
import { tufKeyOf } from './public-key.ts'
import type { KeySource, Signer } from './signer.ts'

/** An RSA key of 16,384 bits has 13 KB in PEM. */
const KEY_FILE_MAX_BYTES = 64 * 1024

/** Disposing of a new key deletes its file, so that a repository that could not be made leaves no keys behind. */
export interface NewKey extends AsyncDisposable {
  readonly role: string
  readonly path: string
  readonly keyId: string
  readonly publicKey: TufKey
  readonly signer: Signer
}

/** `root-3f9a01c4.pem`: the role, for people, and enough of the key id to tell keys apart. */
export const keyFileName = (role: string, keyId: string): string => `${role}-${keyId.slice(0, 8)}.pem`

/**
 * Makes an Ed25519 key for `role` and writes it, readable by its owner only; unencrypted if `passphrase` is undefined.
 *
 * Errors: DISK_FULL, PERMISSION, IO.
 */
export const createKeyFile = async (
  directory: string,
  role: string,
  passphrase: string | undefined,
): Promise<NewKey> => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const tufKey = tufKeyOf(publicKey)
  const keyId = keyIdOf(tufKey)
  const path = join(directory, keyFileName(role, keyId))
  await makeDirectory(directory, 0o700)
  const pem = passphrase === undefined ? plainPrivateKey(privateKey) : await encryptPrivateKey(privateKey, passphrase)
  await writeFileAtomic(path, pem, { mode: 0o600 })
  return {
    role,
    path,
    keyId,
    publicKey: tufKey,
    signer: signerOf(keyId, privateKey),
    [Symbol.asyncDispose]: () => rm(path, { force: true }),
  }
}

/** The keys in `directory`. The passphrase is asked for once, and only if a key that is needed is encrypted. */
export const fileKeys = (directory: string, passphrase: PassphraseSource): KeySource => {
  let asked: Promise<string | undefined> | undefined
  const ask = () => (asked ??= passphrase())
  return {
    description: directory,
    rootFingerprints: () => readFingerprints(directory),
    open: async (role, keyId) => {
      const path = join(directory, keyFileName(role, keyId))
      const file = await readFileIfThere(path, KEY_FILE_MAX_BYTES)
      if (file === undefined) return undefined
      const privateKey = await openPem(path, file.toString('utf8'), ask)
      const found = keyIdOf(tufKeyOf(createPublicKey(privateKey)))
      if (found !== keyId) {
        throw new UpdateError('KEY_MISSING', `${path} holds the key ${found}, not ${keyId}`, {
          hint: 'put the right key file back in its place',
        })
      }
      return signerOf(keyId, privateKey)
    },
  }
}

const openPem = async (path: string, pem: string, ask: PassphraseSource): Promise<KeyObject> => {
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

const signerOf = (keyId: string, privateKey: KeyObject): Signer => ({
  keyId,
  // Ed25519 hashes by itself, hence no digest. Source: RFC 8032.
  sign: async (bytes) => sign(null, bytes, privateKey).toString('hex'),
})
