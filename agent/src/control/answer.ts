// Failures as problem details: for a request that was understood, and for a connection on which none was.
import { STATUS_CODES } from 'node:http'
import { problemOf } from '@updraft/core/control/problem'
import type { UpdateError } from '@updraft/core/errors'

export const PROBLEM_TYPE = 'application/problem+json'

export const bodyOf = (error: unknown, status?: number): string => JSON.stringify(problemOf(error, status))

export const answer = (error: unknown, status?: number, headers: Readonly<Record<string, string>> = {}): Response => {
  const problem = problemOf(error, status)
  // RFC 9110, 11.6.1: whoever lacks credentials is told which kind is wanted.
  const wanted = problem.status === 401 ? { 'www-authenticate': 'Bearer' } : {}
  return new Response(JSON.stringify(problem), {
    status: problem.status,
    headers: { 'content-type': PROBLEM_TYPE, ...wanted, ...headers },
  })
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
