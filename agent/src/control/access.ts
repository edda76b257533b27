// Who may ask: the rules for one request, from its headers alone. Pure. What opens a socket is guarded by the operating
// system; a port of the loopback interface is open to every user and, through a browser, to every web page of this machine.
import { createHash, timingSafeEqual } from 'node:crypto'
import { UpdateError } from '@updraft/core/errors'

export interface AccessRules {
  readonly isOwnHost: (host: string) => boolean
  /** Web pages that may ask, as they name themselves; nobody else who has an origin may. */
  readonly origins: readonly string[]
  /** Asked of everyone; undefined where the operating system has done so. */
  readonly token: string | undefined
}

/** Each header by its name in lower case, with every value that it was sent with. */
export type SentHeaders = Readonly<Record<string, readonly string[] | undefined>>

/** A page whose name was pointed here (DNS rebinding) still asks for that name. */
export const assertHostAndOrigin = (headers: SentHeaders, { isOwnHost, origins }: AccessRules): void => {
  const host = onlyValueOf(headers, 'host')
  // RFC 9112, 3.2.
  if (host === undefined) throw new UpdateError('USAGE', 'the request names no host')
  if (!isOwnHost(host)) {
    throw new UpdateError('PERMISSION', `host ${JSON.stringify(host)} is not a name of this agent`)
  }
  const origin = onlyValueOf(headers, 'origin')
  if (origin !== undefined && !origins.includes(origin)) {
    throw new UpdateError('PERMISSION', `requests with the origin ${JSON.stringify(origin)} are refused`)
  }
}

/** Source: RFC 6750, 2.1; in constant time, and whatever length is sent. Errors: TOKEN_INVALID. */
export const assertToken = (headers: SentHeaders, { token }: AccessRules): void => {
  if (token === undefined) return
  const sent = /^Bearer +([\w.~+/=-]+)$/i.exec(onlyValueOf(headers, 'authorization') ?? '')?.[1]
  if (sent !== undefined && timingSafeEqual(digestOf(sent), digestOf(token))) return
  throw new UpdateError(
    'TOKEN_INVALID',
    sent === undefined ? 'no token was sent' : 'this is not the token of the agent',
    {
      hint: 'send what is in the file of the token as: Authorization: Bearer TOKEN; it is another one after each start',
    },
  )
}

/** Over the socket, where the name means nothing: what programs send who have to send some. */
export const isLocalhost = (host: string): boolean => /^localhost(:\d{1,5})?$/i.test(host)

/** On a port: the names of the loopback interface, with just this port. */
export const isLoopbackOn =
  (port: number) =>
  (host: string): boolean =>
    [`127.0.0.1:${port}`, `[::1]:${port}`, `localhost:${port}`].includes(host.toLowerCase())

/** A header that was sent twice may be read as either by whoever stands in between: neither counts. Errors: USAGE. */
const onlyValueOf = (headers: SentHeaders, name: string): string | undefined => {
  const [value, ...others] = headers[name] ?? []
  if (others.length > 0) throw new UpdateError('USAGE', `the header ${name} was sent ${others.length + 1} times`)
  return value
}

const digestOf = (text: string): Buffer => createHash('sha256').update(text).digest()
