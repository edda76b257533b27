// One file over HTTP, whole, in memory, within a length and a time. Tells "there is no such file" from "nobody answers",
// and never leaves the server that it was sent to. Judges no content.
import { STATUS_CODES } from 'node:http'
import { isUpdateError, messageOf, UpdateError } from '@updraft/core/errors'
import { type Ask, askServer, type Reply } from './ask.ts'

export interface DownloadOptions {
  readonly maxBytes: number
  /** For the whole request, so that a trickle cannot hold the caller. */
  readonly timeoutMs: number
  /** Another way than to ask the server. */
  readonly ask?: Ask | undefined
  readonly signal?: AbortSignal | undefined
}

export type Answer =
  | { readonly kind: 'bytes'; readonly bytes: Buffer }
  | { readonly kind: 'missing'; readonly status: number }

/** Enough for a moved folder; more is a loop. */
const REDIRECTS_MAX = 3

/**
 * Fetches `url`. Redirects are followed on the same server only: elsewhere, someone who controls one answer could make
 * this machine ask any address that it reaches.
 *
 * Errors: SOURCE_UNREACHABLE, LIMIT_EXCEEDED, ABORTED; those of another `fetch`.
 */
export const download = async (url: string, options: DownloadOptions): Promise<Answer> => {
  const { signal, timeoutMs } = options
  const timeout = AbortSignal.timeout(timeoutMs)
  try {
    return await follow(url, options, signal === undefined ? timeout : AbortSignal.any([signal, timeout]))
  } catch (error) {
    if (signal?.aborted) throw new UpdateError('ABORTED', `fetching ${url} was interrupted`, { cause: error })
    if (timeout.aborted) {
      throw new UpdateError('SOURCE_UNREACHABLE', `${url} was not complete after ${timeoutMs / 1000} s`, {
        cause: error,
        hint: 'the server is slow or holds the connection open; it is asked again later',
      })
    }
    if (isUpdateError(error)) throw error
    throw new UpdateError('SOURCE_UNREACHABLE', `${url} could not be fetched: ${reasonOf(error)}`, {
      cause: error,
      hint: 'check the network and the address; the source is asked again later',
    })
  }
}

const follow = async (url: string, options: DownloadOptions, signal: AbortSignal): Promise<Answer> => {
  const ask = options.ask ?? askServer
  let here = url
  for (let hops = 0; hops <= REDIRECTS_MAX; hops += 1) {
    using reply = await ask(here, signal)
    const { status } = reply
    if (status >= 200 && status < 300) return { kind: 'bytes', bytes: await readBounded(reply, here, options.maxBytes) }
    // Object stores answer 403 for a file that is not there. Source: TUF 5.3.3 leaves both to the implementation.
    if (status === 404 || status === 403) return { kind: 'missing', status }
    const next = redirectOf(reply, here)
    if (next === undefined) throw unreachable(`${here} answered ${status} ${STATUS_CODES[status] ?? ''}`.trimEnd())
    if (new URL(next).origin !== new URL(here).origin) {
      throw unreachable(`${here} redirects to another server: ${next}`, 'add the source again under its final address')
    }
    here = next
  }
  throw unreachable(`${url} redirects more than ${REDIRECTS_MAX} times`)
}

const redirectOf = ({ status, location }: Reply, here: string): string | undefined =>
  [301, 302, 303, 307, 308].includes(status) && location !== undefined ? URL.parse(location, here)?.href : undefined

const readBounded = async ({ body }: Reply, url: string, maxBytes: number): Promise<Buffer> => {
  const parts: Uint8Array[] = []
  let lengthBytes = 0
  // Leaving the loop ends the answer, so an endless one costs one part more than its limit.
  for await (const part of body) {
    lengthBytes += part.length
    if (lengthBytes > maxBytes) {
      throw new UpdateError('LIMIT_EXCEEDED', `${url} has more than ${maxBytes} bytes`, {
        hint: 'the server sends more than such a file can have, or than was signed; nothing of it was used',
      })
    }
    parts.push(part)
  }
  return Buffer.concat(parts)
}

const unreachable = (message: string, hint = 'the source is asked again later'): UpdateError =>
  new UpdateError('SOURCE_UNREACHABLE', message, { hint })

/** Of several addresses that were tried, Node says nothing but a code. */
const reasonOf = (error: unknown): string => messageOf(error) || String((error as { code?: unknown }).code ?? error)
