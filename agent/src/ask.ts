// One question to a server, over node:http, and the head of its answer. Node's own `fetch` does the same and takes 11 MiB of
// memory for as long as the agent runs (`node -e` with and without one `fetch`, RSS).
import { type IncomingMessage, request as requestPlain } from 'node:http'
import { request as requestSecure } from 'node:https'

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

/** Asks over HTTP or HTTPS, and follows nothing. Errors: those of Node; TypeError for another scheme. */
export const askServer: Ask = (url, signal) =>
  new Promise((resolve, reject) => {
    const { protocol } = new URL(url)
    if (protocol !== 'http:' && protocol !== 'https:') throw new TypeError(`${protocol} is not a scheme for HTTP`)
    signal.throwIfAborted()
    const send = protocol === 'https:' ? requestSecure : requestPlain
    const request = send(url, { headers: { 'user-agent': 'updraft-agent', 'accept-encoding': 'identity' } })
    // Not by the `signal` option: Node may give its error to a socket that nobody listens to any more.
    const onAbort = (): void => void request.destroy(signal.reason as Error)
    signal.addEventListener('abort', onAbort)
    request.on('close', () => signal.removeEventListener('abort', onAbort))
    request.on('error', reject)
    request.on('response', (response) => {
      response.on('error', () => {}) // Whoever reads gets it; whoever has stopped reading needs none.
      const coding = response.headers['content-encoding'] ?? 'identity'
      if (coding === 'identity') return resolve(replyFrom(response))
      giveBack(response)
      reject(new Error(`the answer is compressed (${coding}), which was not asked for`))
    })
    request.end()
  })

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
