// What a tracker is to the swarm, whatever it speaks: one announce, one answer. When to announce is the announcer's part.
import type { Endpoint } from '../peers/addresses.ts'

export interface Announcement {
  readonly event: 'started' | 'completed' | 'stopped' | undefined
  readonly uploadedBytes: number
  readonly downloadedBytes: number
  readonly leftBytes: number
}

export interface TrackerAnswer {
  /** How long to wait until the next announce, as the tracker wishes, not bounded yet. */
  readonly intervalMs: number | undefined
  /** The shortest wait that it tolerates. */
  readonly minIntervalMs: number | undefined
  /** How many of the torrent's peers lack something, where the tracker says so. */
  readonly leechers: number | undefined
  /** How many have all of it, this machine included if it has told so. */
  readonly seeders?: number | undefined
  /** Address literals; not checked yet. */
  readonly peers: readonly Endpoint[]
}

export interface Tracker {
  /** Calls `listener` each time when the tracker no longer knows that we are here. Those that say nothing of it have none. */
  readonly whenForgotten?: (listener: () => void) => void
  /** Errors: Error, for people; the announcer tries again. */
  announce(announcement: Announcement, signal: AbortSignal): Promise<TrackerAnswer>
}

/** What of us goes into every announce. */
export interface Identity {
  readonly infoHash: string
  /** 40 hex digits. */
  readonly peerId: string
  readonly port: number
}

/** Trackers give 50 unless asked; a longer list is not worth its bytes. Nobody is called at the end of a download, or of everything. */
export const peersWanted = ({ event }: Pick<Announcement, 'event'>): number =>
  event === 'completed' || event === 'stopped' ? 0 : 50

/** A tracker that sends more than it was asked for does not fill our memory. */
const PEERS_KEPT_MAX = 200

/** Reads the compact form: address and port, 6 bytes each, or 18 for IPv6 (BEP 7, BEP 23). */
export const parseCompactPeers = (bytes: Uint8Array, addressLength: 4 | 16): readonly Endpoint[] => {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const peers: Endpoint[] = []
  for (let at = 0; at + addressLength + 2 <= view.length && peers.length < PEERS_KEPT_MAX; at += addressLength + 2) {
    const address = view.subarray(at, at + addressLength)
    const port = view.readUInt16BE(at + addressLength)
    if (port !== 0) peers.push({ host: addressLength === 4 ? address.join('.') : formatIpv6(address), port })
  }
  return peers
}

const formatIpv6 = (address: Buffer): string =>
  Array.from({ length: 8 }, (_, group) => address.readUInt16BE(group * 2).toString(16)).join(':')
