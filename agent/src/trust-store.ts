// The pinned roots of this machine: for each source one folder with the root as its owner gave it, and how. Outside every
// cache, written only by `trust`. Nothing here talks to a network or decides whether a root deserves trust.
import { createHash } from 'node:crypto'
import { lstat, readdir, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Home } from '@updraft/core/control/home'
import { fromFileSystem, messageOf, systemCodeOf, UpdateError } from '@updraft/core/errors'
import { makeDirectory, readFileIfThere, renameDurably, writeFileAtomic } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { type Metadata, parseMetadata, type SignedRoot } from '@updraft/core/trust/metadata'
import { assertMetadataPolicy } from '@updraft/core/trust/policy'
import { isSignedBy } from '@updraft/core/trust/signatures'
import * as z from 'zod'

/** How the owner came to trust the root, from the weakest to the strongest. */
export const PIN_METHODS = ['first-use', 'fingerprint', 'file'] as const
export type PinMethod = (typeof PIN_METHODS)[number]

export interface Pin {
  /** Base URLs of the repository and its mirrors, in the order in which they are asked. Each ends with a slash. */
  readonly urls: readonly [string, ...string[]]
  readonly pinnedBy: PinMethod
  /** `sha256:<hex>` of the exact bytes of `root.json`. */
  readonly fingerprint: string
  /** ISO 8601 in UTC. */
  readonly addedAt: string
}

export interface TrustedSource {
  readonly name: string
  readonly urls: Pin['urls']
  readonly rootBytes: Buffer
  readonly pin: Pin
}

export interface NewPin {
  readonly name: string
  readonly url: string
  readonly rootBytes: Buffer
  readonly pinnedBy: PinMethod
  readonly addedAt: Date
}

export const fingerprintOf = (rootBytes: Uint8Array): string =>
  `sha256:${createHash('sha256').update(rootBytes).digest('hex')}`

/**
 * Pins a root for a source. The same root again adds the URL as a mirror, and remembers the stronger way of trusting it.
 *
 * Shape:  `state/trust/<name>/{root.json,pin.json}`, mode 0600 in folders of mode 0700.
 * Errors: TRUST_CONFLICT if another root is pinned under this name; ROOT_UNKNOWN or METADATA_POLICY if it is no usable
 *         root; STATE_DAMAGED; DISK_FULL, PERMISSION, IO.
 */
export const pinRoot = async (stateDirectory: string, pin: NewPin): Promise<TrustedSource> => {
  const name = parseSourceName(pin.name)
  const url = parseSourceUrl(pin.url)
  assertRoot(pin.rootBytes)
  const fingerprint = fingerprintOf(pin.rootBytes)
  const known = await readIfThere(stateDirectory, name)
  if (known !== undefined && known.pin.fingerprint !== fingerprint) {
    throw new UpdateError(
      'TRUST_CONFLICT',
      `${name} is pinned to the root ${known.pin.fingerprint}; the new one is ${fingerprint}`,
      {
        hint: `if the change is intended, run: updraft-agent trust remove ${name}; or give the new one another --name`,
      },
    )
  }
  const [first, ...rest] = known?.pin.urls ?? [url]
  const urls: Pin['urls'] = [first, ...new Set([...rest, ...(url === first ? [] : [url])])]
  const pinnedBy = strongest(pin.pinnedBy, known?.pin.pinnedBy)
  const addedAt = known?.pin.addedAt ?? pin.addedAt.toISOString()
  const stored: Pin = { urls, pinnedBy, fingerprint, addedAt }
  await write(stateDirectory, name, pin.rootBytes, stored)
  return { name, urls, rootBytes: pin.rootBytes, pin: stored }
}

/** Errors: ROOT_UNKNOWN if no root is pinned under this name; STATE_DAMAGED; PERMISSION, IO. */
export const readTrustedSource = async (stateDirectory: string, name: string): Promise<TrustedSource> => {
  const source = await readIfThere(stateDirectory, parseSourceName(name))
  if (source !== undefined) return source
  throw new UpdateError('ROOT_UNKNOWN', `no root is pinned for the source ${name}`, {
    hint: `run: updraft-agent trust add URL --root FILE --name ${name} (or --fingerprint, or --on-first-use)`,
  })
}

/** Every source that has a pinned root, by name. Errors: STATE_DAMAGED, PERMISSION, IO. */
export const readTrustedSources = async (stateDirectory: string): Promise<readonly TrustedSource[]> => {
  const sources: TrustedSource[] = []
  for (const name of (await namesIn(directoryOf(stateDirectory))).toSorted()) {
    const source = SOURCE_NAME.test(name) ? await readIfThere(stateDirectory, name) : undefined
    if (source !== undefined) sources.push(source)
  }
  return sources
}

/** What the status shows of each source without asking it. Errors: STATE_DAMAGED, PERMISSION, IO. */
export const describeSources = async ({ stateDirectory }: Pick<Home, 'stateDirectory'>) =>
  (await readTrustedSources(stateDirectory)).map(({ name, urls, rootBytes, pin: { fingerprint, pinnedBy } }) => {
    const { version } = assertRoot(rootBytes).signed
    return { name, url: urls[0], root: { version, fingerprint, pinnedBy } }
  })

/**
 * Forgets a source: its root and its cached metadata. Version floors stay; they belong to keys, not to names.
 *
 * Errors: ROOT_UNKNOWN if there is no such source; PERMISSION, IO.
 */
export const removeTrustedSource = async (stateDirectory: string, name: string): Promise<void> => {
  const path = join(directoryOf(stateDirectory), parseSourceName(name))
  try {
    await lstat(path)
    const gone = join(directoryOf(stateDirectory), `.${name}.removed`)
    await rm(gone, { recursive: true, force: true })
    await renameDurably(path, gone) // An agent that reads meanwhile finds it whole, or not at all.
    await rm(gone, { recursive: true })
    await rm(join(stateDirectory, 'metadata', name), { recursive: true, force: true })
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') throw new UpdateError('ROOT_UNKNOWN', `there is no source ${name}`)
    throw fromFileSystem(error, `cannot remove ${path}`)
  }
}

const SOURCE_NAME = /^[a-z0-9][a-z0-9-]*$/

/** Errors: USAGE. */
export const parseSourceName = (name: string): string => {
  if (SOURCE_NAME.test(name) && name.length <= LIMITS.productLengthMax) return name
  throw new UpdateError('USAGE', `source name ${JSON.stringify(name)} is not allowed`, {
    hint: `use up to ${LIMITS.productLengthMax} of a-z, 0-9 and -, such as releases or localhost-8080`,
  })
}

/** `localhost-8080` for `http://localhost:8080/`. Errors: USAGE if nothing of the host is left. */
export const sourceNameOf = (url: string): string => {
  const name = new URL(url).host.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
  return parseSourceName(name.replaceAll(/^-|-$/g, '').slice(0, LIMITS.productLengthMax))
}

/** The base URL of a repository, with a slash at its end. Errors: USAGE. */
export const parseSourceUrl = (text: string): string => {
  const url = URL.parse(text)
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new UpdateError('USAGE', `${JSON.stringify(text)} is not an http or https address`, {
      hint: 'give the address of the repository, such as https://updates.example.com/acme/',
    })
  }
  if (url.username !== '' || url.password !== '') {
    throw new UpdateError('USAGE', `the address of ${url.host} contains a user name or a password`, {
      hint: 'it would be stored and shown in plain text: leave it out',
    })
  }
  url.search = ''
  url.hash = ''
  if (!url.pathname.endsWith('/')) url.pathname += '/'
  return url.href
}

/**
 * A root that can be pinned: it keeps our policy, and enough of its own keys signed it.
 *
 * Errors: ROOT_UNKNOWN, METADATA_POLICY.
 */
export const assertRoot = (rootBytes: Uint8Array): Metadata<SignedRoot> => {
  let root: unknown
  try {
    root = parseMetadata(rootBytes, 'the root')
  } catch (error) {
    throw new UpdateError('ROOT_UNKNOWN', messageOf(error), { cause: error, hint: 'a root is a file like 1.root.json' })
  }
  assertMetadataPolicy('root', root, { received: true }, 'the root')
  const metadata = root as Metadata<SignedRoot>
  const { keys, roles } = metadata.signed
  if (!isSignedBy(metadata, { role: roles.root, keys })) {
    throw new UpdateError('ROOT_UNKNOWN', 'the root is not signed by enough of its own keys', {
      hint: 'take the file from the publisher again; it was altered or never finished',
    })
  }
  return metadata
}

const pinSchema = z.object({
  urls: z.tuple([z.url({ protocol: /^https?$/ })], z.url({ protocol: /^https?$/ })).readonly(),
  pinnedBy: z.enum(PIN_METHODS),
  fingerprint: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  addedAt: z.iso.datetime(),
})

const PIN_LENGTH_BYTES = 64 * 1024

const readIfThere = async (stateDirectory: string, name: string): Promise<TrustedSource | undefined> => {
  const directory = join(directoryOf(stateDirectory), name)
  const read = async () => ({
    rootBytes: await readFileIfThere(join(directory, 'root.json'), LIMITS.rootLengthBytes),
    pinBytes: await readFileIfThere(join(directory, 'pin.json'), PIN_LENGTH_BYTES),
  })
  const isHalf = ({ rootBytes, pinBytes }: Awaited<ReturnType<typeof read>>): boolean =>
    (rootBytes === undefined) !== (pinBytes === undefined)
  const first = await read()
  // It may have been removed between the two: then neither is there now.
  const { rootBytes, pinBytes } = isHalf(first) ? await read() : first
  if (rootBytes === undefined && pinBytes === undefined) return undefined
  if (rootBytes === undefined || pinBytes === undefined) {
    throw damaged(directory, `${rootBytes === undefined ? 'root.json' : 'pin.json'} is missing`)
  }
  const pin = parsePin(pinBytes, directory)
  const fingerprint = fingerprintOf(rootBytes)
  if (fingerprint !== pin.fingerprint) {
    throw damaged(directory, `root.json is ${fingerprint}, but ${pin.fingerprint} was pinned`)
  }
  return { name, urls: pin.urls, rootBytes, pin }
}

const parsePin = (bytes: Buffer, directory: string): Pin => {
  try {
    return pinSchema.parse(JSON.parse(bytes.toString('utf8')))
  } catch (error) {
    throw damaged(directory, `pin.json is malformed: ${messageOf(error)}`, error)
  }
}

/** A new source appears whole: its folder is filled under another name first. */
const write = async (stateDirectory: string, name: string, rootBytes: Buffer, pin: Pin): Promise<void> => {
  const directory = directoryOf(stateDirectory)
  const pinText = `${JSON.stringify(pin, undefined, 2)}\n`
  const place = join(directory, name)
  await makeDirectory(dirname(stateDirectory)) // It may be where products are installed, for others to run.
  await makeDirectory(directory, 0o700)
  if ((await namesIn(directory)).includes(name)) {
    await writeFileAtomic(join(place, 'pin.json'), pinText, { mode: 0o600 })
    return
  }
  const temporary = join(directory, `.${name}.new`)
  await rm(temporary, { recursive: true, force: true })
  await makeDirectory(temporary, 0o700)
  await writeFileAtomic(join(temporary, 'root.json'), rootBytes, { mode: 0o600 })
  await writeFileAtomic(join(temporary, 'pin.json'), pinText, { mode: 0o600 })
  await renameDurably(temporary, place)
}

const namesIn = async (directory: string): Promise<readonly string[]> => {
  try {
    return await readdir(directory)
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return []
    throw fromFileSystem(error, `cannot list ${directory}`)
  }
}

const directoryOf = (stateDirectory: string): string => join(stateDirectory, 'trust')

const strongest = (a: PinMethod, b: PinMethod = a): PinMethod =>
  PIN_METHODS.indexOf(a) >= PIN_METHODS.indexOf(b) ? a : b

const damaged = (directory: string, why: string, cause?: unknown): UpdateError =>
  new UpdateError('STATE_DAMAGED', `${directory} is damaged: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'compare the root with the publisher, then remove the folder and add the source again',
  })
