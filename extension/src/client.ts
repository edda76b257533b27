// The connection to the agent: finds it, reads its status, follows its events, and does so again, with growing pauses,
// whenever it is lost. Tells news and nothing else; never knows VS Code, and never starts an agent.
import type { AgentEvent, RecordedEvent, Status } from '@updraft/core/control/api'
import { type CallOptions, type ControlClient, controlClient } from '@updraft/core/control/client'
import { hasCode, messageOf, UpdateError } from '@updraft/core/errors'
import { coalesce } from './coalesce.ts'

/** Why no agent is reached; each is something else to do for the person. */
export type LostReason = 'not-running' | 'no-permission' | 'incompatible' | 'misconfigured'

export type News =
  | { readonly kind: 'status'; readonly status: Status; readonly socketPath: string }
  | { readonly kind: 'event'; readonly recorded: RecordedEvent }
  | { readonly kind: 'lost'; readonly reason: LostReason; readonly message: string }

export interface Connection extends Disposable {
  /** Reads the status again, or tries to reach the agent now instead of after the pause. */
  readonly refresh: () => void
  /** Gives up the agent that is connected and looks for one anew: it may have to be found elsewhere now. */
  readonly restart: () => void
  /** Asks the agent something, or tells it to do something. Errors: AGENT_NOT_RUNNING and what the agent reports. */
  readonly ask: <T>(question: (client: ControlClient, options: CallOptions) => Promise<T>) => Promise<T>
  /** Where the agent that is connected listens. */
  readonly socketPath: () => string | undefined
}

export interface ConnectionOptions {
  /** Asked anew for each attempt, since settings change. The first socket that answers is taken. */
  readonly sockets: () => readonly string[]
  readonly onNews: (news: News) => void
  /** Pauses between attempts; the last one repeats. Asking an absent local socket costs next to nothing. */
  readonly retryDelaysMs?: readonly number[]
}

const RETRY_DELAYS_MS = [250, 500, 1_000, 2_000, 5_000]
/** An agent that restarts is back by then (1.75 s): until it is, what was last known stays on the screen. */
const ATTEMPTS_BEFORE_LOST = 4
/** A status of a thousand products takes a few milliseconds on both ends. */
const STATUS_SPACING_MS = 200

interface Reached {
  readonly client: ControlClient
  readonly socketPath: string
  readonly status: Status
}

/** Connects, and stays connected until disposed. */
export const followAgent = ({ sockets, onNews, retryDelaysMs = RETRY_DELAYS_MS }: ConnectionOptions): Connection => {
  const closing = new AbortController()
  const pauses = interruptiblePauses()
  let session: Session | undefined

  const run = async (): Promise<void> => {
    let failures = ATTEMPTS_BEFORE_LOST // Nothing is on the screen yet that could stay there.
    let told = ''
    while (!closing.signal.aborted) {
      try {
        session = openSession(await reach(sockets(), closing.signal), onNews, closing.signal)
        failures = 0
        told = ''
        await session.ended
      } catch (error) {
        if (closing.signal.aborted) return
        failures += 1
        const [reason, message] = [reasonOf(error), messageOf(error)]
        if (failures >= ATTEMPTS_BEFORE_LOST && told !== message) onNews({ kind: 'lost', reason, message })
        if (failures >= ATTEMPTS_BEFORE_LOST) told = message
      }
      session = undefined
      await pauses.pause(retryDelaysMs[Math.max(0, Math.min(failures, retryDelaysMs.length) - 1)] ?? 0)
    }
  }
  void run()

  return {
    refresh: () => (session === undefined ? pauses.interrupt() : session.refresh()),
    restart: () => (session === undefined ? pauses.interrupt() : session.end()),
    ask: async (question) => {
      if (session === undefined) throw new UpdateError('AGENT_NOT_RUNNING', 'no agent is connected')
      return await question(session.client, { signal: closing.signal })
    },
    socketPath: () => session?.socketPath,
    [Symbol.dispose]: () => {
      closing.abort()
      pauses.interrupt()
    },
  }
}

/** The first socket that answers. If none does, the most telling failure: "no permission" says more than "nobody there". */
const reach = async (sockets: readonly string[], signal: AbortSignal): Promise<Reached> => {
  const failures: unknown[] = []
  for (const socketPath of sockets) {
    const client = controlClient(socketPath)
    try {
      return { client, socketPath, status: await client.status({ signal }) }
    } catch (error) {
      failures.push(error)
    }
  }
  throw failures.find((error) => !hasCode(error, 'AGENT_NOT_RUNNING')) ?? failures[0]
}

/** One connection to one running agent. */
interface Session {
  readonly client: ControlClient
  readonly socketPath: string
  /** Resolves when events must be followed anew at once; rejects when the agent is lost. */
  readonly ended: Promise<void>
  readonly refresh: () => void
  readonly end: () => void
}

const openSession = (reached: Reached, onNews: (news: News) => void, closing: AbortSignal): Session => {
  const { client, socketPath, status } = reached
  const ending = new AbortController()
  const signal = AbortSignal.any([closing, ending.signal])
  /** Events that came while the status was being read: it may be older than they are, so they are told again after it. */
  let held: RecordedEvent[] | undefined

  const readStatus = async (): Promise<void> => {
    held = []
    try {
      onNews({ kind: 'status', status: await client.status({ signal }), socketPath })
      for (const recorded of held) onNews({ kind: 'event', recorded })
    } catch (error) {
      ending.abort(error) // The connection is not good for events either.
    }
    held = undefined
  }
  const reading = coalesce(readStatus, STATUS_SPACING_MS)

  const follow = async (): Promise<void> => {
    onNews({ kind: 'status', status, socketPath })
    try {
      for await (const recorded of client.events(status.cursor, { signal })) {
        if (recorded.event.kind === 'reset') return
        held?.push(recorded)
        onNews({ kind: 'event', recorded })
        if (!saysAll(recorded.event)) reading.request()
      }
    } catch (error) {
      throw ending.signal.aborted ? ending.signal.reason : error
    } finally {
      reading[Symbol.dispose]()
    }
    throw new UpdateError('AGENT_NOT_RUNNING', `the agent on ${socketPath} has stopped`)
  }
  const end = (): void => ending.abort(new UpdateError('ABORTED', `the connection to ${socketPath} was given up`))
  return { client, socketPath, ended: follow(), refresh: reading.request, end }
}

/** Progress says all there is to say. Every other event only says that the status is worth reading again. */
const saysAll = (event: AgentEvent): boolean =>
  event.kind === 'update' && (event.update.state === 'downloading' || event.update.state === 'verifying')

const reasonOf = (error: unknown): LostReason => {
  if (hasCode(error, 'AGENT_NOT_RUNNING')) return 'not-running'
  if (hasCode(error, 'PERMISSION')) return 'no-permission'
  return hasCode(error, 'USAGE') ? 'misconfigured' : 'incompatible'
}

/** A pause that a person in a hurry can end. */
const interruptiblePauses = () => {
  let interrupt = (): void => {}
  return {
    pause: (durationMs: number): Promise<void> =>
      new Promise((resolve) => {
        const timer = setTimeout(resolve, durationMs)
        interrupt = () => {
          clearTimeout(timer)
          resolve()
        }
      }),
    interrupt: () => interrupt(),
  }
}
