// The options by which commands say who holds the keys of a product, here or in a ceremony.
import { UpdateError } from '@updraft/core/errors'
import { readFileBounded } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { parseProduct, URGENT_ROLE } from '@updraft/core/names'
import type { Command } from 'commander'
import { parseCertificates } from '../keys/certificate-chain.ts'
import { KEY_FILE_MAX_BYTES } from '../keys/public-key.ts'
import type { Repository } from '../repository.ts'
import { identityChange } from '../sign/identities.ts'
import type { Change } from '../sign.ts'

export interface IdentityOptions {
  readonly certificate?: readonly string[]
  readonly revocationList?: readonly string[]
  readonly remove?: true
}

export const addIdentityOptions = (command: Command): Command =>
  command
    .option('--certificate <file...>', 'chains in PEM, each for one key of the product: its own certificate first')
    .option('--revocation-list <file...>', 'revocation lists of the authorities in those chains, PEM or DER')
    .option('--remove', 'say no longer who holds the keys')

/** The change as a function of the repository, with the files read. Errors: USAGE, CERTIFICATE_INVALID, PERMISSION, IO. */
export const identityFrom = async (
  product: string,
  { certificate = [], revocationList = [], remove }: IdentityOptions,
  now: Date,
): Promise<(repository: Repository) => Change> => {
  if (certificate.length + revocationList.length === 0 && !remove) {
    throw new UpdateError('USAGE', 'nothing was said about the identity', {
      hint: 'name files with --certificate, or say --remove',
    })
  }
  const name = product === URGENT_ROLE ? product : parseProduct(product)
  const request = {
    chains: await Promise.all(
      certificate.map(async (file) => {
        const pem = (await readFileBounded(file, KEY_FILE_MAX_BYTES)).toString('utf8')
        return { file, certificates: parseCertificates(pem, file) }
      }),
    ),
    revocationLists: await Promise.all(revocationList.map(readRevocationList)),
    remove: remove === true,
  }
  return (repository) => identityChange(repository, name, request, now)
}

/** Only told from other files by its frame: node:crypto reads no revocation lists, and agents judge them. */
const readRevocationList = async (file: string): Promise<Buffer> => {
  const bytes = await readFileBounded(file, 2 * LIMITS.revocationListLengthBytes)
  const [, base64] = /-----BEGIN X509 CRL-----([\s\S]*?)-----END X509 CRL-----/.exec(bytes.toString('latin1')) ?? []
  const der = base64 === undefined ? bytes : Buffer.from(base64, 'base64')
  if (der[0] === 0x30) return der
  throw new UpdateError('CERTIFICATE_INVALID', `${file} is not a revocation list`)
}
