// What is sent back: a document, or a failure as problem details; for a request that was understood, and for a connection on
// which none was.
import { type OutgoingHttpHeaders, type ServerResponse, STATUS_CODES } from 'node:http'
import { problemOf } from '@updraft/core/control/problem'
import type { UpdateError } from '@updraft/core/errors'

export const PROBLEM_TYPE = 'application/problem+json'

export interface Answer {
  readonly status: number
  readonly headers: OutgoingHttpHeaders
  readonly body: string
}

export const bodyOf = (error: unknown, status?: number): string => JSON.stringify(problemOf(error, status))

export const jsonAnswer = (value: unknown, status = 200): Answer => ({
  status,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
})

export const problemAnswer = (error: unknown, status?: number, headers: OutgoingHttpHeaders = {}): Answer => {
  const problem = problemOf(error, status)
  // RFC 9110, 11.6.1: whoever lacks credentials is told which kind is wanted.
  const wanted = problem.status === 401 ? { 'www-authenticate': 'Bearer' } : {}
  return {
    status: problem.status,
    headers: { 'content-type': PROBLEM_TYPE, ...wanted, ...headers },
    body: JSON.stringify(problem),
  }
}

/** Sends it whole. Of an answer to HEAD, Node sends the headers alone. */
export const send = (response: ServerResponse, { status, headers, body }: Answer): void => {
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers }).end(body)
}

/** The last words on a connection, as bytes. */
export const lastAnswer = (error: UpdateError, status: number): string => {
  const body = bodyOf(error, status)
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `content-type: ${PROBLEM_TYPE}`,
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
    '',
    body,
  ].join('\r\n')
}
