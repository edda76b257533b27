// The control API on a port of the loopback interface, if the settings ask for it: opened, closed and opened elsewhere as
// they change. A second door to the same rooms, with a lock of its own; the socket stays as it is whatever happens here.
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import { fromFileSystem, systemCodeOf, UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import type { LoopbackSettings } from '../settings/control.ts'
import { type AccessRules, isLoopbackOn } from './access.ts'
import { closeServer, httpServer } from './http-server.ts'
import { makeToken, removeToken } from './token.ts'

export interface LoopbackOptions {
  /** Where its token is for those who may read it. */
  readonly tokenFile: string
  readonly heartbeatMs: number
  /** What answers, once it is known who may ask. */
  readonly serve: (rules: AccessRules) => (request: IncomingMessage, response: ServerResponse) => void
  readonly onOpen: (url: string) => void
}

export interface Loopback extends AsyncDisposable {
  /**
   * Opens it, closes it, or opens it elsewhere. Where that fails it is open as before.
   *
   * Errors: PORT_IN_USE, PERMISSION, DISK_FULL, IO.
   */
  apply(settings: LoopbackSettings | undefined): Promise<void>
  /** `http://127.0.0.1:PORT` while it is open. */
  url(): string | undefined
}

export const loopback = (options: LoopbackOptions): Loopback => {
  let open: Door | undefined
  let settings: LoopbackSettings | undefined
  const close = async (): Promise<void> => {
    const closing = open
    open = undefined
    settings = undefined
    if (closing === undefined) return
    await closeServer(closing.server)
    await removeToken(options.tokenFile)
  }
  const openAt = async (wanted: LoopbackSettings): Promise<void> => {
    open = await openDoor(wanted, options)
    settings = wanted
    options.onOpen(open.url)
  }
  return {
    apply: async (wanted) => {
      if (isDeepStrictEqual(wanted, settings)) return
      const before = settings
      await close()
      if (wanted === undefined) return
      try {
        await openAt(wanted)
      } catch (error) {
        if (before !== undefined) await openAt(before)
        throw error
      }
    },
    url: () => open?.url,
    [Symbol.asyncDispose]: close,
  }
}

interface Door {
  readonly server: Server
  readonly url: string
}

const openDoor = async (
  { address, port, origins }: LoopbackSettings,
  { tokenFile, heartbeatMs, serve }: LoopbackOptions,
): Promise<Door> => {
  const token = await makeToken(tokenFile)
  let onRequest: ReturnType<typeof serve> = () => {}
  const server = httpServer({ onRequest: (request, response) => onRequest(request, response), heartbeatMs })
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('listening', resolve)
      server.once('error', (error) => reject(fromListening(error, `${address}:${port}`)))
      server.listen({ host: address, port, backlog: LIMITS.controlConnectionsMax, exclusive: true })
    })
  } catch (error) {
    await removeToken(tokenFile)
    throw error
  }
  // Nobody is served before this: the port is part of the name that is to be asked for.
  const { port: taken } = server.address() as AddressInfo
  onRequest = serve({ isOwnHost: isLoopbackOn(taken), origins, token })
  return { server, url: `http://${address.includes(':') ? `[${address}]` : address}:${taken}` }
}

const fromListening = (error: unknown, where: string): unknown =>
  systemCodeOf(error) === 'EADDRINUSE'
    ? new UpdateError('PORT_IN_USE', `the control API cannot be at ${where}: another program listens there`, {
        cause: error,
        hint: 'set control.loopback.port in agent.json to another one, or to 0 for any that is free',
      })
    : fromFileSystem(error, `the control API cannot be at ${where}`)
