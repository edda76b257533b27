// Connections over WebRTC to peers that have no address to call, browsers among them: one end makes an offer, the other answers,
// and both go by way of a tracker. How many may be under way is bounded, because each holds sockets and threads' time.
import type SimplePeer from '@thaunknown/simple-peer/lite.js'
import type { AddressPolicy } from '../peers/addresses.ts'
import { type Description, parseDescription } from './description.ts'

/** A stream, and its peer's id, 40 hex digits, as the tracker tells it. */
export type WebRtcConnection = SimplePeer & { id: string }

export interface PendingOffer {
  readonly offer: Description
  /** Takes the answer; the connection then opens or fails by itself. Undefined if it is none, or the offer was given up. */
  accept(answer: unknown, peerId: string): WebRtcConnection | undefined
  close(): void
}

export interface Answered {
  readonly connection: WebRtcConnection
  readonly answer: Promise<Description>
}

export interface WebRtc extends Disposable {
  /** Errors: Error if it fails, or if too many are under way. */
  offer(): Promise<PendingOffer>
  /** Undefined for what is no offer, or if too many are under way. */
  answer(offer: unknown, peerId: string): Answered | undefined
}

export interface WebRtcOptions {
  readonly policy: AddressPolicy
  /** `stun:host:port`; none tells only addresses of this machine's own interfaces. */
  readonly stunServers: readonly string[]
}

/** Not open yet, of all torrents: what we offered to a few trackers while alone, and what we answered; a flood of the latter leaves the former alone. */
const OFFERED_MAX = 48
const ANSWERED_MAX = 16
/** A server that tells addresses and does not answer is not waited for any longer. */
const GATHERING_TIMEOUT_MS = 2_000
const OFFER_TIMEOUT_MS = 30_000
const CONNECT_TIMEOUT_MS = 12_000

/** `Peer` is simple-peer's, with WebRTC loaded. */
export const createWebRtc = (Peer: typeof SimplePeer, { policy, stunServers }: WebRtcOptions): WebRtc => {
  const config = { iceServers: stunServers.map((urls) => ({ urls })) }
  const [offered, answered] = [new Set<WebRtcConnection>(), new Set<WebRtcConnection>()]
  const open = new Set<WebRtcConnection>()
  const timers = new WeakMap<WebRtcConnection, NodeJS.Timeout>()

  const start = (initiator: boolean): WebRtcConnection => {
    const [underWay, most] = initiator ? [offered, OFFERED_MAX] : [answered, ANSWERED_MAX]
    if (underWay.size >= most) throw new Error(`${most} WebRTC connections are under way already`)
    const connection = new Peer({
      initiator,
      trickle: false,
      config,
      iceCompleteTimeout: GATHERING_TIMEOUT_MS,
    }) as WebRtcConnection
    underWay.add(connection)
    open.add(connection)
    within(connection, OFFER_TIMEOUT_MS)
    const settle = (): void => {
      clearTimeout(timers.get(connection))
      underWay.delete(connection)
    }
    connection.once('connect', settle)
    connection.once('close', () => {
      settle()
      open.delete(connection)
    })
    // webrtc-polyfill 1.2.2 does not end its candidates with a null, which is all that simple-peer waits for.
    connection.on('iceStateChange', (_, gathering) => {
      if (gathering === 'complete') connection._onIceCandidate({ candidate: null })
    })
    connection.on('error', () => {}) // Whoever waits for it has listeners of its own.
    return connection
  }
  /** From now on it has so long to open. */
  const within = (connection: WebRtcConnection, ms: number): void => {
    clearTimeout(timers.get(connection))
    const timer = setTimeout(() => connection.destroy(new Error('no WebRTC connection')), ms)
    timers.set(connection, timer.unref())
  }
  const signalOf = (connection: WebRtcConnection, type: Description['type']): Promise<Description> =>
    new Promise((resolve, reject) => {
      connection.once('signal', (signal) => {
        const description = parseDescription(signal, type, policy)
        if (description === undefined) reject(new Error(`no ${type} could be made`))
        else resolve(description)
      })
      connection.once('close', () => reject(new Error('the connection was given up')))
    })

  /** Hands over what the other end has said; undefined if it cannot be taken. */
  const signalled = (connection: WebRtcConnection, description: Description): WebRtcConnection | undefined => {
    within(connection, CONNECT_TIMEOUT_MS)
    try {
      connection.signal(description)
      return connection
    } catch (error) {
      connection.destroy(error as Error)
      return undefined
    }
  }

  return {
    offer: async () => {
      const connection = start(true)
      const offer = await signalOf(connection, 'offer')
      return {
        offer,
        accept: (value, peerId) => {
          const answer = parseDescription(value, 'answer', policy)
          if (answer === undefined || connection.destroyed) return undefined
          connection.id = peerId
          return signalled(connection, answer)
        },
        close: () => connection.destroy(),
      }
    },
    answer: (value, peerId) => {
      const offer = parseDescription(value, 'offer', policy)
      if (offer === undefined || answered.size >= ANSWERED_MAX) return undefined
      const connection = start(false)
      connection.id = peerId
      const answer = signalOf(connection, 'answer')
      answer.catch(() => {}) // Nobody waits for it if the offer is not taken.
      return signalled(connection, offer) && { connection, answer }
    },
    [Symbol.dispose]: () => {
      for (const connection of open) connection.destroy()
    },
  }
}
