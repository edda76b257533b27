// Which question is answered by what. Parses at the door, answers every failure with problem details, and lets in only whom
// the rules let in.
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  checkRequestSchema,
  importRequestSchema,
  PATHS,
  rollbackRequestSchema,
  wishSchema,
} from '@updraft/core/control/api'
import { isUpdateError, UpdateError } from '@updraft/core/errors'
import { EXPOSITION_TYPE } from '@updraft/core/exposition'
import type { ControlHandlers } from '../control.ts'
import { type AccessRules, assertHostAndOrigin, assertToken } from './access.ts'
import { type Answer, jsonAnswer, problemAnswer, send } from './answer.ts'
import type { EventListeners } from './event-listeners.ts'
import { bodyIn, cursorIn, limitIn, matchPath, type Question, questionIn } from './question.ts'

export interface RoutesOptions {
  readonly handlers: ControlHandlers
  readonly listeners: EventListeners
  readonly rules: AccessRules
  /** Where the API is besides on the socket. */
  readonly url: () => string | undefined
}

export type Listener = (request: IncomingMessage, response: ServerResponse) => void

/** What answers the requests of a server. */
export const listenerOf = (options: RoutesOptions): Listener => {
  const routes = routesOf(options)
  return (request, response) => {
    if (options.rules.origins.length > 0) allowOrigin(request, response, options.rules)
    answerTo(request, options.rules, routes).then(
      (answer) => (answer instanceof Function ? answer(response) : send(response, answer)),
      (error: unknown) => {
        if (!isUpdateError(error)) options.handlers.onDefect(error)
        send(response, problemAnswer(error))
      },
    )
  }
}

/** An answer, or what goes on with one for as long as it likes. */
type Answering = Answer | ((response: ServerResponse) => void)

interface Route {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly answer: (question: Question) => Promise<Answering> | Answering
}

const answerTo = async (request: IncomingMessage, rules: AccessRules, routes: readonly Route[]): Promise<Answering> => {
  const question = questionIn(request)
  assertHostAndOrigin(request.headersDistinct, rules)
  // A browser asks first whether it may ask, and does not send the token along.
  if (question.method === 'OPTIONS' && rules.origins.length > 0) return { status: 204, headers: {}, body: '' }
  assertToken(request.headersDistinct, rules)
  const { method, path } = question
  for (const route of routes) {
    const parameters = matchPath(route.path, path)
    if (parameters === undefined) continue
    // Events never end, and an answer to HEAD without an end would count as a listener for ever.
    const isHead = method === 'HEAD' && route.method === 'GET' && route.path !== PATHS.events
    if (method === route.method || isHead) return route.answer({ ...question, parameters })
    return problemAnswer(new UpdateError('USAGE', `${path} does not know the method ${method}`), 405)
  }
  return problemAnswer(new UpdateError('USAGE', `there is nothing at ${path}`), 404)
}

/** What lets the pages of these origins read an answer. Source: Fetch, 3.3 (CORS protocol). */
const allowOrigin = ({ headers }: IncomingMessage, response: ServerResponse, { origins }: AccessRules): void => {
  response.setHeader('vary', 'Origin')
  if (headers.origin === undefined || !origins.includes(headers.origin)) return
  response.setHeader('access-control-allow-origin', headers.origin)
  response.setHeader('access-control-allow-headers', 'authorization,content-type')
  response.setHeader('access-control-allow-methods', 'GET,POST')
}

const routesOf = ({ handlers, listeners, url }: RoutesOptions): readonly Route[] => {
  const get = (path: string, answer: Route['answer']): Route => ({ method: 'GET', path, answer })
  const post = (path: string, answer: Route['answer']): Route => ({ method: 'POST', path, answer })
  return [
    get(PATHS.status, async () => {
      const { agent, ...status } = await handlers.status()
      const controlUrl = url()
      return jsonAnswer({ ...status, agent: controlUrl === undefined ? agent : { ...agent, controlUrl } })
    }),
    get(PATHS.events, (question) => {
      const cursor = cursorIn(question)
      try {
        return listeners.listen(cursor)
      } catch (error) {
        return problemAnswer(error, 503, { connection: 'close' }) // Room is for those who can be served.
      }
    }),
    get(PATHS.history, async (question) => jsonAnswer(await handlers.history(productIn(question), limitIn(question)))),
    get(PATHS.proof, async (question) => jsonAnswer(await handlers.proof(productIn(question)))),
    get(PATHS.transfers, async () => jsonAnswer(await handlers.transfers())),
    get(PATHS.metrics, async () => ({
      status: 200,
      headers: { 'content-type': EXPOSITION_TYPE },
      body: await handlers.metrics(),
    })),
    get(PATHS.openapi, async () => {
      const { openApiDocument } = await import('@updraft/core/control/openapi') // Only for those who ask.
      return jsonAnswer(openApiDocument())
    }),
    post(PATHS.check, async (question) =>
      jsonAnswer(await handlers.check(await bodyIn(question, checkRequestSchema)), 202),
    ),
    post(PATHS.import, async (question) =>
      jsonAnswer(await handlers.import(await bodyIn(question, importRequestSchema)), 202),
    ),
    post(PATHS.rollback, async (question) =>
      jsonAnswer(await handlers.rollback(productIn(question), await bodyIn(question, rollbackRequestSchema))),
    ),
    post(PATHS.retry, async (question) => jsonAnswer(await handlers.retry(productIn(question)), 202)),
    post(PATHS.wishes, async (question) =>
      jsonAnswer(await handlers.wish(productIn(question), await bodyIn(question, wishSchema))),
    ),
  ]
}

const productIn = ({ parameters }: Question): string => parameters.product ?? ''
