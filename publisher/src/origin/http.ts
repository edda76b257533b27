// The origin's one TCP port: files, pages and announces, told apart by their path. It bounds how many connections there
// are and how long any of them may do nothing; what is answered is the business of the rooms it calls.
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { getRequestListener } from '@hono/node-server'
import { LIMITS } from '@updraft/core/limits'
import { type FileServer, type PublicFolder, parsePublicPath, sendText } from './files.ts'
import { listenFailure } from './listen.ts'
import type { Log } from './log.ts'
import type { Tracker } from './tracker.ts'

export interface HttpOptions {
  readonly files: FileServer
  /** Folders whose files are served; `bundles` is left out by an origin that does not seed. */
  readonly folders: readonly PublicFolder[]
  readonly tracker: Tracker
  /** Everything else: pages for people, health for machines. */
  readonly pages: (request: Request) => Response | Promise<Response>
  readonly log: Log
  /** For tests; the limits of core otherwise. */
  readonly connectionsMax?: number | undefined
  readonly idleTimeoutMs?: number | undefined
}

export interface HttpServer extends AsyncDisposable {
  /** Errors: PORT_IN_USE, PERMISSION, USAGE. Resolves to the port, which the system chose if it was 0. */
  listen(host: string, port: number): Promise<number>
}

export const openHttpServer = (options: HttpOptions): HttpServer => {
  const { tracker, log } = options
  const respond = responder(options)
  const server = createServer({
    headersTimeout: LIMITS.originHeadersTimeoutMs,
    requestTimeout: LIMITS.originIdleTimeoutMs,
    keepAliveTimeout: LIMITS.originIdleTimeoutMs,
    connectionsCheckingInterval: 1_000,
    noDelay: true,
  })
  server.timeout = options.idleTimeoutMs ?? LIMITS.originIdleTimeoutMs
  server.maxConnections = options.connectionsMax ?? LIMITS.originConnectionsMax
  server.on('request', (request, response) => {
    respond(request, response).catch((error: unknown) => {
      log.error({ err: error, path: request.url }, 'request failed')
      if (response.headersSent) response.destroy()
      else sendText(response, 500, 'the origin failed; its log says why')
    })
  })
  // Node's server forgets a connection once it is upgraded, but waits for its end all the same.
  const upgraded = new Set<Duplex>()
  server.on('upgrade', (request, socket, head) => {
    upgraded.add(socket)
    socket.on('close', () => upgraded.delete(socket))
    tracker.upgrade(request, socket, head)
  })
  server.on('drop', (dropped) => log.warn({ from: dropped?.remoteAddress }, 'too many connections: one refused'))

  return {
    listen: async (host, port) => {
      try {
        server.listen({ host, port, exclusive: true })
        await once(server, 'listening')
      } catch (error) {
        throw listenFailure(error, 'tcp', host, port)
      }
      server.on('error', (error) => log.error({ err: error }, 'HTTP server failed'))
      return (server.address() as AddressInfo).port
    },
    [Symbol.asyncDispose]: async () => {
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeIdleConnections()
      for (const socket of upgraded) socket.destroy()
      const late = setTimeout(() => server.closeAllConnections(), LIMITS.originCloseGraceMs)
      await closed
      clearTimeout(late)
    },
  }
}

const TRACKER_PATHS = new Set(['/announce', '/scrape'])

/** For every answer: browsers fetch web seeds from pages of other sites, and nobody guesses types. */
const HEADERS = {
  'access-control-allow-origin': '*',
  'access-control-expose-headers': 'accept-ranges, content-length, content-range, etag',
  'cross-origin-resource-policy': 'cross-origin',
  'x-content-type-options': 'nosniff',
} as const

const PREFLIGHT_HEADERS = {
  'access-control-allow-methods': 'GET, HEAD, OPTIONS',
  'access-control-allow-headers': 'range, if-none-match, if-range',
  'access-control-max-age': '86400',
} as const

const ALLOW = 'GET, HEAD, OPTIONS'

const responder = ({ files, folders, tracker, pages }: HttpOptions) => {
  const answerPage = getRequestListener(pages, { overrideGlobalObjects: false })
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value)
    const pathname = pathnameOf(request.url ?? '')
    if (request.method === 'OPTIONS') {
      response.writeHead(204, { allow: ALLOW, ...PREFLIGHT_HEADERS }).end()
    } else if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', ALLOW)
      // What was sent with it is not read, so the connection cannot be used again.
      response.setHeader('connection', 'close')
      sendText(response, 405, `${request.method} is not allowed here`)
    } else if (TRACKER_PATHS.has(pathname)) {
      tracker.answer(request, response)
    } else if (PUBLIC.test(pathname)) {
      const path = parsePublicPath(pathname, folders)
      if (path === undefined) sendText(response, 404, 'not found')
      else await files.serve(path, request, response)
    } else {
      await answerPage(request, response)
    }
  }
}

/** Below these, the file server alone decides; pages never see such a path. */
const PUBLIC = /^\/(metadata|targets|bundles)(\/|$)/

/** The path as it was sent, undecoded: without the query, and without the address that a proxy puts in front of it. */
const pathnameOf = (url: string): string => url.replace(/^https?:\/\/[^/?#]*/i, '').replace(/[?#].*$/s, '')
