// What one request asks for: its path, its parameters and its body, parsed at the door.
import type { IncomingMessage } from 'node:http'
import { isUpdateError, UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import type * as z from 'zod/mini'

export interface Question {
  readonly request: IncomingMessage
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  /** From the path, by the name that it has in `PATHS`. */
  readonly parameters: Readonly<Record<string, string>>
}

/** Errors: USAGE if it is addressed to somebody else. */
export const questionIn = (request: IncomingMessage): Question => {
  const { method = '', url = '' } = request
  if (!url.startsWith('/')) throw new UpdateError('USAGE', 'this agent is no proxy')
  const [path = '', ...query] = url.split('?')
  return { request, method, path, query: new URLSearchParams(query.join('?')), parameters: {} }
}

/** The parameters of `path` if it is one of `pattern` (`/v1/products/:product/history`), else undefined. Errors: USAGE. */
export const matchPath = (pattern: string, path: string): Readonly<Record<string, string>> | undefined => {
  const [wanted, given] = [pattern.split('/'), path.split('/')]
  if (wanted.length !== given.length) return undefined
  const parameters: Record<string, string> = {}
  for (const [at, part] of wanted.entries()) {
    const text = given[at] ?? ''
    if (part.startsWith(':') && text !== '') parameters[part.slice(1)] = text
    else if (part !== text) return undefined
  }
  for (const [name, text] of Object.entries(parameters)) parameters[name] = decoded(text)
  return parameters
}

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch (error) {
    throw new UpdateError('USAGE', `${JSON.stringify(text)} in the path is not percent-encoded`, { cause: error })
  }
}

/** The cursor to go on from: of the query, or as browsers send it when they connect again. Errors: USAGE. */
export const cursorIn = ({ query, request }: Question): number => {
  const text = query.get('after') ?? request.headersDistinct['last-event-id']?.[0] ?? '0'
  if (!/^\d{1,15}$/.test(text)) {
    throw new UpdateError('USAGE', `cursor ${JSON.stringify(text)} is not a number`, {
      hint: 'use the id of the last event seen, or the cursor of the status',
    })
  }
  return Number(text)
}

/** Errors: USAGE. */
export const limitIn = ({ query }: Question): number | undefined => {
  const text = query.get('limit')
  if (text === null) return undefined
  if (!/^[1-9]\d{0,5}$/.test(text)) {
    throw new UpdateError('USAGE', `limit ${JSON.stringify(text)} is not a count from 1 to 999999`)
  }
  return Number(text)
}

/** What the body asks for; no body asks for nothing in particular. Errors: USAGE, LIMIT_EXCEEDED. */
export const bodyIn = async <T>({ request }: Question, schema: z.ZodMiniType<T>): Promise<T> => {
  const text = await readBody(request)
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

/** Errors: LIMIT_EXCEEDED, before more than the limit was taken in; USAGE. */
const readBody = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = []
  let length = 0
  try {
    // The connection outlives a body that is refused: it is what the refusal is sent on.
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
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
