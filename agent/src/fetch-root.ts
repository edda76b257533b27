// Fetches a root that nobody on this machine vouches for yet, for its owner to compare. What comes back is well formed and
// signed by itself, which proves nothing: only the fingerprint does.
import { UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import type { Ask } from './ask.ts'
import { download } from './download.ts'
import { assertRoot, fingerprintOf } from './trust-store.ts'

export interface FetchRootOptions {
  readonly ask?: Ask | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * The first root of the repository at `url`.
 *
 * Errors: SOURCE_UNREACHABLE, ROOT_UNKNOWN, METADATA_POLICY, LIMIT_EXCEEDED, ABORTED.
 */
export const fetchFirstRoot = async (url: string, options: FetchRootOptions): Promise<Buffer> => {
  const bytes = await fetchRoot(url, 1, options)
  if (bytes === undefined) throw noRepository(url)
  assertRoot(bytes)
  return bytes
}

/**
 * The root with exactly this fingerprint, whichever version it is: publishers give that of the first root or of the
 * newest.
 *
 * Errors: ROOT_UNKNOWN with the fingerprints that are there; SOURCE_UNREACHABLE, METADATA_POLICY, LIMIT_EXCEEDED, ABORTED.
 */
export const fetchRootByFingerprint = async (
  url: string,
  fingerprint: string,
  options: FetchRootOptions,
): Promise<Buffer> => {
  const found: string[] = []
  for (let version = 1; version <= LIMITS.rootRotationsMax; version += 1) {
    const bytes = await fetchRoot(url, version, options)
    if (bytes === undefined) break
    if (fingerprintOf(bytes) === fingerprint) {
      assertRoot(bytes)
      return bytes
    }
    found.push(`root ${version} is ${fingerprintOf(bytes)}`)
  }
  if (found.length === 0) throw noRepository(url)
  throw new UpdateError('ROOT_UNKNOWN', `no root at ${url} has the fingerprint ${fingerprint}: ${found.join('; ')}`, {
    hint: 'ask the publisher which one is right; if it is yours, this server offers somebody else’s repository',
  })
}

const fetchRoot = async (url: string, version: number, options: FetchRootOptions): Promise<Buffer | undefined> => {
  const answer = await download(`${url}metadata/${version}.root.json`, {
    ...options,
    maxBytes: LIMITS.rootLengthBytes,
    timeoutMs: LIMITS.metadataTimeoutMs,
  })
  return answer.kind === 'bytes' ? answer.bytes : undefined
}

const noRepository = (url: string): UpdateError =>
  new UpdateError('SOURCE_UNREACHABLE', `there is no repository at ${url}: it has no metadata/1.root.json`, {
    hint: 'give the address under which metadata/ and targets/ lie',
  })
