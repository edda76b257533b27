// Asks an address whether all is well: one request, no redirects, nothing of the body read, nothing left open.
import { request } from 'node:http'
import { request as requestOverTls } from 'node:https'
import { messageOf } from '@updraft/core/errors'

export interface AskOptions {
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** Undefined if the answer was a 2xx, else in words what happened instead. Errors: ABORTED (the reason of the signal). */
export const askAddress = async (url: string, { timeoutMs, signal }: AskOptions): Promise<string | undefined> => {
  const late = AbortSignal.timeout(timeoutMs)
  try {
    const status = await statusOf(url, AbortSignal.any([signal, late]))
    return status >= 200 && status < 300 ? undefined : `answered with status ${status}`
  } catch (error) {
    signal.throwIfAborted()
    return late.aborted ? `gave no answer within ${timeoutMs / 1000} s` : `could not be asked: ${reasonOf(error)}`
  }
}

const statusOf = (url: string, signal: AbortSignal): Promise<number> =>
  new Promise((resolve, reject) => {
    const send = new URL(url).protocol === 'https:' ? requestOverTls : request
    const outgoing = send(url, { agent: false, signal, headers: { accept: '*/*', 'user-agent': 'updraft-agent' } })
    outgoing.on('error', reject)
    outgoing.on('response', (response) => {
      resolve(response.statusCode ?? 0)
      response.on('error', () => {}) // Nobody reads the rest.
      response.destroy()
    })
    outgoing.end()
  })

/** With several addresses behind a name, Node's message is empty and the code says it all. */
const reasonOf = (error: unknown): string => messageOf(error) || String((error as { code?: unknown }).code)
