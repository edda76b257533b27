// The certificates of the authorities that the machine's owner trusts to say who holds a product's keys: PEM files that the
// settings name. Read anew for every look, so that a file that was exchanged counts at once.
import { X509Certificate } from 'node:crypto'
import { fromFileSystem, UpdateError } from '@updraft/core/errors'
import { readFileBounded } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** Errors: SETTINGS_INVALID if there is no certificate in a file, or one that cannot be read; LIMIT_EXCEEDED, PERMISSION, IO. */
export const readAuthorities = async (paths: readonly string[]): Promise<readonly X509Certificate[]> =>
  (await Promise.all(paths.map(readAuthority))).flat()

const readAuthority = async (path: string): Promise<readonly X509Certificate[]> => {
  let text: string
  try {
    text = (await readFileBounded(path, LIMITS.authorityFileBytes)).toString('latin1')
  } catch (error) {
    throw fromFileSystem(error, `the authority ${path} cannot be read`)
  }
  const blocks = text.match(CERTIFICATE)
  if (blocks === null) throw invalid(path, 'there is no certificate in it')
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch (error) {
    throw invalid(path, 'a certificate in it cannot be read', error)
  }
}

const invalid = (path: string, why: string, cause?: unknown): UpdateError =>
  new UpdateError('SETTINGS_INVALID', `the authority ${path} is of no use: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'put the PEM file of the authority there, or take it out of the settings',
  })
