// Tells peers which pieces we have got. Each `have` that leaves by itself is a packet and wakes a process at the other end, and in a
// swarm of sixteen there were as many of them as blocks. So news takes the next packet that leaves for a peer anyway, and goes by
// itself only after a moment; whom it is of no use to, it may reach later. Nothing is left out: everybody hears everything.
//
// Source: BEP 3 (have).
import type { Link } from './link.ts'

export interface Teller {
  /**
   * The peer has heard what there was when it came, and hears from now on what comes. Gives what tells it at once: to be called
   * when something leaves for it anyway.
   */
  add(link: Link): () => void
  remove(link: Link): void
  /** We have this piece now. What comes in one turn of the event loop is told in one go. */
  tell(index: number): void
  close(): void
}

export interface TellerOptions {
  readonly pieces: number
  readonly now: () => number
  /** We have everything: whoever does not know that yet would not let go of us. */
  readonly isDone: () => boolean
  /** The peer has just been told something. */
  readonly onTold: (link: Link) => void
}

/** How long news waits for company. Shorter than the way to most peers and back; requests and blocks leave more often than that. */
const ALONE_AFTER_MS = 50
/**
 * The same for those whom it is of no use to: who has the piece, and those outside while there are neighbours. With pieces of
 * 16 KiB, a `have` from every machine of a LAN to everybody outside was an eighth of what came over the uplink.
 */
const LATER_MS = 250
/** Who lacks no more than this is about to end, and each moment counts. */
const FEW = 16

interface Listener {
  readonly link: Link
  untold: number[]
  dueAt: number
  toldAt: number
}

export const createTeller = ({ pieces, now, isDone, onTold }: TellerOptions): Teller => {
  const listeners = new Map<Link, Listener>()
  const news: number[] = []
  let turn: NodeJS.Immediate | undefined
  let timer: NodeJS.Timeout | undefined
  let timerAt = Number.POSITIVE_INFINITY

  const say = (listener: Listener): void => {
    if (listener.untold.length === 0) return
    const { link, untold } = listener
    listener.untold = []
    listener.dueAt = Number.POSITIVE_INFINITY
    listener.toldAt = now()
    for (const index of untold) link.wire.have(index)
    onTold(link)
  }

  const waitOf = ({ link, toldAt }: Listener, index: number, hasNeighbours: boolean): number => {
    if (link.isNear || isDone()) return 0
    if (hasNeighbours || link.has(index)) return LATER_MS
    return link.pieces > pieces - FEW || now() - toldAt > LATER_MS ? 0 : ALONE_AFTER_MS
  }

  const spread = (): void => {
    turn = undefined
    const indexes = news.splice(0)
    const time = now()
    const hasNeighbours = [...listeners.keys()].some(({ isNear }) => isNear)
    for (const listener of listeners.values()) {
      for (const index of indexes) {
        listener.dueAt = Math.min(listener.dueAt, time + waitOf(listener, index, hasNeighbours))
        listener.untold.push(index)
      }
    }
    sayDue()
  }

  const sayDue = (): void => {
    const time = now()
    let nextAt = Number.POSITIVE_INFINITY
    for (const listener of [...listeners.values()]) {
      if (listener.dueAt <= time) say(listener)
      nextAt = Math.min(nextAt, listener.dueAt)
    }
    if (nextAt >= timerAt) return
    clearTimeout(timer)
    timerAt = nextAt
    timer = setTimeout(
      () => {
        timerAt = Number.POSITIVE_INFINITY
        sayDue()
      },
      Math.ceil(nextAt - time),
    )
  }

  return {
    add: (link) => {
      const listener: Listener = { link, untold: [], dueAt: Number.POSITIVE_INFINITY, toldAt: Number.NEGATIVE_INFINITY }
      listeners.set(link, listener)
      return () => say(listener)
    },
    remove: (link) => void listeners.delete(link),
    tell: (index) => {
      news.push(index)
      turn ??= setImmediate(spread)
    },
    close: () => {
      clearImmediate(turn)
      clearTimeout(timer)
      listeners.clear()
    },
  }
}
