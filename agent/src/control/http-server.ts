// An HTTP server that nobody can wear out: connections, requests on one of them, and their time are bounded, and whoever goes
// beyond is told so where that is possible. Knows nothing of what is asked.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { systemCodeOf, UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import { bodyOf, lastAnswer, PROBLEM_TYPE } from './answer.ts'

export interface HttpServerOptions {
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void
  /** Sends something at least this often on every answer that goes on. */
  readonly heartbeatMs: number
}

/** Does not listen yet. */
export const httpServer = ({ onRequest, heartbeatMs }: HttpServerOptions): Server => {
  const pending = new WeakMap<Socket, Set<ServerResponse>>()
  const server = createServer(
    {
      requestTimeout: LIMITS.controlRequestTimeoutMs,
      headersTimeout: LIMITS.controlRequestTimeoutMs,
      connectionsCheckingInterval: 1_000,
      requireHostHeader: false, // Our own check refuses what has none, with problem details.
    },
    (request, response) => {
      const { socket } = request
      const under = pending.get(socket) ?? new Set()
      pending.set(socket, under.add(response))
      response.once('close', () => under.delete(response))
      if (under.size <= LIMITS.controlPipelinedMax) {
        onRequest(request, response)
        return
      }
      // One refusal, which closes the connection; what else was on its way is not answered.
      if (under.size > LIMITS.controlPipelinedMax + 1) return
      const error = new UpdateError(
        'LIMIT_EXCEEDED',
        `${under.size - 1} requests on this connection wait for an answer`,
      )
      response.writeHead(503, { 'content-type': PROBLEM_TYPE, connection: 'close' }).end(bodyOf(error, 503))
    },
  )
  // A listener that reads nothing lets the heartbeats pile up until its socket takes no more: then it is dropped here.
  server.timeout = 4 * heartbeatMs
  server.maxConnections = LIMITS.controlConnectionsMax
  server.on('clientError', (error, socket) => {
    const under = [...(pending.get(socket as Socket) ?? [])]
    const mayAnswer = under.length <= 1 && under.every((response) => !response.headersSent)
    if (socket.writable && mayAnswer && systemCodeOf(error) !== 'ECONNRESET') socket.write(lastWordsTo(error))
    socket.destroy(error)
  })
  return server
}

/** Ends idle connections at once, and all others after a moment. */
export const closeServer = async (server: Server): Promise<void> => {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  server.closeIdleConnections()
  const impatient = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)
  await closed
  clearTimeout(impatient)
}

const CLOSE_GRACE_MS = 1_000

const lastWordsTo = (error: Error): string => {
  switch (systemCodeOf(error)) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return lastAnswer(
        new UpdateError('LIMIT_EXCEEDED', `the request took longer than ${LIMITS.controlRequestTimeoutMs / 1_000} s`),
        408,
      )
    case 'HPE_HEADER_OVERFLOW':
      return lastAnswer(new UpdateError('LIMIT_EXCEEDED', 'the headers are too long'), 431)
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return lastAnswer(new UpdateError('LIMIT_EXCEEDED', 'the chunks of the body have too many extensions'), 413)
    default:
      return lastAnswer(new UpdateError('USAGE', 'this is not a request of HTTP 1.1'), 400)
  }
}
