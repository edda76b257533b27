// One WebSocket to one tracker, for all torrents of a swarm: opened when somebody has something to say, and opened again by
// whoever says the next thing. What comes is bounded and parsed; where it leads is decided by the address policy.
import { isIP } from 'node:net'
import { WebSocket } from 'ws'
import { type AddressPolicy, guardedLookup, plainAddress, refusal } from '../peers/addresses.ts'

export type Message = Readonly<Record<string, unknown>>

export interface TrackerSocket {
  /** Errors: Error, if it cannot be opened in time. */
  send(message: Message, signal: AbortSignal): Promise<void>
  close(): void
}

export interface TrackerSocketOptions {
  readonly url: string
  readonly policy: AddressPolicy
  readonly userAgent: string
  /** Objects only; what is none, or not JSON, is dropped. */
  readonly onMessage: (message: Message) => void
  /** It was open and is no longer: the tracker has forgotten us. */
  readonly onLost: () => void
}

const OPEN_TIMEOUT_MS = 15_000
/** An offer of a browser has 3 KiB. */
const MESSAGE_BYTES_MAX = 64 * 1024
/** What a tracker that does not read lets pile up. */
const BACKLOG_BYTES_MAX = 1024 * 1024

export const createTrackerSocket = (options: TrackerSocketOptions): TrackerSocket => {
  let opening: Promise<WebSocket> | undefined
  let closed = false
  const current = (signal: AbortSignal): Promise<WebSocket> => {
    if (closed) return Promise.reject(new Error('the swarm is closed'))
    opening ??= open(options, () => {
      opening = undefined
    })
    return Promise.race([opening, aborted(signal)])
  }
  return {
    send: async (message, signal) => {
      const socket = await current(signal)
      if (socket.bufferedAmount > BACKLOG_BYTES_MAX) throw new Error('the tracker does not read')
      socket.send(JSON.stringify(message))
    },
    close: () => {
      closed = true
      opening?.then(
        (socket) => socket.terminate(),
        () => {},
      )
    },
  }
}

const open = ({ url, policy, userAgent, onMessage, onLost }: TrackerSocketOptions, onClosed: () => void) =>
  new Promise<WebSocket>((resolve, reject) => {
    // Sockets look up names only, so a literal is judged here.
    const host = plainAddress(new URL(url).hostname)
    if (isIP(host) !== 0 && !policy.allows(host)) {
      onClosed()
      throw refusal(host, [host])
    }
    const socket = new WebSocket(url, {
      lookup: guardedLookup(policy),
      handshakeTimeout: OPEN_TIMEOUT_MS,
      maxPayload: MESSAGE_BYTES_MAX,
      followRedirects: false,
      perMessageDeflate: false,
      headers: { 'user-agent': userAgent },
    })
    let isOpen = false
    socket.on('open', () => {
      isOpen = true
      resolve(socket)
    })
    socket.on('error', reject)
    socket.on('close', () => {
      onClosed()
      reject(new Error('the tracker closed the connection'))
      if (isOpen) onLost()
    })
    socket.on('message', (bytes) => {
      const message = parseMessage(String(bytes))
      if (message !== undefined) onMessage(message)
    })
    socket.on('upgrade', ({ socket: connection }) => connection.unref()) // Keeps no process alive.
  })

const parseMessage = (text: string): Message | undefined => {
  try {
    const value: unknown = JSON.parse(text)
    return value instanceof Object && !Array.isArray(value) ? (value as Message) : undefined
  } catch {
    return undefined
  }
}

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
