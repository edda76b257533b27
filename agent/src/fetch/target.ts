// One signed target over HTTP, whole, in memory: the index or the metainfo of a release. Length and SHA-256 are the
// signed ones or it is an error; large things go through the swarm instead.
import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { messageOf, UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import type { TargetFile } from '../refresh.ts'

/**
 * Fetches `target` of the repository at `repositoryUrl`, under its consistent-snapshot name.
 *
 * Errors: SOURCE_UNREACHABLE, BUNDLE_INVALID (other bytes than the signed ones), ABORTED.
 * Source: TUF 5.7.3, 6.2 (consistent snapshots: `<sha256>.<name>`).
 */
export const fetchTarget = async (target: TargetFile, repositoryUrl: string, signal: AbortSignal): Promise<Buffer> => {
  const { dir, base } = posix.parse(target.path)
  const url = new URL(`targets/${dir}/${target.sha256}.${base}`, repositoryUrl).href
  const bytes = await fetchBounded(url, target.lengthBytes, signal)
  const digest = createHash('sha256').update(bytes).digest('hex')
  if (bytes.length !== target.lengthBytes || digest !== target.sha256) {
    throw new UpdateError(
      'BUNDLE_INVALID',
      `${url} has ${bytes.length} bytes with SHA-256 ${digest}; signed are ${target.lengthBytes} with ${target.sha256}`,
      { hint: 'the server, or something on the way, altered the file; nothing of it was used' },
    )
  }
  return bytes
}

/** Stops reading one byte after what was signed, so that an endless answer costs nothing. */
const fetchBounded = async (url: string, maxBytes: number, signal: AbortSignal): Promise<Buffer> => {
  const timeout = AbortSignal.timeout(LIMITS.metadataTimeoutMs)
  try {
    const response = await fetch(url, { redirect: 'error', signal: AbortSignal.any([signal, timeout]) })
    if (!response.ok || response.body === null) {
      await response.body?.cancel()
      throw new UpdateError('SOURCE_UNREACHABLE', `${url} answered ${response.status} ${response.statusText}`)
    }
    const parts: Uint8Array[] = []
    let lengthBytes = 0
    for await (const part of response.body) {
      parts.push(part)
      lengthBytes += part.length
      if (lengthBytes > maxBytes) break
    }
    return Buffer.concat(parts)
  } catch (error) {
    signal.throwIfAborted()
    if (Error.isError(error) && error.name === 'UpdateError') throw error
    throw new UpdateError('SOURCE_UNREACHABLE', `${url} could not be fetched: ${messageOf(error)}`, { cause: error })
  }
}
