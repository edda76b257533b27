// One GET over node:http, and the head of its answer; redirects are not followed. Node's own `fetch` takes 11 MiB of memory for as
// long as the process runs (`node -e` with and without one `fetch`, RSS), chooses no addresses and does not say where a name led.
import type { Agent, IncomingMessage } from 'node:http'
import { request as requestPlain } from 'node:http'
import { request as requestSecure } from 'node:https'
import type { LookupFunction } from 'node:net'

export interface HttpGetOptions {
  readonly headers: Readonly<Record<string, string>>
  /** Ends all of it, the body included. */
  readonly signal: AbortSignal
  /** No byte for so long, and the request fails; also while it connects. */
  readonly idleTimeoutMs?: number | undefined
  /** Which addresses a name may lead to. */
  readonly lookup?: LookupFunction | undefined
  readonly agent?: Agent | undefined
}

/**
 * Gives the answer as soon as its head is there, whatever its status. The caller reads or destroys it.
 *
 * Errors: those of Node; TypeError for another scheme; Error when it is interrupted or nothing comes.
 */
export const httpGet = (
  url: URL,
  { headers, signal, idleTimeoutMs, lookup, agent }: HttpGetOptions,
): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const { protocol, host } = url
    if (protocol !== 'http:' && protocol !== 'https:') throw new TypeError(`${protocol} is not a scheme for HTTP`)
    if (signal.aborted) throw new Error('interrupted')
    const send = protocol === 'https:' ? requestSecure : requestPlain
    const request = send(url, { agent, lookup, timeout: idleTimeoutMs, headers })
    // Destroyed without an error, and not by the `signal` option: Node may give the error to a socket that nobody
    // listens to any more, because its answer is complete and only not read yet, and that ends the process.
    let reason: Error | undefined
    const stop = (why: string): void => {
      reason ??= new Error(why)
      request.destroy()
    }
    const onAbort = (): void => stop('interrupted')
    signal.addEventListener('abort', onAbort)
    request.on('close', () => signal.removeEventListener('abort', onAbort))
    request.on('timeout', () => stop(`nothing from ${host} for ${idleTimeoutMs} ms`))
    request.on('error', (error) => reject(reason ?? error))
    request.on('response', (response) => {
      response.on('error', () => {}) // Who reads the answer gets its errors; who has stopped reading needs none.
      resolve(response)
    })
    request.end()
  })
