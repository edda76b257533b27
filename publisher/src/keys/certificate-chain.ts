// The certificate chain of a key, in a file beside it: read, put into order, checked before it is kept. Issues nothing.
import { type KeyObject, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import { messageOf, UpdateError } from '@updraft/core/errors'
import { readFileIfThere, writeFileAtomic } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { chainFault, nameOf } from '@updraft/core/trust/certificates'
import { publicKeyOf } from '@updraft/core/trust/keys'
import { keyFileName, keyFiles } from './keys-directory.ts'
import { KEY_FILE_MAX_BYTES, type PublicKey } from './public-key.ts'

export type Chain = readonly X509Certificate[]

/**
 * The certificates of `pem`, in its order.
 *
 * Errors: CERTIFICATE_INVALID for one that cannot be read.
 */
export const parseCertificates = (pem: string, file: string): Chain =>
  (pem.match(/-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----[\s\S]*?-----END [^-]*CERTIFICATE-----/g) ?? []).map(
    (block) => {
      try {
        return new X509Certificate(block)
      } catch (error) {
        throw invalid(`${file} has a certificate that cannot be read: ${messageOf(error)}`, error)
      }
    },
  )

/**
 * Of `certificates` those that name the holder of `key`: its own first, then who issued each, as far as they are there.
 *
 * Errors: CERTIFICATE_INVALID if none is for this key, or one of the chain is not good at `now`.
 */
export const chainFor = (key: KeyObject, certificates: Chain, file: string, now: Date): Chain => {
  const leaf = certificates.find(({ publicKey }) => publicKey.equals(key))
  if (leaf === undefined) {
    const names = certificates.map(nameOf).join(', ')
    throw invalid(`${file} has no certificate for this key; it has ${names === '' ? 'none at all' : names}`)
  }
  const chain = [leaf]
  for (let last = leaf; chain.length < LIMITS.certificateChainMax; ) {
    const issuer = certificates.find((other) => !chain.includes(other) && last.checkIssued(other))
    if (issuer === undefined) break
    chain.push(issuer)
    last = issuer
  }
  assertChain(chain, key, file, now)
  return chain
}

/** Errors: CERTIFICATE_INVALID. */
export const assertChain = (chain: Chain, key: KeyObject, file: string, now: Date): void => {
  const fault = chainFault(chain, key, now)
  if (fault === undefined) return
  throw invalid(`${file} cannot be used: ${fault}`, undefined, {
    hint: `this machine's clock says ${now.toISOString()}; if that is right, have the certificate issued anew`,
  })
}

/** The chain that is kept for a key, or undefined. Not checked: it may have expired since. */
export const readChain = async (directory: string, keyId: string): Promise<Chain | undefined> => {
  const [name] = await keyFiles(directory, keyId, 'crt')
  const bytes = name === undefined ? undefined : await readFileIfThere(join(directory, name), KEY_FILE_MAX_BYTES)
  return bytes === undefined || name === undefined ? undefined : parseCertificates(bytes.toString('utf8'), name)
}

export const writeChain = async (
  directory: string,
  name: string,
  { keyId }: PublicKey,
  chain: Chain,
): Promise<string> => {
  const path = join(directory, keyFileName(name, keyId, 'crt'))
  await writeFileAtomic(path, chain.map((certificate) => certificate.toString()).join(''))
  return path
}

export const keyOfPublic = ({ publicKey }: PublicKey): KeyObject => publicKeyOf(publicKey)

const invalid = (message: string, cause?: unknown, options: { readonly hint?: string } = {}): UpdateError =>
  new UpdateError('CERTIFICATE_INVALID', message, { ...(cause === undefined ? {} : { cause }), ...options })
