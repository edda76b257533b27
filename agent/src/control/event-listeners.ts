// Everyone who follows the events. A listener has no queue of its own: it reads the log from its own place whenever its
// connection has room, so a slow one costs as little as a fast one and can only fall behind, which it is then told.
import type { ServerResponse } from 'node:http'
import type { RecordedEvent } from '@updraft/core/control/api'
import { formatMessage, HEARTBEAT } from '@updraft/core/control/event-stream'
import { UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import type { EventLog } from '../store/events.ts'

export interface EventListeners {
  /** What tells one listener the events after `cursor`, and those to come. Errors: LIMIT_EXCEEDED, too many listeners. */
  listen(cursor: number): (response: ServerResponse) => void
  /** Ends every answer. */
  close(): void
}

export interface EventListenersOptions {
  readonly heartbeatMs?: number
  readonly listenersMax?: number
  readonly now?: () => Date
}

export const openEventListeners = (
  log: EventLog,
  {
    heartbeatMs = LIMITS.controlHeartbeatMs,
    listenersMax = LIMITS.controlListenersMax,
    now = () => new Date(),
  }: EventListenersOptions = {},
): EventListeners => {
  const wakers = new Set<() => void>()
  const wakeAll = () => {
    for (const wake of wakers) wake()
  }
  const stopWatching = log.onAppend(wakeAll)
  let closed = false
  let listeners = 0

  /** Resolves to true when something may have happened, to false when only time has passed. */
  const change = (): Promise<boolean> =>
    new Promise((resolve) => {
      const settle = (changed: boolean) => {
        clearTimeout(timer)
        wakers.delete(wake)
        resolve(changed)
      }
      const wake = () => settle(true)
      const timer = setTimeout(settle, heartbeatMs, false)
      wakers.add(wake)
    })

  return {
    listen: (after) => {
      if (listeners >= listenersMax) {
        throw new UpdateError('LIMIT_EXCEEDED', `${listeners} listeners are connected; more are refused`)
      }
      listeners += 1
      let cursor = after
      let gone = false
      /** The next text for this listener, or undefined at the end. */
      const next = async (): Promise<string | undefined> => {
        for (let quiet = false; !closed && !gone; quiet = !(await change())) {
          const events = log.after(cursor, BATCH) ?? [reset(log.cursor(), now())]
          const last = events.at(-1)
          if (last === undefined) {
            if (quiet) return HEARTBEAT
            continue
          }
          cursor = last.cursor
          return events.map(messageOf).join('')
        }
        return undefined
      }
      const tell = async (response: ServerResponse): Promise<void> => {
        response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
        // The first bytes send the head of the answer on its way before there is any event.
        for (let text: string | undefined = HEARTBEAT; text !== undefined; text = await next()) {
          if (!response.write(text)) await roomIn(response)
        }
        response.end()
      }
      return (response) => {
        const leave = (): void => {
          gone = true
          listeners -= 1
        }
        if (response.destroyed) return leave()
        response.once('close', leave)
        tell(response).catch((error: Error) => response.destroy(error)) // The log could not be read.
      }
    },
    close: () => {
      closed = true
      stopWatching()
      wakeAll()
    },
  }
}

/** Events read from the log at once. */
const BATCH = 200

const reset = (cursor: number, now: Date): RecordedEvent => ({
  cursor,
  at: now.toISOString(),
  event: { kind: 'reset' },
})

const messageOf = (recorded: RecordedEvent): string =>
  formatMessage({ id: String(recorded.cursor), event: recorded.event.kind, data: JSON.stringify(recorded) })

/** Resolves when more can be written, or when nobody reads any more. */
const roomIn = (response: ServerResponse): Promise<void> =>
  new Promise((resolve) => {
    const settle = (): void => {
      response.off('drain', settle).off('close', settle)
      resolve()
    }
    if (response.destroyed) resolve()
    else response.on('drain', settle).on('close', settle)
  })
