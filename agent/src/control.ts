// The agent's end of the control API: HTTP over a local socket that only its owner may open, unless whoever handed it over
// or the settings have let others in, and on a port of this machine if the settings say so. Parses at the door, answers
// every failure with problem details, and knows nothing of updates: what it tells and starts is handed to it.
import type { IncomingMessage } from 'node:http'
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
  type ProofAnswer,
  type RetryAnswer,
  type RollbackAnswer,
  type RollbackRequest,
  rollbackRequestSchema,
  type Status,
  type Transfers,
  type Wish,
  type WishAnswer,
  wishSchema,
} from '@updraft/core/control/api'
import { isUpdateError, UpdateError } from '@updraft/core/errors'
import { EXPOSITION_TYPE } from '@updraft/core/exposition'
import { LIMITS } from '@updraft/core/limits'
import { type Context, Hono } from 'hono'
import { cors } from 'hono/cors'
import type * as z from 'zod/mini'
import { type AccessRules, assertHostAndOrigin, assertToken, isLocalhost } from './control/access.ts'
import { answer } from './control/answer.ts'
import { type EventListeners, type EventListenersOptions, openEventListeners } from './control/event-listeners.ts'
import { closeServer, httpServer } from './control/http-server.ts'
import { loopback } from './control/loopback.ts'
import { listenAt, listenOn, openToGroup } from './control/socket.ts'
import { type Log, silentLog } from './log.ts'
import type { ControlSettings } from './settings/control.ts'
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
  /** Errors: PRODUCT_UNKNOWN, RELEASE_UNKNOWN, ROOT_UNKNOWN, STATE_DAMAGED, PERMISSION, IO. */
  readonly proof: (product: string) => Promise<ProofAnswer>
  readonly transfers: () => Promise<Transfers>
  /** The text of one scrape. */
  readonly metrics: () => Promise<string>
  readonly events: EventLog
  /** Called with what went wrong inside: the other end is told less. */
  readonly onDefect: (error: unknown) => void
}

export interface ControlOptions extends EventListenersOptions {
  /** A socket that listens already, as service managers hand it over: whoever made it guards it and removes it. */
  readonly listeningFd?: number | undefined
  /** Where the token is put while the API is on a port. */
  readonly tokenFile: string
  readonly log?: Pick<Log, 'info' | 'warn'>
}

export interface Control extends AsyncDisposable {
  /**
   * Lets in whom these settings let in, and nobody else any more.
   *
   * Errors: PORT_IN_USE, SETTINGS_INVALID if there is no such group, PERMISSION, DISK_FULL, IO.
   */
  apply(settings: ControlSettings): Promise<void>
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
  { listeningFd, tokenFile, log = silentLog, ...listening }: ControlOptions,
): Promise<Control> => {
  const { heartbeatMs = LIMITS.controlHeartbeatMs } = listening
  const listeners = openEventListeners(handlers.events, listening)
  const serve = (rules: AccessRules) =>
    getRequestListener(appOf({ handlers, listeners, rules, url: () => port.url() }).fetch, {
      overrideGlobalObjects: false,
      errorHandler: (error) => answer(new UpdateError('USAGE', 'the request is malformed', { cause: error })),
    })
  const port = loopback({
    tokenFile,
    heartbeatMs,
    serve,
    onOpen: (url) => log.info(`the control API answers on ${url} as well`, { tokenFile }),
  })
  const onRequest = serve({ isOwnHost: isLocalhost, origins: [], token: undefined })
  const server = httpServer({ onRequest, heartbeatMs })
  await (listeningFd === undefined ? listenAt(server, socketPath) : listenOn(server, listeningFd))

  let group: string | undefined
  const applyGroup = async (wanted: string | undefined): Promise<void> => {
    if (wanted === group) return
    if (listeningFd !== undefined) {
      group = wanted
      log.warn('control.socketGroup has no effect: the socket belongs to whoever started this agent', {
        hint: 'a socket unit of systemd has SocketGroup= and SocketMode=',
      })
      return
    }
    const closed = await openToGroup(socketPath, wanted)
    group = wanted
    if (closed !== undefined) log.warn(`members of ${wanted} cannot ask: they may not pass through ${closed}`)
  }
  return {
    apply: async ({ socketGroup, loopback }) => {
      await applyGroup(socketGroup)
      await port.apply(loopback)
    },
    [Symbol.asyncDispose]: async () => {
      listeners.close()
      await Promise.all([closeServer(server), port[Symbol.asyncDispose]()])
    },
  }
}

interface App {
  readonly handlers: ControlHandlers
  readonly listeners: EventListeners
  readonly rules: AccessRules
  /** Where the API is besides on the socket. */
  readonly url: () => string | undefined
}

const appOf = ({ handlers, listeners, rules, url }: App): Hono<Bindings> => {
  const app = new Hono<Bindings>()
  app.use(async ({ env: { incoming } }, next) => {
    if (incoming.url?.startsWith('/') !== true) throw new UpdateError('USAGE', 'this agent is no proxy')
    assertHostAndOrigin(incoming.headersDistinct, rules)
    await next()
  })
  if (rules.origins.length > 0) {
    // A browser asks first whether it may ask, and does not send the token along.
    app.use(
      cors({ origin: [...rules.origins], allowHeaders: ['authorization', 'content-type'], allowMethods: METHODS }),
    )
  }
  app.use(async ({ env: { incoming } }, next) => {
    assertToken(incoming.headersDistinct, rules)
    await next()
  })
  app.get(PATHS.status, async (context) => {
    const { agent, ...status } = await handlers.status()
    const controlUrl = url()
    return context.json({ ...status, agent: controlUrl === undefined ? agent : { ...agent, controlUrl } })
  })
  app.get(PATHS.events, (context) => {
    // Hono answers HEAD by the handler of GET and drops the body, which would count as a listener for ever.
    if (context.req.method === 'HEAD') return answer(methodUnknown(context), 405)
    const cursor = cursorIn(context)
    try {
      return listeners.answer(cursor)
    } catch (error) {
      return answer(error, 503, { connection: 'close' }) // Room is for those who can be served.
    }
  })
  app.get(PATHS.history, async (context) =>
    context.json(await handlers.history(context.req.param('product'), limitIn(context))),
  )
  app.get(PATHS.proof, async (context) => context.json(await handlers.proof(context.req.param('product'))))
  app.get(PATHS.transfers, async (context) => context.json(await handlers.transfers()))
  app.get(PATHS.metrics, async (context) =>
    context.body(await handlers.metrics(), 200, { 'content-type': EXPOSITION_TYPE }),
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

interface Bindings {
  Bindings: { readonly incoming: IncomingMessage }
}

const METHODS = ['GET', 'POST']

const methodUnknown = ({ req }: Context): UpdateError =>
  new UpdateError('USAGE', `${req.path} does not know the method ${req.method}`)

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

/** Errors: LIMIT_EXCEEDED, before more than the limit was taken in; USAGE. */
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
const bodyIn = async <T>({ req }: Context, schema: z.ZodMiniType<T>): Promise<T> => {
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
