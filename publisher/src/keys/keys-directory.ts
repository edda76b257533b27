// The folder that holds the keys of a repository: where it is, and which repositories it belongs to.
import { rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { UpdateError } from '@updraft/core/errors'
import { readFileIfThere, writeFileAtomic } from '@updraft/core/files/atomic'
import { isInside } from '../repository/layout.ts'

/** Fingerprints of first roots, one a line. Public, but it must not change behind the signer's back. */
const FINGERPRINTS_FILE = 'root.fingerprints'
const FINGERPRINTS_MAX_BYTES = 64 * 1024

/**
 * `given` (an option), else `UPDRAFT_KEYS`, else `<repository>.keys`. Absolute.
 *
 * Errors: USAGE if it is inside the repository, because everything in there may be served.
 */
export const keysDirectoryOf = (
  repository: string,
  given: string | undefined,
  environment: { readonly UPDRAFT_KEYS?: string | undefined },
): string => {
  const directory = resolve(given ?? environment.UPDRAFT_KEYS ?? `${resolve(repository)}.keys`)
  if (isInside(directory, resolve(repository))) {
    throw new UpdateError('USAGE', `the keys would be inside the repository: ${directory}`, {
      hint: 'everything in a repository may be served to anyone; name a folder outside of it with --keys',
    })
  }
  return directory
}

/** Fingerprints of the first roots that keys in `directory` were made for. */
export const readFingerprints = async (directory: string): Promise<readonly string[]> => {
  const file = await readFileIfThere(join(directory, FINGERPRINTS_FILE), FINGERPRINTS_MAX_BYTES)
  return file === undefined
    ? []
    : file
        .toString('utf8')
        .split(/\s+/)
        .filter((line) => line !== '')
}

/** Notes one more. Disposing of the result takes the note back. */
export const noteFingerprint = async (directory: string, fingerprint: string): Promise<AsyncDisposable> => {
  const path = join(directory, FINGERPRINTS_FILE)
  const before = await readFingerprints(directory)
  const write = (lines: readonly string[]) => writeFileAtomic(path, lines.map((line) => `${line}\n`).join(''))
  await write([...before, fingerprint])
  return { [Symbol.asyncDispose]: () => (before.length === 0 ? rm(path, { force: true }) : write(before)) }
}
