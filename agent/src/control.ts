// The agent's end of the control API: HTTP over a local socket that only its owner may open, unless whoever handed it over
// has let others in. Parses at the door, answers every failure with problem details, and knows nothing of updates: what it
// tells and starts is handed to it.
import { chmod, lstat, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { getRequestListener } from '@hono/node-server'
import {
  type CheckAnswer,
  type CheckRequest,
  checkRequestSchema,
  type History,
  type ImportAnswer,
  type ImportRequest,
  importRequestSchema,
  PATHS,
  type RetryAnswer,
  type RollbackAnswer,
  type RollbackRequest,
  rollbackRequestSchema,
  type Status,
  type Wish,
  type WishAnswer,
  wishSchema,
} from '@updraft/core/control/api'
import { problemOf } from '@updraft/core/control/problem'
import { fromFileSystem, isUpdateError, systemCodeOf, UpdateError } from '@updraft/core/errors'
import { makeDirectory } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { type Context, Hono, type MiddlewareHandler } from 'hono'
import type * as z from 'zod'
import { type EventListeners, type EventListenersOptions, openEventListeners } from './control/event-listeners.ts'
import type { EventLog } from './store/events.ts'

export interface ControlHandlers {
  readonly status: () => Promise<Status>
  /** Errors: PRODUCT_UNKNOWN. */
  readonly check: (request: CheckRequest) => Promise<CheckAnswer>
  /** Errors: EXPORT_INVALID, PRODUCT_UNKNOWN, PERMISSION, IO. */
  readonly import: (request: ImportRequest) => Promise<ImportAnswer>
  /** Errors: PRODUCT_UNKNOWN. */
  readonly history: (product: string, limit: number | undefined) => Promise<History>
  /** Errors: PRODUCT_UNKNOWN, RELEASE_UNKNOWN, USAGE, VERSION_INVALID. */
  readonly rollback: (product: string, request: RollbackRequest) => Promise<RollbackAnswer>
  /** Errors: PRODUCT_UNKNOWN. */
  readonly retry: (product: string) => Promise<RetryAnswer>
  /** Errors: PRODUCT_UNKNOWN, RELEASE_UNKNOWN, VERSION_INVALID. */
  readonly wish: (product: string, wish: Wish) => Promise<WishAnswer>
  /** The text of one scrape. */
  readonly metrics: () => Promise<string>
  readonly events: EventLog
  /** Called with what went wrong inside: the other end is told less. */
  readonly onDefect: (error: unknown) => void
}

export interface ControlOptions extends EventListenersOptions {
  /** A socket that listens already, as service managers hand it over: whoever made it guards it and removes it. */
  readonly listeningFd?: number | undefined
}

/**
 * Serves the control API at `socketPath` until it is disposed; the socket is then gone. The caller holds the lock of the
 * home: a socket that nobody answers on is taken for a remainder of an agent that was killed, and replaced.
 *
 * Errors: AGENT_RUNNING if an agent answers there, PERMISSION if something else than a socket is in the way, IO.
 */
export const serveControl = async (
  socketPath: string,
  handlers: ControlHandlers,
  options: ControlOptions = {},
): Promise<AsyncDisposable> => {
  const { listeningFd } = options
  if (listeningFd === undefined) {
    await makeDirectory(dirname(socketPath), 0o700)
    await removeStaleSocket(socketPath)
  }
  const listeners = openEventListeners(handlers.events, options)
  const app = appOf(handlers, listeners)
  const server = createServer(
    {
      requestTimeout: LIMITS.controlRequestTimeoutMs,
      headersTimeout: LIMITS.controlRequestTimeoutMs,
      connectionsCheckingInterval: 1_000,
    },
    getRequestListener(app.fetch, {
      overrideGlobalObjects: false,
      errorHandler: (error) => answer(new UpdateError('USAGE', 'the request is malformed', { cause: error })),
    }),
  )
  // A listener that reads nothing lets the heartbeats pile up until its socket takes no more: then it is dropped here.
  server.timeout = 4 * (options.heartbeatMs ?? LIMITS.controlHeartbeatMs)
  server.maxConnections = 2 * LIMITS.controlListenersMax
  await (listeningFd === undefined ? listen(server, socketPath) : listenOn(server, listeningFd))
  return {
    [Symbol.asyncDispose]: async () => {
      listeners.close()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeIdleConnections()
      const impatient = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)
      await closed
      clearTimeout(impatient)
    },
  }
}

const CLOSE_GRACE_MS = 1_000

const appOf = (handlers: ControlHandlers, listeners: EventListeners): Hono => {
  const app = new Hono()
  app.use(refuseBrowsers)
  app.get(PATHS.status, async (context) => context.json(await handlers.status()))
  app.get(PATHS.events, (context) => {
    // Hono answers HEAD by the handler of GET and drops the body, which would count as a listener for ever.
    if (context.req.method === 'HEAD') return answer(methodUnknown(context), 405)
    return listeners.answer(cursorIn(context))
  })
  app.get(PATHS.history, async (context) =>
    context.json(await handlers.history(context.req.param('product'), limitIn(context))),
  )
  app.get(PATHS.metrics, async (context) =>
    context.body(await handlers.metrics(), 200, { 'content-type': METRICS_TYPE }),
  )
  app.post(PATHS.check, async (context) =>
    context.json(await handlers.check(await bodyIn(context, checkRequestSchema)), 202),
  )
  app.post(PATHS.rollback, async (context) =>
    context.json(await handlers.rollback(context.req.param('product'), await bodyIn(context, rollbackRequestSchema))),
  )
  app.post(PATHS.retry, async (context) => context.json(await handlers.retry(context.req.param('product')), 202))
  app.post(PATHS.wishes, async (context) =>
    context.json(await handlers.wish(context.req.param('product'), await bodyIn(context, wishSchema))),
  )
  app.post(PATHS.import, async (context) =>
    context.json(await handlers.import(await bodyIn(context, importRequestSchema)), 202),
  )
  app.get(PATHS.openapi, async (context) => {
    const { openApiDocument } = await import('@updraft/core/control/openapi') // Only for those who ask.
    return context.json(openApiDocument())
  })
  for (const path of Object.values(PATHS)) app.all(path, (context) => answer(methodUnknown(context), 405))
  app.notFound(({ req }) => answer(new UpdateError('USAGE', `there is nothing at ${req.path}`), 404))
  app.onError((error) => {
    if (!isUpdateError(error)) handlers.onDefect(error)
    return answer(error)
  })
  return app
}

/** Prometheus, "Exposition formats": the version is that of the text format. */
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

const methodUnknown = ({ req }: Context): UpdateError =>
  new UpdateError('USAGE', `${req.path} does not know the method ${req.method}`)

const answer = (error: unknown, status?: number): Response => {
  const problem = problemOf(error, status)
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'content-type': 'application/problem+json' },
  })
}

/** No browser has business here: one that was tricked into asking shows itself by its Origin or by the name it asked for. */
const refuseBrowsers: MiddlewareHandler = async ({ req }, next) => {
  const host = req.header('host') ?? ''
  if (req.header('origin') !== undefined) {
    return answer(new UpdateError('PERMISSION', 'requests with an Origin are refused'))
  }
  if (!/^localhost(:\d+)?$/i.test(host)) {
    return answer(new UpdateError('PERMISSION', `host ${JSON.stringify(host)} is not localhost`))
  }
  return next()
}

const cursorIn = ({ req }: Context): number => {
  const text = req.query('after') ?? req.header('last-event-id') ?? '0'
  if (!/^\d{1,15}$/.test(text)) {
    throw new UpdateError('USAGE', `cursor ${JSON.stringify(text)} is not a number`, {
      hint: 'use the id of the last event seen, or the cursor of the status',
    })
  }
  return Number(text)
}

const limitIn = ({ req }: Context): number | undefined => {
  const text = req.query('limit')
  if (text === undefined) return undefined
  if (!/^[1-9]\d{0,5}$/.test(text)) {
    throw new UpdateError('USAGE', `limit ${JSON.stringify(text)} is not a count from 1 to 999999`)
  }
  return Number(text)
}

/** Errors: LIMIT_EXCEEDED, before more than the limit was taken in. */
const readBody = async ({ body }: Request): Promise<string> => {
  const chunks: Uint8Array[] = []
  let length = 0
  try {
    for await (const chunk of body ?? []) {
      length += chunk.length
      if (length > LIMITS.controlBodyBytes) {
        throw new UpdateError('LIMIT_EXCEEDED', `the body has more than ${LIMITS.controlBodyBytes} bytes`)
      }
      chunks.push(chunk)
    }
  } catch (error) {
    if (isUpdateError(error)) throw error
    throw new UpdateError('USAGE', 'the body broke off', { cause: error }) // It took too long, or whoever sent it left.
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** What the body asks for; no body asks for nothing in particular. Errors: USAGE, LIMIT_EXCEEDED. */
const bodyIn = async <T>({ req }: Context, schema: z.ZodType<T>): Promise<T> => {
  const text = await readBody(req.raw)
  let value: unknown = {}
  try {
    if (text !== '') value = JSON.parse(text)
  } catch (error) {
    throw new UpdateError('USAGE', 'the body is not JSON', { cause: error })
  }
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const faults = result.error.issues.map(({ path, message }) => `${path.join('.') || 'body'}: ${message}`)
  throw new UpdateError('USAGE', `the body is malformed: ${faults.join('; ')}`)
}

/** Never follows a link, and never removes anything but a socket that nobody answers on. */
const removeStaleSocket = async (path: string): Promise<void> => {
  try {
    const found = await lstat(path)
    if (!found.isSocket()) {
      throw new UpdateError('PERMISSION', `${path} is in the way: it is not a socket`, {
        hint: 'look at it, and remove it if it is not needed',
      })
    }
    if (await isAnswered(path)) {
      throw new UpdateError('AGENT_RUNNING', `another agent answers on ${path}`, {
        hint: 'stop it, or set UPDRAFT_HOME to give this one a home of its own',
      })
    }
    await rm(path)
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw fromFileSystem(error, `cannot take over the socket ${path}`)
  }
}

const isAnswered = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path)
    const settle = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.on('connect', () => settle(true))
    socket.on('error', () => settle(false))
  })

const listen = async (server: Server, path: string): Promise<void> => {
  const listening = new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', (error) => reject(fromFileSystem(error, `cannot listen on ${path}`)))
  })
  // The socket is bound within the call: there is no moment in which it is open to others.
  const before = process.umask(0o177)
  try {
    server.listen(path)
  } finally {
    process.umask(before)
  }
  await listening
  try {
    await chmod(path, 0o600)
  } catch (error) {
    throw fromFileSystem(error, `cannot protect the socket ${path}`)
  }
}

/** Closing the server closes the descriptor and leaves the path of the socket alone. */
const listenOn = (server: Server, fd: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', (error) => reject(fromFileSystem(error, `cannot listen on the socket handed over as ${fd}`)))
    server.listen({ fd })
  })
