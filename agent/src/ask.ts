// One question to a server, and its answer: the seam through which all metadata and targets come, from wherever.
import type { IncomingMessage } from 'node:http'
import { httpGet } from '@updraft/core/http-get'

export interface Reply extends Disposable {
  readonly status: number
  /** Where the server says that it is, as it wrote it. */
  readonly location?: string | undefined
  readonly body: AsyncIterable<Uint8Array>
}

/** Gives the answer as soon as its head is there. Whoever asks disposes of it; `signal` ends all of it. */
export type Ask = (url: string, signal: AbortSignal) => Promise<Reply>

/** An answer that needs no server. */
export const replyOf = (status: number, bytes: Uint8Array = new Uint8Array()): Reply => ({
  status,
  body: (async function* () {
    yield bytes
  })(),
  [Symbol.dispose]: () => {},
})

/** Asks over HTTP or HTTPS, and follows nothing. Errors: those of `httpGet`; Error for an answer that is compressed. */
export const askServer: Ask = async (url, signal) => {
  const response = await httpGet(new URL(url), { signal, headers: HEADERS })
  const coding = response.headers['content-encoding'] ?? 'identity'
  if (coding === 'identity') return replyFrom(response)
  giveBack(response)
  throw new Error(`the answer is compressed (${coding}), which was not asked for`)
}

const HEADERS = { 'user-agent': 'updraft-agent', 'accept-encoding': 'identity' }

const replyFrom = (response: IncomingMessage): Reply => ({
  status: response.statusCode ?? 0,
  location: response.headers.location,
  body: response,
  [Symbol.dispose]: () => giveBack(response),
})

/** What is left of a short answer is taken in, so that its connection can be used again; a long one is broken off. */
const giveBack = (response: IncomingMessage): void => {
  if (response.readableEnded) return
  const left = Number(response.headers['content-length'] ?? Number.POSITIVE_INFINITY)
  if (left <= SHORT_BYTES && !response.destroyed) response.resume()
  else response.destroy()
}

const SHORT_BYTES = 16 * 1024
