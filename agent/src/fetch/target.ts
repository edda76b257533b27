// One signed target, whole, in memory: the index or the metainfo of a release, over HTTP or from other machines. Length and
// SHA-256 are the signed ones or it is an error; large things go through the swarm instead.
import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { hasCode, UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import type { Ask } from '../ask.ts'
import { download } from '../download.ts'
import type { PeerSource } from '../peer-source.ts'
import type { TargetFile } from '../refresh.ts'

/** What has the files of a repository. */
export interface RepositoryPlace {
  /** Ends with a slash. */
  readonly url: string
  readonly ask?: Ask | undefined
  /** Machines that may have the file when the repository does not give it. */
  readonly peers?: Pick<PeerSource, 'file'> | undefined
  /** The repository was out of reach a moment ago: the others are asked first. */
  readonly isUnreachable?: boolean | undefined
}

/**
 * Fetches `target` of the repository at `place`, under its consistent-snapshot name.
 *
 * Errors: SOURCE_UNREACHABLE, BUNDLE_INVALID (other bytes than the signed ones), ABORTED.
 * Source: TUF 5.7.3, 6.2 (consistent snapshots: `<sha256>.<name>`).
 */
export const fetchTarget = async (target: TargetFile, place: RepositoryPlace, signal: AbortSignal): Promise<Buffer> => {
  const { peers, isUnreachable = false } = place
  const early = isUnreachable ? await peers?.file(target, signal) : undefined
  if (early !== undefined) return early
  try {
    return await fetchFromRepository(target, place, signal)
  } catch (error) {
    if (isUnreachable || !hasCode(error, 'SOURCE_UNREACHABLE')) throw error
    const late = await peers?.file(target, signal)
    if (late === undefined) throw error
    return late
  }
}

const fetchFromRepository = async (
  target: TargetFile,
  place: RepositoryPlace,
  signal: AbortSignal,
): Promise<Buffer> => {
  const { dir, base } = posix.parse(target.path)
  const url = new URL(`targets/${dir}/${target.sha256}.${base}`, place.url).href
  const bytes = await fetchWhole(url, target.lengthBytes, place, signal)
  const digest = createHash('sha256').update(bytes).digest('hex')
  if (bytes.length !== target.lengthBytes || digest !== target.sha256) {
    throw notWhatWasSigned(
      `${url} has ${bytes.length} bytes with SHA-256 ${digest}; signed are ${target.lengthBytes} with ${target.sha256}`,
    )
  }
  return bytes
}

const fetchWhole = async (
  url: string,
  maxBytes: number,
  { ask }: RepositoryPlace,
  signal: AbortSignal,
): Promise<Buffer> => {
  try {
    const answer = await download(url, { maxBytes, timeoutMs: LIMITS.metadataTimeoutMs, ask, signal })
    if (answer.kind === 'bytes') return answer.bytes
    throw new UpdateError('SOURCE_UNREACHABLE', `${url} is not there: the server answered ${answer.status}`, {
      hint: 'the repository is incomplete; it is asked again later',
    })
  } catch (error) {
    if (!hasCode(error, 'LIMIT_EXCEEDED')) throw error
    throw notWhatWasSigned(error.message, error)
  }
}

const notWhatWasSigned = (message: string, cause?: unknown): UpdateError =>
  new UpdateError('BUNDLE_INVALID', message, {
    cause,
    hint: 'the server, or something on the way, altered the file; nothing of it was used',
  })
