// The files of a source as the TUF library asks for them: cached roots first, then the mirrors, each file within its
// limits, and nothing that our policy refuses. Verifies no signature, except to say which kind of failure one is.
import { setImmediate } from 'node:timers/promises'
import { UpdateError } from '@updraft/core/errors'
import { parseMetadata } from '@updraft/core/trust/metadata'
import { checkMetadata, policyError } from '@updraft/core/trust/policy'
import { type Authority, isSignedBy } from '@updraft/core/trust/signatures'
import { DownloadHTTPError } from 'tuf-js/dist/error.js'
import type { Ask } from '../ask.ts'
import { type Answer, download } from '../download.ts'
import type { MetadataFiles } from './cache.ts'
import { fileNameOf, maxBytesOf, type RoleFile, roleOfFile } from './file-names.ts'

/** A file that was given to the TUF library. */
export interface Delivery {
  readonly file: string
  readonly role: string
  readonly bytes: Buffer
  /** Metadata URL of the mirror it came from, or `CACHE`. */
  readonly from: string
}

export const CACHE = 'the cache'

export interface SourceFilesOptions {
  /** Metadata URLs, each with a slash at its end. The first is the one in use; the others are asked for new roots. */
  readonly mirrors: readonly [string, ...string[]]
  /** What is cached; only roots are taken from here. */
  readonly cached: MetadataFiles
  readonly anyNames: boolean
  readonly timeoutMs: number
  readonly ask?: Ask | undefined
  readonly signal?: AbortSignal | undefined
  /** Who has to sign the role, by what is trusted at this moment; undefined if that is not known. */
  authorityOf(role: string): Authority | undefined
}

/** What tuf-js calls a fetcher. */
export interface SourceFiles {
  downloadBytes(url: string, maxLength: number): Promise<Buffer>
  downloadFile(): Promise<never>
  /** In order. The last one is what the library was looking at when it failed. */
  readonly deliveries: readonly Delivery[]
  /** The role that was asked for last, whether or not its file could be given. */
  readonly wanted: string | undefined
  /** Why the last file could not be given, in our words; the library makes a string of it. */
  readonly failure: { readonly error: UpdateError; readonly from: string } | undefined
}

/** Every URL that the library asks for begins with the first of `mirrors`. */
export const openSourceFiles = (options: SourceFilesOptions): SourceFiles => {
  const [primary] = options.mirrors
  const deliveries: Delivery[] = []
  let failure: SourceFiles['failure']
  let role: string | undefined

  const deliver = async (url: string, maxLength: number): Promise<Buffer> => {
    const wanted = roleOfFile(url.slice(primary.length))
    if (wanted === undefined) throw new TypeError(`the TUF library asked for ${url}`)
    const file = fileNameOf(wanted)
    role = wanted.role
    const found =
      wanted.role === 'root' ? await findRoot(file, options) : await findFile(primary, file, maxLength, options)
    if (found.kind === 'missing') throw new DownloadHTTPError(`${found.from}${file} is not there`, found.status)
    const delivery: Delivery = { file, role: wanted.role, bytes: found.bytes, from: found.from }
    // Parsing, policy and signatures of one large file take a while each: what else is due comes in between.
    await setImmediate()
    try {
      assertUsable(delivery, options)
    } catch (error) {
      failure = { error: error as UpdateError, from: found.from }
      throw error
    }
    deliveries.push(delivery)
    await setImmediate()
    return found.bytes
  }

  return {
    deliveries,
    get wanted() {
      return role
    },
    get failure() {
      return failure
    },
    downloadBytes: async (url, maxLength) => {
      failure = undefined
      try {
        return await deliver(url, maxLength)
      } catch (error) {
        if (!(error instanceof DownloadHTTPError)) failure ??= { error: error as UpdateError, from: primary }
        throw error
      }
    },
    // Large things never go through this library: it writes them to the system's temporary folder.
    downloadFile: () => Promise.reject(new TypeError('the TUF library downloads metadata only')),
  }
}

type Found =
  | { readonly kind: 'bytes'; readonly bytes: Buffer; readonly from: string }
  | { readonly kind: 'missing'; readonly status: number; readonly from: string }

/**
 * The next root. That there is none is believed only if every mirror that answers says so: one of them may hide it.
 *
 * Source: TUF 5.3.3.
 */
const findRoot = async (file: string, options: SourceFilesOptions): Promise<Found> => {
  const cached = options.cached.get(file)
  if (cached !== undefined) return { kind: 'bytes', bytes: cached, from: CACHE }
  const [primary, ...others] = options.mirrors
  const first = await ask(primary, file, maxBytesOf('root'), options)
  if (first.kind === 'bytes') return first
  for (const mirror of others) {
    const answer = await ask(mirror, file, maxBytesOf('root'), options).catch((error: unknown) => {
      if (options.signal?.aborted) throw error
      return undefined // Whoever does not answer has no say in this; the primary mirror did answer.
    })
    if (answer?.kind === 'bytes') return answer
  }
  return first
}

const findFile = async (
  mirror: string,
  file: string,
  signedLength: number,
  options: SourceFilesOptions,
): Promise<Found> => {
  const { role } = roleOfFile(file) as RoleFile
  const answer = await ask(mirror, file, Math.min(signedLength, maxBytesOf(role)), options)
  if (answer.kind === 'bytes') return answer
  // A file that is vouched for and not there is a server that is not ready, or cut off: no sign of tampering.
  throw new UpdateError('SOURCE_UNREACHABLE', `${mirror}${file} is not there (HTTP ${answer.status})`, {
    hint: 'check the address of the source; if it is right, the server has not all files yet: it is asked again later',
  })
}

const ask = async (mirror: string, file: string, maxBytes: number, options: SourceFilesOptions): Promise<Found> => {
  const { timeoutMs, ask, signal } = options
  const answer: Answer = await download(`${mirror}${file}`, { maxBytes, timeoutMs, ask, signal })
  return { ...answer, from: mirror }
}

/**
 * Nothing that breaks our policy reaches the library: some of what it would do with it takes exponential time. Whether a
 * bad file was signed decides what it is: a publisher's mistake, or somebody else's file.
 */
const assertUsable = ({ file, role, bytes, from }: Delivery, { anyNames, authorityOf }: SourceFilesOptions): void => {
  const where = `${file} from ${from}`
  const metadata = parseMetadata(bytes, where)
  const faults = checkMetadata(role, metadata, { received: true, anyNames })
  if (faults.length === 0) return
  if (isSigned(metadata, authorityOf(role))) throw policyError(where, faults)
  const [first] = faults
  throw new UpdateError(
    'METADATA_UNTRUSTED',
    `${where} is not signed, and malformed: ${first?.place} ${first?.message}`,
    {
      hint: 'the server answers with something else, or the file was altered; nothing of it was used',
    },
  )
}

const isSigned = (metadata: unknown, authority: Authority | undefined): boolean => {
  try {
    return authority !== undefined && isSignedBy(metadata as Parameters<typeof isSignedBy>[0], authority)
  } catch {
    return false // So malformed that it cannot even have a signature.
  }
}
