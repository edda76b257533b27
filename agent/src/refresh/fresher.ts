// Whether another mirror has newer metadata than the one that was used. What a mirror says of itself is only a reason to ask it:
// nothing here is verified, and a false claim costs one attempt that fails.
import { throwIfAborted } from '@updraft/core/bundle/turns'
import { LIMITS } from '@updraft/core/limits'
import type { Ask } from '../ask.ts'
import { download } from '../download.ts'
import { fileNameOf } from './file-names.ts'

export interface FresherOptions {
  readonly timeoutMs: number
  readonly ask?: Ask | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Of `mirrors` (metadata URLs) the one that claims the highest version of the timestamp above `version`, the first of several;
 * undefined if none does. Whoever does not answer has no claim.
 *
 * Errors: ABORTED.
 */
export const findFresher = async (
  mirrors: readonly string[],
  version: number,
  options: FresherOptions,
): Promise<string | undefined> => {
  const claims = await Promise.all(mirrors.map(async (url) => ({ url, claim: await claimOf(url, options) })))
  throwIfAborted(options.signal)
  const [best] = claims.filter(({ claim }) => claim > version).sort((a, b) => b.claim - a.claim)
  return best?.url
}

const claimOf = async (url: string, { timeoutMs, ask, signal }: FresherOptions): Promise<number> => {
  try {
    const maxBytes = LIMITS.timestampLengthBytes
    const answer = await download(`${url}${fileNameOf({ role: 'timestamp' })}`, { maxBytes, timeoutMs, ask, signal })
    if (answer.kind === 'missing') return 0
    const { signed } = JSON.parse(answer.bytes.toString('utf8')) as { readonly signed?: { readonly version?: unknown } }
    return Number.isSafeInteger(signed?.version) ? Number(signed?.version) : 0
  } catch {
    return 0
  }
}
