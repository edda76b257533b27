// Whether a torrent is among peers. One that is complete rests while nobody asks for it: webtorrent does not know of it then,
// and what is left is its entry in a table. It comes back with the first handshake, or the first peer that somebody names.
//
// Kept in webtorrent, each has timers, events and the metainfo in several forms; what 1,000 of them take is what
// `npm run bench:agent` measures.
import type WebTorrent from 'webtorrent'
import type { Torrent } from 'webtorrent'
import type { Exchange } from './exchange.ts'
import type { Metainfo } from './metainfo.ts'
import { type Gate, guardOutgoing } from './peers/connections.ts'
import { addDormant } from './peers/dormant-torrent.ts'

export interface Presence {
  /** Undefined while the torrent rests. */
  readonly exchange: Exchange | undefined
  readonly receivedBytes: Exchange['receivedBytes']
  /** Peers that are connected, or wait to be called. */
  readonly knownPeers: number
  /** Comes back if it rests. Errors: Error once it is closed, or if webtorrent refuses the torrent. */
  enter(): Torrent | Promise<Torrent>
  /** Rests, if nobody is here and nothing keeps it from that. */
  rest(): void
  close(): Promise<void>
}

export interface PresenceOptions {
  readonly client: WebTorrent
  readonly gate: Gate
  readonly metainfo: Metainfo
  readonly createExchange: (torrent: Torrent) => Exchange
  /** Nothing is missing. One that fetches never rests. */
  readonly isDone: () => boolean
  readonly onWarning: (message: string) => void
  readonly onError: (error: unknown) => void
}

interface Present {
  readonly torrent: Torrent
  readonly exchange: Exchange
}

export const createPresence = (options: PresenceOptions): Presence => {
  const { client, gate, metainfo, createExchange, isDone, onWarning, onError } = options
  const receivedBefore = { peers: 0, origin: 0 }
  let present: Present | undefined
  let entering: Promise<Torrent> | undefined
  let closed = false

  const come = async (): Promise<Torrent> => {
    try {
      const torrent = await addDormant(client, metainfo, (added) => {
        guardOutgoing(added, gate, (endpoint) => present?.exchange.isKnown(endpoint) === true)
      })
      torrent.on('warning', (warning: unknown) => onWarning(String(warning)))
      torrent.on('error', onError)
      present = { torrent, exchange: createExchange(torrent) }
      return torrent
    } finally {
      entering = undefined
    }
  }

  const enter = (): Torrent | Promise<Torrent> => {
    if (present !== undefined) return present.torrent
    if (closed) return Promise.reject(new Error(`${metainfo.name} has left the swarm`))
    entering ??= come()
    return entering
  }

  const leave = async (): Promise<void> => {
    if (present === undefined) return
    const { torrent, exchange } = present
    receivedBefore.peers += exchange.receivedBytes.peers
    receivedBefore.origin += exchange.receivedBytes.origin
    present = undefined
    exchange.close()
    if (!torrent.destroyed) await new Promise<void>((left) => torrent.destroy(() => left()))
  }

  /** The client's own DHT announces only what the client knows. */
  const mayRest = (): boolean => isDone() && !client.dht

  return {
    get exchange() {
      return present?.exchange
    },
    get receivedBytes() {
      const { peers, origin } = present?.exchange.receivedBytes ?? { peers: 0, origin: 0 }
      return { peers: receivedBefore.peers + peers, origin: receivedBefore.origin + origin }
    },
    get knownPeers() {
      return present?.torrent._peers.size ?? 0
    },
    enter,
    rest: () => {
      if (present === undefined || !mayRest() || present.torrent._peers.size > 0) return
      leave().catch(onError)
    },
    close: async () => {
      closed = true
      await entering?.catch(() => undefined) // Whoever waits for it has the error.
      await leave()
    },
  }
}
