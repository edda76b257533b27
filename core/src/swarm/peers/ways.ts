// Measures the ways to the peers of one torrent while bytes move and the link is to be left to others. Nothing runs while nobody
// outside of this machine's own network is connected, or nobody wants that.
//
// An operating system takes megabytes for a peer in advance, and whoever wants to make room finds them in front of everything. So
// while we yield, a peer is sent little more than it is known to have got: an answer tells that all that was sent before its question
// has arrived.
import type { Bandwidth } from '../bandwidth.ts'
import { createEcho, type Echo } from './echo.ts'
import type { Link } from './link.ts'

export interface Ways {
  add(link: Link): void
  remove(link: Link): void
  /** The peer may be sent more now; otherwise `onRoom` comes. */
  hasRoom(link: Link): boolean
  sent(link: Link, bytes: number): void
  close(): void
}

export interface WaysOptions {
  readonly bandwidth: Pick<Bandwidth, 'up' | 'down' | 'isYielding' | 'delayed' | 'tick'>
  readonly now: () => number
  readonly onRoom: () => void
}

const LOOK_EVERY_MS = 200
/** The link is the same for all of them; more peers only make it surer. */
const MEASURED_AT_ONCE = 8

/** On the way to a peer at any time, and beside that what has lately arrived there within `ARRIVALS_MS`. */
const ON_THE_WAY_BYTES = 64 * 1024
const ARRIVALS_MS = 400
/** While something is sent, the next question comes with what is sent after so long. */
const ASK_EVERY_MS = 40

interface Way {
  readonly echo: Echo
  askedAt: number
  sentBytes: number
  /** When it was known of how many bytes that they have arrived, the latest last. */
  readonly arrivals: { readonly at: number; readonly bytes: number }[]
}

export const createWays = ({ bandwidth, now, onRoom }: WaysOptions): Ways => {
  const ways = new Map<Link, Way>()
  let timer: NodeJS.Timeout | undefined
  let movedBefore = 0

  const measure = (way: Way): void => {
    way.askedAt = now()
    way.echo.measure(way.sentBytes)
  }

  const noteArrival = ({ arrivals }: Way, bytes: number): void => {
    const at = now()
    arrivals.push({ at, bytes })
    while (arrivals.length > 2 && at - (arrivals[1]?.at ?? at) > ARRIVALS_MS) arrivals.shift()
  }

  const look = (): void => {
    const { up, down, isYielding } = bandwidth
    const moved = up.outside.spentBytes + down.outside.spentBytes
    if (isYielding && moved !== movedBefore) {
      let measured = 0
      for (const way of ways.values()) {
        if (measured === MEASURED_AT_ONCE) break
        if (!way.echo.isUnderstood) continue
        measured += 1
        measure(way)
      }
    }
    movedBefore = moved
    if (isYielding) bandwidth.tick()
  }

  return {
    add: (link) => {
      const echo = createEcho(link, now, ({ upMs, downMs, mark }) => {
        bandwidth.delayed(link, upMs, downMs)
        noteArrival(way, mark)
        if (bandwidth.isYielding) onRoom()
      })
      if (link.isNear) return // It only gets answers.
      const way: Way = { echo, askedAt: now(), sentBytes: 0, arrivals: [] }
      ways.set(link, way)
      // At once: what comes soon stands in the way of the measurement.
      link.wire.on('extended', (kind: string) => {
        if (kind === 'handshake') measure(way)
      })
      if (bandwidth.isYielding) timer ??= setInterval(look, LOOK_EVERY_MS).unref()
    },
    remove: (link) => {
      ways.delete(link)
      if (ways.size > 0) return
      clearInterval(timer)
      timer = undefined
    },
    hasRoom: (link) => {
      const way = ways.get(link)
      if (way === undefined || !bandwidth.isYielding || !way.echo.isUnderstood) return true
      const [first, last] = [way.arrivals[0]?.bytes ?? 0, way.arrivals.at(-1)?.bytes ?? 0]
      return way.sentBytes - last < ON_THE_WAY_BYTES + (last - first)
    },
    sent: (link, bytes) => {
      const way = ways.get(link)
      if (way === undefined) return
      way.sentBytes += bytes
      if (bandwidth.isYielding && now() - way.askedAt >= ASK_EVERY_MS) measure(way)
    },
    close: () => clearInterval(timer),
  }
}
