// Sends blocks to the peers of one torrent: whom to unchoke, what to read, and never more in memory than the peer takes.
//
// Replaces webtorrent's answer to `request`, which reads at once whatever is asked for, also by a peer that never reads
// (no upstream issue found), and its rechoking every 10 s, which lets a newcomer wait.
import type { BlockCallback } from 'bittorrent-protocol'
import type { Geometry } from '../pieces/geometry.ts'
import type { RateLimiter } from '../rate-limiter.ts'
import { chooseUnchoked, UPLOAD_SLOTS } from './choker.ts'
import type { Link } from './link.ts'

export interface Upload {
  readonly uploadedBytes: number
  add(link: Link): void
  remove(link: Link): void
  /** Every 10 s, and whenever there are more who want than slots. */
  rechoke(): void
}

export interface UploadOptions {
  readonly geometry: Geometry
  readonly has: (index: number) => boolean
  readonly read: (index: number, offset: number, length: number) => Promise<Uint8Array>
  readonly limiter: RateLimiter
  readonly random: () => number
  readonly now: () => number
}

interface Wanted {
  readonly index: number
  readonly offset: number
  readonly length: number
  readonly respond: BlockCallback
}

interface Outlet {
  readonly queue: Wanted[]
  busy: boolean
  sentBytes: number
}

/** BEP 3: who asks for more than 128 KiB at once is cut off. */
const BLOCK_LENGTH_MAX = 128 * 1024
/** What a peer may have asked for and not been sent yet; we advertise it as `reqq`. */
export const REQUESTS_MAX = 512
/** Enough to keep a fast link busy until the next block has been read. */
const QUEUED_BYTES_MAX = 512 * 1024

export const createUpload = ({ geometry, has, read, limiter, random, now }: UploadOptions): Upload => {
  const outlets = new Map<Link, Outlet>()
  let uploadedBytes = 0
  let rechokedAt = now()

  const isValid = ({ index, offset, length }: Wanted): boolean =>
    index >= 0 &&
    index < geometry.pieces &&
    offset >= 0 &&
    length > 0 &&
    length <= BLOCK_LENGTH_MAX &&
    offset + length <= geometry.pieceLengthOf(index)

  const pump = async (link: Link, outlet: Outlet): Promise<void> => {
    if (outlet.busy) return
    outlet.busy = true
    while (outlets.get(link) === outlet && link.queuedBytes < QUEUED_BYTES_MAX) {
      if (!limiter.isReady()) {
        limiter.whenReady(() => void pump(link, outlet))
        break
      }
      const wanted = outlet.queue.shift()
      if (wanted === undefined) break
      await send(outlet, wanted)
    }
    outlet.busy = false
  }

  const send = async (outlet: Outlet, { index, offset, length, respond }: Wanted): Promise<void> => {
    try {
      const block = await read(index, offset, length)
      limiter.spend(length)
      respond(null, block)
      outlet.sentBytes += length
      uploadedBytes += length
    } catch (error) {
      respond(error as Error) // The peer is told and asks someone else; a broken disk shows where files are written.
    }
  }

  const onRequest = (link: Link, outlet: Outlet, wanted: Wanted): void => {
    if (!isValid(wanted) || link.wire.peerRequests.length > REQUESTS_MAX) {
      link.close()
    } else if (has(wanted.index)) {
      outlet.queue.push(wanted)
      void pump(link, outlet)
    } else {
      wanted.respond(new Error('not here'))
    }
  }

  const unchokedCount = (): number => {
    let count = 0
    for (const { wire } of outlets.keys()) if (!wire.amChoking && wire.peerInterested) count += 1
    return count
  }

  return {
    get uploadedBytes() {
      return uploadedBytes
    },

    add: (link) => {
      const outlet: Outlet = { queue: [], busy: false, sentBytes: 0 }
      outlets.set(link, outlet)
      const { wire } = link
      wire.on('request', (index: number, offset: number, length: number, respond: BlockCallback) =>
        onRequest(link, outlet, { index, offset, length, respond }),
      )
      wire.on('cancel', (index: number, offset: number, length: number) => {
        const place = outlet.queue.findIndex(
          (wanted) => wanted.index === index && wanted.offset === offset && wanted.length === length,
        )
        if (place !== -1) outlet.queue.splice(place, 1)
      })
      wire.on('interested', () => {
        if (unchokedCount() < UPLOAD_SLOTS) wire.unchoke()
      })
      link.peer.conn?.on('drain', () => void pump(link, outlet))
    },

    remove: (link) => void outlets.delete(link),

    rechoke: () => {
      const seconds = Math.max(0.1, (now() - rechokedAt) / 1000)
      rechokedAt = now()
      const interested = [...outlets]
        .filter(([{ wire }]) => wire.peerInterested)
        .map(([link, outlet]) => ({
          peer: link,
          bytesPerSecond: outlet.sentBytes / seconds,
          unchoked: !link.wire.amChoking,
        }))
      const chosen = chooseUnchoked(interested, random)
      for (const [link, outlet] of outlets) {
        outlet.sentBytes = 0
        if (chosen.has(link)) link.wire.unchoke()
        else if (link.wire.peerInterested) {
          outlet.queue.length = 0
          link.wire.choke() // Rejects what was asked for, where the peer understands that (BEP 6).
        }
      }
    },
  }
}
