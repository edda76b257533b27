// Takes a key that was made elsewhere, with its certificates, into the folder of the keys: PEM of any kind, or PKCS#12. It is
// encrypted anew on the way; the file that it came from stays as it is.
import { createPublicKey } from 'node:crypto'
import { basename } from 'node:path'
import { messageOf, UpdateError } from '@updraft/core/errors'
import { readFileBounded } from '@updraft/core/files/atomic'
import type { PassphraseSource } from '../passphrase.ts'
import { type Chain, chainFor, parseCertificates, writeChain } from './certificate-chain.ts'
import { type NewKey, writeKeyFile } from './key-file.ts'
import { KEY_ID_SHOWN } from './keys-directory.ts'
import { isEncryptedPem, readPrivateKey } from './pem.ts'
import { type FoundKey, type KeyBundle, readPkcs12 } from './pkcs12.ts'
import { describedKeyOf, KEY_FILE_MAX_BYTES, kindOfKey } from './public-key.ts'

export interface ImportRequest {
  readonly file: string
  readonly directory: string
  /** What the key is to be called here. */
  readonly name: string
  /** Which one, if the file has several: its name there, or the beginning of its key id. */
  readonly pick?: string | undefined
  /** False leaves the certificates where they are. */
  readonly certificates: boolean
}

export interface ImportOptions {
  /** Of the file; asked for only if it is encrypted. */
  readonly filePassphrase: PassphraseSource
  /** Of the key from now on; undefined leaves it unencrypted. */
  readonly passphrase: string | undefined
  readonly now: Date
}

export interface ImportedKey {
  readonly key: NewKey
  readonly chain: Chain
}

/**
 * Errors: KEY_INVALID (no key, several, or one that cannot sign), CERTIFICATE_INVALID, PASSPHRASE_MISSING, PASSPHRASE_WRONG,
 *         LIMIT_EXCEEDED, DISK_FULL, PERMISSION, IO. Nothing is written then.
 */
export const importKey = async (request: ImportRequest, options: ImportOptions): Promise<ImportedKey> => {
  const { file, directory, name, pick } = request
  const bundle = await readBundle(file, options.filePassphrase)
  const { privateKey } = chooseKey(bundle.keys, pick, file)
  const publicKey = createPublicKey(privateKey)
  describedKeyOf(publicKey)
  const wanted = request.certificates && bundle.certificates.length > 0
  const chain = wanted ? chainFor(publicKey, bundle.certificates, file, options.now) : []
  const key = await writeKeyFile(directory, name, privateKey, options.passphrase)
  if (chain.length > 0) await writeChain(directory, name, key, chain)
  return { key, chain }
}

const readBundle = async (file: string, passphrase: PassphraseSource): Promise<KeyBundle> => {
  const bytes = await readFileBounded(file, KEY_FILE_MAX_BYTES)
  const pem = bytes.toString('utf8')
  if (pem.includes('-----BEGIN ')) return await readPem(pem, passphrase, file)
  // Every DER file begins with a sequence.
  if (bytes[0] !== 0x30) throw new UpdateError('KEY_INVALID', `${file} is neither PEM nor PKCS#12`)
  return readPkcs12(bytes, await needed(passphrase, file), file)
}

const readPem = async (pem: string, passphrase: PassphraseSource, file: string): Promise<KeyBundle> => {
  const blocks = pem.match(/-----BEGIN ([A-Z ]*)PRIVATE KEY-----[\s\S]*?-----END \1PRIVATE KEY-----/g) ?? []
  const given = blocks.some(isEncryptedPem) ? await needed(passphrase, file) : undefined
  const keys = blocks.map((block) => {
    try {
      return { name: undefined, privateKey: readPrivateKey(block, isEncryptedPem(block) ? given : undefined) }
    } catch (error) {
      if (isEncryptedPem(block)) {
        throw new UpdateError('PASSPHRASE_WRONG', `the passphrase does not open ${file}`, { cause: error })
      }
      throw new UpdateError('KEY_INVALID', `${file} has a private key that cannot be read: ${messageOf(error)}`, {
        cause: error,
      })
    }
  })
  return { keys, certificates: parseCertificates(pem, file) }
}

const needed = async (passphrase: PassphraseSource, file: string): Promise<string> => {
  const given = await passphrase()
  if (given !== undefined) return given
  throw new UpdateError('PASSPHRASE_MISSING', `${file} is encrypted, and no passphrase was given for it`, {
    hint: 'set UPDRAFT_IMPORT_PASSPHRASE, name a file descriptor with --import-passphrase-fd, or run it on a terminal',
  })
}

const chooseKey = (keys: readonly FoundKey[], pick: string | undefined, file: string): FoundKey => {
  if (keys.length === 0) throw new UpdateError('KEY_INVALID', `${file} has no private key in it`)
  const chosen = pick === undefined ? keys : keys.filter((key) => key.name === pick || idOf(key).startsWith(pick))
  const [first, ...others] = chosen
  if (first !== undefined && others.length === 0) return first
  const list = keys.map((key) => `${idOf(key).slice(0, KEY_ID_SHOWN)} ${described(key)}`).join(', ')
  throw new UpdateError(
    'KEY_INVALID',
    pick === undefined
      ? `${basename(file)} has ${keys.length} private keys: ${list}`
      : `${JSON.stringify(pick)} names ${chosen.length} of the ${keys.length} private keys in ${basename(file)}: ${list}`,
    { hint: 'say which one with --pick and its name or the beginning of its id' },
  )
}

/** Also of a key that cannot sign here, so that the others beside it can be chosen. */
const idOf = ({ privateKey }: FoundKey): string => {
  try {
    return describedKeyOf(createPublicKey(privateKey)).keyId
  } catch {
    return 'unusable'
  }
}

const described = ({ name, privateKey }: FoundKey): string => {
  const kind = (() => {
    try {
      return kindOfKey(describedKeyOf(createPublicKey(privateKey)).publicKey)
    } catch {
      return `of kind ${privateKey.asymmetricKeyType}`
    }
  })()
  return name === undefined ? `(${kind})` : `${JSON.stringify(name)} (${kind})`
}
