// The folder that holds the keys of a repository: where it is, what the files in it are called, and which repositories it
// belongs to.
import { readdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fromFileSystem, systemCodeOf, UpdateError } from '@updraft/core/errors'
import { readFileIfThere, writeFileAtomic } from '@updraft/core/files/atomic'
import { isInside } from '../repository/layout.ts'

/**
 * What may be there of a key: the key itself, its public half, its certificate chain, or the command that signs with it; of an
 * authority also what it has issued, and its revocation list.
 */
export const KEY_FILE_KINDS = ['pem', 'pub', 'crt', 'command.json', 'issued.json', 'crl'] as const
export type KeyFileKind = (typeof KEY_FILE_KINDS)[number]

/** `root-3f9a01c4.pem`: the role or its holder, for people, and enough of the key id to tell keys apart. */
export const keyFileName = (name: string, keyId: string, kind: KeyFileKind): string =>
  `${name}-${keyId.slice(0, KEY_ID_SHOWN)}.${kind}`

/** Characters of a key id that names and messages show. */
export const KEY_ID_SHOWN = 8

export interface NamedKeyFile {
  readonly file: string
  readonly name: string
  /** The beginning of the key id. */
  readonly shortId: string
  readonly kind: KeyFileKind
}

/** The files in `directory` that belong to keys, by name; none if there is no such folder. Errors: PERMISSION, IO. */
export const listKeyFiles = async (directory: string): Promise<readonly NamedKeyFile[]> => {
  const files = await readdir(directory).catch((error: unknown) => {
    if (systemCodeOf(error) === 'ENOENT') return []
    throw fromFileSystem(error, `cannot look into ${directory}`)
  })
  return files.sort().flatMap((file) => {
    const [, name, shortId, kind] =
      /^(.+)-([0-9a-f]{8})\.(pem|pub|crt|command\.json|issued\.json|crl)$/.exec(file) ?? []
    return name === undefined || shortId === undefined ? [] : [{ file, name, shortId, kind: kind as KeyFileKind }]
  })
}

/** Names of the files of one kind that belong to this key, whatever name they begin with. */
export const keyFiles = async (directory: string, keyId: string, kind: KeyFileKind): Promise<readonly string[]> =>
  (await listKeyFiles(directory))
    .filter((file) => file.kind === kind && keyId.startsWith(file.shortId))
    .map((it) => it.file)

/** Errors: USAGE. */
export const parseKeyName = (value: string): string => {
  if (/^[a-z0-9][a-z0-9-]{0,63}$/.test(value)) return value
  throw new UpdateError('USAGE', `${JSON.stringify(value)} cannot be the name of a key`, {
    hint: 'use up to 64 of a-z, 0-9 and -, such as the role or the person that signs with it',
  })
}

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
