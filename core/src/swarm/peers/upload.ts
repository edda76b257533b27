// Sends blocks to the peers of one torrent: whom to unchoke, what to read, and never more in memory than the peer takes.
//
// Replaces webtorrent's answer to `request`, which reads at once whatever is asked for, also by a peer that never reads
// (no upstream issue found), and its rechoking every 10 s, which lets a newcomer wait.
import type { BlockCallback } from 'bittorrent-protocol'
import type { Bandwidth } from '../bandwidth.ts'
import type { Geometry } from '../pieces/geometry.ts'
import { chooseUnchoked, UPLOAD_SLOTS } from './choker.ts'
import { pipeOf } from './direct-pipe.ts'
import type { Link } from './link.ts'

export interface Upload {
  readonly uploadedBytes: number
  add(link: Link): void
  /** It has heard what we have. */
  greeted(link: Link): void
  remove(link: Link): void
  /** There may be room for more. */
  wake(): void
  /** Every 10 s, and whenever there are more who want than slots. */
  rechoke(): void
}

export interface UploadOptions {
  readonly geometry: Geometry
  readonly has: (index: number) => boolean
  readonly read: (index: number, offset: number, length: number) => Promise<Uint8Array>
  /** True for a piece that nobody else has yet. It is sent before all others: what is sent twice keeps it waiting. */
  readonly isFirstCopy: (link: Link, index: number) => boolean
  readonly bandwidth: Pick<Bandwidth, 'up' | 'isOpenOutside'>
  /** The peer may be sent more at this moment; `wake` tells when that changes. */
  readonly hasRoom: (link: Link) => boolean
  readonly onSent: (link: Link, bytes: number) => void
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
  readonly link: Link
  /** First copies, and everything else, each in the order of the requests. */
  readonly urgent: Wanted[]
  readonly usual: Wanted[]
  isReading: boolean
  sentBytes: number
}

/** BEP 3: who asks for more than 128 KiB at once is cut off. */
const BLOCK_LENGTH_MAX = 128 * 1024
/** What a peer may have asked for and not been sent yet; we advertise it as `reqq`. */
export const REQUESTS_MAX = 512
export const createUpload = (options: UploadOptions): Upload => {
  const { geometry, has, read, isFirstCopy, bandwidth, hasRoom, onSent, random, now } = options
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

  /**
   * The operating system's own buffer keeps the link busy while the next block is read. Anything that waited here as well
   * would stand before what is urgent: with 256 KiB a peer, a slow origin of 8 agents was two seconds behind its requests.
   */
  const isReady = ({ link, isReading }: Outlet): boolean => !isReading && link.isFlushed && hasRoom(link)

  /** Sends what may be sent now: first copies to whoever waits for one, then the rest, one block each in turn. */
  const pump = (): void => {
    for (const kind of ['urgent', 'usual'] as const) {
      for (const outlet of outlets.values()) {
        if (outlet[kind].length === 0 || !isReady(outlet)) continue
        const limiter = bandwidth.up.of(outlet.link)
        if (!limiter.isReady()) {
          limiter.whenReady(pump)
          continue
        }
        const wanted = outlet[kind].shift()
        if (wanted !== undefined) void send(outlet, wanted)
      }
    }
  }

  const send = async (outlet: Outlet, { index, offset, length, respond }: Wanted): Promise<void> => {
    outlet.isReading = true
    bandwidth.up.of(outlet.link).spend(length)
    // Who was served goes to the end of the line.
    if (outlets.delete(outlet.link)) outlets.set(outlet.link, outlet)
    try {
      respond(null, await read(index, offset, length))
      outlet.sentBytes += length
      uploadedBytes += length
      onSent(outlet.link, length)
    } catch (error) {
      respond(error as Error) // The peer is told and asks someone else; a broken disk shows where files are written.
    }
    outlet.isReading = false
    pump()
  }

  const onRequest = (outlet: Outlet, wanted: Wanted): void => {
    const { link, urgent, usual } = outlet
    if (!isValid(wanted) || link.wire.peerRequests.length > REQUESTS_MAX) {
      link.close()
    } else if (has(wanted.index)) {
      const queue = isFirstCopy(link, wanted.index) ? urgent : usual
      queue.push(wanted)
      pump()
    } else {
      wanted.respond(new Error('not here'))
    }
  }

  /** Whom nothing may be sent to stays choked, and asks others. */
  const isOpenTo = ({ isNear }: Link): boolean => isNear || bandwidth.isOpenOutside

  const unchokedCount = (isCounted: (outlet: Outlet) => boolean): number => {
    let count = 0
    for (const outlet of outlets.values()) if (!outlet.link.wire.amChoking && isCounted(outlet)) count += 1
    return count
  }

  /** Who says that it wants something, or takes it without saying so. */
  const isTaking = ({ link, sentBytes }: Outlet): boolean => link.wire.peerInterested || sentBytes > 0

  return {
    get uploadedBytes() {
      return uploadedBytes
    },

    add: (link) => {
      const outlet: Outlet = { link, urgent: [], usual: [], isReading: false, sentBytes: 0 }
      outlets.set(link, outlet)
      const { wire } = link
      wire.on('request', (index: number, offset: number, length: number, respond: BlockCallback) =>
        onRequest(outlet, { index, offset, length, respond }),
      )
      wire.on('cancel', (index: number, offset: number, length: number) => {
        for (const queue of [outlet.urgent, outlet.usual]) {
          const place = queue.findIndex(
            (wanted) => wanted.index === index && wanted.offset === offset && wanted.length === length,
          )
          if (place !== -1) queue.splice(place, 1)
        }
      })
      wire.on('interested', () => {
        if (isOpenTo(link) && unchokedCount(isTaking) < UPLOAD_SLOTS) wire.unchoke()
      })
      const pipe = pipeOf(link.peer)
      if (pipe !== undefined) pipe.onFlushed = pump
    },

    // Before it can say that it is interested: it hears what there is and asks for it at once, a way there and back earlier.
    greeted: (link) => {
      if (!link.isSeed && isOpenTo(link) && unchokedCount(() => true) < UPLOAD_SLOTS) link.wire.unchoke()
    },

    remove: (link) => void outlets.delete(link),
    wake: pump,

    rechoke: () => {
      const seconds = Math.max(0.1, (now() - rechokedAt) / 1000)
      rechokedAt = now()
      const interested = [...outlets]
        .filter(([link, outlet]) => isTaking(outlet) && isOpenTo(link))
        .map(([link, outlet]) => ({
          peer: link,
          bytesPerSecond: outlet.sentBytes / seconds,
          unchoked: !link.wire.amChoking,
        }))
      const chosen = chooseUnchoked(interested, random)
      for (const [link, outlet] of outlets) {
        const wasTaking = isTaking(outlet)
        outlet.sentBytes = 0
        if (chosen.has(link)) link.wire.unchoke()
        else if (wasTaking || !isOpenTo(link)) {
          outlet.urgent.length = 0
          outlet.usual.length = 0
          link.wire.choke() // Rejects what was asked for, where the peer understands that (BEP 6).
        }
      }
    },
  }
}
