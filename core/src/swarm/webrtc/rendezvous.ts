// Trackers over WebSocket: they pass on offers and answers, so that peers without an address meet. Source: WebTorrent's tracker
// protocol, as bittorrent-tracker 11 speaks it. Read as hostile.
//
// Replaces the client in bittorrent-tracker: it connects to wherever a name leads, takes descriptions as they come, and keeps
// sockets of its own for the whole process (no upstream issues found).
import { randomBytes } from 'node:crypto'
import type { Announcement, Identity, Tracker, TrackerAnswer } from '../announce/tracker.ts'
import type { AddressPolicy } from '../peers/addresses.ts'
import type { PendingOffer, WebRtc, WebRtcConnection } from './connection.ts'
import { createTrackerSocket, type Message, type TrackerSocket } from './tracker-socket.ts'

export interface Rendezvous extends Disposable {
  /** The tracker at `url` for one torrent. */
  tracker(url: string, identity: Identity, onConnection: OnConnection): Tracker
}

/** Given the connection to a peer once it is open. */
export type OnConnection = (connection: WebRtcConnection) => void

export interface RendezvousOptions {
  readonly webRtc: WebRtc
  readonly policy: AddressPolicy
  readonly userAgent: string
}

const ANSWER_TIMEOUT_MS = 15_000
/** Each goes to another peer; one connection is enough to learn of the rest by PEX, which WebRTC has not. */
const OFFERS = 5
/** Whoever got an offer has answered by then. */
const OFFER_PATIENCE_MS = 5_000
/** Offers that are answered for one tracker in a minute: a browser makes five. */
const ANSWERS_PER_MINUTE = 60

export const createRendezvous = ({ webRtc, policy, userAgent }: RendezvousOptions): Rendezvous => {
  const hubs = new Map<string, Hub>()
  const hubAt = (url: string): Hub => {
    const known = hubs.get(url)
    if (known !== undefined) return known
    const members = new Map<string, Member>()
    const each = (work: (member: Member) => void): void => {
      for (const member of members.values()) work(member)
    }
    const socket = createTrackerSocket({
      url,
      policy,
      userAgent,
      onMessage: (message) => {
        const infoHash = hexOf(message.info_hash)
        // A refusal may name no torrent: then whoever waits is meant.
        if (infoHash === undefined) each((member) => member.take(message))
        else members.get(infoHash)?.take(message)
      },
      onLost: () => each((member) => member.lost()),
    })
    const hub = { socket, members }
    hubs.set(url, hub)
    return hub
  }
  return {
    tracker: (url, identity, onConnection) => {
      const { socket, members } = hubAt(url)
      return memberOf({ identity, socket, webRtc, onConnection, members })
    },
    [Symbol.dispose]: () => {
      for (const { socket } of hubs.values()) socket.close()
      webRtc[Symbol.dispose]()
    },
  }
}

interface Hub {
  readonly socket: TrackerSocket
  /** By infohash, those that the tracker knows. */
  readonly members: Map<string, Member>
}

interface Member {
  take(message: Message): void
  lost(): void
}

interface MemberOptions {
  readonly identity: Identity
  readonly socket: TrackerSocket
  readonly webRtc: WebRtc
  readonly onConnection: OnConnection
  readonly members: Map<string, Member>
}

const memberOf = ({ identity, socket, webRtc, onConnection, members }: MemberOptions): Tracker => {
  const { infoHash, peerId } = identity
  const named = { action: 'announce', info_hash: binaryOf(infoHash), peer_id: binaryOf(peerId) }
  const offers = new Map<string, { readonly pending: PendingOffer; readonly at: number }>()
  let settle: ((answer: TrackerAnswer | Error) => void) | undefined
  let onLost = (): void => {}
  let answersLeft = ANSWERS_PER_MINUTE
  let refilledAt = performance.now()

  const dropOffers = (patienceMs = 0): void => {
    for (const [id, { pending, at }] of offers) {
      if (performance.now() - at < patienceMs) continue
      pending.close()
      offers.delete(id)
    }
  }
  const makeOffers = async (): Promise<readonly object[]> => {
    dropOffers(OFFER_PATIENCE_MS)
    const made = await Promise.all(Array.from({ length: OFFERS }, () => webRtc.offer().catch(() => undefined)))
    return made.flatMap((pending) => {
      if (pending === undefined) return []
      const id = randomBytes(20).toString('latin1')
      offers.set(id, { pending, at: performance.now() })
      return { offer: pending.offer, offer_id: id }
    })
  }
  const mayAnswer = (): boolean => {
    const now = performance.now()
    if (now - refilledAt > 60_000) [answersLeft, refilledAt] = [ANSWERS_PER_MINUTE, now]
    answersLeft -= 1
    return answersLeft >= 0
  }
  const onOffer = async ({ offer, offer_id }: Message, from: string): Promise<void> => {
    if (typeof offer_id !== 'string' || offer_id.length > 64 || !mayAnswer()) return
    const answered = webRtc.answer(offer, from)
    if (answered === undefined) return
    const { connection } = answered
    connection.once('connect', () => onConnection(connection))
    try {
      const message = { ...named, to_peer_id: binaryOf(from), answer: await answered.answer, offer_id }
      await socket.send(message, AbortSignal.timeout(ANSWER_TIMEOUT_MS))
    } catch (error) {
      connection.destroy(error as Error)
    }
  }
  const onAnswer = ({ answer, offer_id }: Message, from: string): void => {
    if (typeof offer_id !== 'string') return
    const { pending } = offers.get(offer_id) ?? {}
    if (pending === undefined) return
    offers.delete(offer_id)
    const connection = pending.accept(answer, from)
    if (connection === undefined) pending.close()
    else connection.once('connect', () => onConnection(connection))
  }

  members.set(infoHash, {
    take: (message) => {
      const from = hexOf(message.peer_id)
      const failure = message['failure reason']
      if (typeof failure === 'string') settle?.(new Error(`the tracker refuses: ${failure.slice(0, 200)}`))
      else if (message.offer !== undefined && from !== undefined && from !== peerId) void onOffer(message, from)
      else if (message.answer !== undefined && from !== undefined && from !== peerId) onAnswer(message, from)
      else if (message.interval !== undefined) settle?.(answerOf(message))
    },
    lost: () => {
      if (settle === undefined) onLost()
      else settle(new Error('the tracker closed the connection'))
    },
  })
  return {
    announce: async (announcement, signal) => {
      const isStaying = announcement.event !== 'stopped'
      const isLacking = isStaying && announcement.event !== 'completed' && announcement.leftBytes > 0
      const made = isLacking ? await makeOffers() : []
      const answered = new Promise<TrackerAnswer>((resolve, reject) => {
        settle = (answer) => (answer instanceof Error ? reject(answer) : resolve(answer))
      })
      answered.catch(() => {}) // If sending fails first, that is what is told.
      const patience = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_TIMEOUT_MS)])
      const onAbort = (): void => settle?.(new Error('the tracker does not answer'))
      patience.addEventListener('abort', onAbort)
      try {
        await socket.send({ ...named, ...figuresOf(announcement), numwant: made.length, offers: made }, patience)
        if (isStaying) return await answered
        dropOffers()
        members.delete(infoHash)
        return NOBODY
      } finally {
        patience.removeEventListener('abort', onAbort)
        settle = undefined
      }
    },
    whenForgotten: (listener) => {
      onLost = listener
    },
  }
}

const figuresOf = ({ event, uploadedBytes, downloadedBytes, leftBytes }: Announcement): Message => ({
  uploaded: uploadedBytes,
  downloaded: downloadedBytes,
  left: leftBytes,
  ...(event === undefined ? {} : { event }),
})

const NOBODY: TrackerAnswer = { intervalMs: undefined, minIntervalMs: undefined, leechers: undefined, peers: [] }

const answerOf = ({ interval, incomplete }: Message): TrackerAnswer => ({
  ...NOBODY,
  intervalMs: typeof interval === 'number' && interval > 0 ? interval * 1_000 : undefined,
  leechers: typeof incomplete === 'number' && incomplete >= 0 ? incomplete : undefined,
})

/** Infohashes and ids go as strings with a character for each byte. */
const binaryOf = (hexadecimal: string): string => Buffer.from(hexadecimal, 'hex').toString('latin1')

const hexOf = (value: unknown): string | undefined =>
  typeof value === 'string' && /^[\0-\xff]{20}$/.test(value) ? Buffer.from(value, 'latin1').toString('hex') : undefined
