// HTTP as the swarm uses it, for web seeds and trackers: only to addresses that the policy allows, also after a redirect,
// and with a bound on every wait. fetch can neither choose addresses nor see where a name led.
import { Agent, type IncomingMessage, request as requestPlain } from 'node:http'
import { request as requestSecure, Agent as SecureAgent } from 'node:https'
import { isIP } from 'node:net'
import { type AddressPolicy, guardedLookup, plainAddress, refusal } from '../peers/addresses.ts'

export interface GuardedHttp extends Disposable {
  /** Gives the answer as soon as its head is there, whatever its status. The caller reads or destroys it. */
  get(url: string, options: GetOptions): Promise<IncomingMessage>
}

export interface GetOptions {
  readonly headers: Readonly<Record<string, string>>
  /** No byte for so long, and the request fails; also while it connects. */
  readonly idleTimeoutMs: number
  readonly signal: AbortSignal
}

const REDIRECTS_MAX = 3

export const createGuardedHttp = (policy: AddressPolicy, userAgent: string): GuardedHttp => {
  const agents = { 'http:': new Agent({ keepAlive: true }), 'https:': new SecureAgent({ keepAlive: true }) }
  const lookup = guardedLookup(policy)

  const once = (url: URL, { headers, idleTimeoutMs, signal }: GetOptions): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const { protocol } = url
      if (protocol !== 'http:' && protocol !== 'https:') throw new Error(`${protocol} is not a scheme for HTTP`)
      // Sockets look up names only, so a literal is judged here.
      const host = plainAddress(url.hostname)
      if (isIP(host) !== 0 && !policy.allows(host)) throw refusal(url.hostname, [host])
      if (signal.aborted) throw new Error('interrupted')

      const send = protocol === 'https:' ? requestSecure : requestPlain
      const request = send(url, {
        agent: agents[protocol],
        lookup,
        timeout: idleTimeoutMs,
        headers: { 'user-agent': userAgent, 'accept-encoding': 'identity', ...headers },
      })
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
      request.on('timeout', () => stop(`nothing from ${url.host} for ${idleTimeoutMs} ms`))
      request.on('error', (error) => reject(reason ?? error))
      request.on('response', (response) => {
        response.on('error', () => {}) // Who reads the answer gets its errors; who has stopped reading needs none.
        resolve(response)
      })
      request.end()
    })

  return {
    get: async (url, options) => {
      let target = new URL(url)
      for (let redirects = 0; ; redirects += 1) {
        const response = await once(target, options)
        const { location } = response.headers
        const isRedirect = [301, 302, 303, 307, 308].includes(response.statusCode ?? 0) && location !== undefined
        if (!isRedirect) return response
        response.destroy()
        if (redirects === REDIRECTS_MAX) throw new Error(`${url} redirects more than ${REDIRECTS_MAX} times`)
        const next = new URL(location, target)
        if (target.protocol === 'https:' && next.protocol !== 'https:') {
          throw new Error(`${url} redirects from https to ${next.protocol}`)
        }
        target = next
      }
    },
    [Symbol.dispose]: () => {
      agents['http:'].destroy()
      agents['https:'].destroy()
    },
  }
}

/** Reads a whole answer, but not more than `maxBytes`. */
export const readBounded = async (response: IncomingMessage, maxBytes: number): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxBytes) throw new Error(`answer longer than ${maxBytes} bytes`) // Leaving the loop destroys it.
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
