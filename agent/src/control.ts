// The agent's end of the control API: HTTP over a local socket that only its owner may open, unless whoever handed it over
// or the settings have let others in, and on a port of this machine if the settings say so. Parses at the door, answers
// every failure with problem details, and knows nothing of updates: what it tells and starts is handed to it.
import type {
  CheckAnswer,
  CheckRequest,
  History,
  ImportAnswer,
  ImportRequest,
  ProofAnswer,
  RetryAnswer,
  RollbackAnswer,
  RollbackRequest,
  Status,
  Transfers,
  Wish,
  WishAnswer,
} from '@updraft/core/control/api'
import { LIMITS } from '@updraft/core/limits'
import { type AccessRules, isLocalhost } from './control/access.ts'
import { type EventListenersOptions, openEventListeners } from './control/event-listeners.ts'
import { closeServer, httpServer } from './control/http-server.ts'
import { loopback } from './control/loopback.ts'
import { listenerOf } from './control/routes.ts'
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
  const serve = (rules: AccessRules) => listenerOf({ handlers, listeners, rules, url: () => port.url() })
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
