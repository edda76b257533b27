// HTTP as the swarm uses it, for web seeds and trackers: only to addresses that the policy allows, also after a redirect,
// and with a bound on every wait.
import { Agent, type IncomingMessage } from 'node:http'
import { Agent as SecureAgent } from 'node:https'
import { isIP } from 'node:net'
import { httpGet } from '../../http-get.ts'
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

  const once = async (url: URL, { headers, idleTimeoutMs, signal }: GetOptions): Promise<IncomingMessage> => {
    // Sockets look up names only, so a literal is judged here.
    const host = plainAddress(url.hostname)
    if (isIP(host) !== 0 && !policy.allows(host)) throw refusal(url.hostname, [host])
    return httpGet(url, {
      agent: url.protocol === 'https:' ? agents['https:'] : agents['http:'],
      lookup,
      idleTimeoutMs,
      signal,
      headers: { 'user-agent': userAgent, 'accept-encoding': 'identity', ...headers },
    })
  }

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
