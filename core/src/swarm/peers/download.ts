// Fetches the missing pieces of one torrent: asks peers for blocks, verifies whole pieces, and finds out who lied.
//
// Replaces webtorrent's `_update`, `_updateWire` and `_request`, which walk over all pieces and peers for every message
// and know no blame (webtorrent issues 1558, 2150, 2432). Here everything that happens in one turn of the event loop
// leads to one pass over the peers that have something to ask for.

import { BLOCK_LENGTH, type Geometry } from '../pieces/geometry.ts'
import { type BlockClaim, createPicker, type Picker, type Source, type StartedPiece } from '../pieces/picker.ts'
import type { RateLimiter } from '../rate-limiter.ts'
import { createAdvice } from './advice.ts'
import { pipeOf } from './direct-pipe.ts'
import { createIntake, type Intake } from './intake.ts'
import type { Link } from './link.ts'
import { createNeighbours, type Neighbours } from './neighbours.ts'
import { createTakeover } from './takeover.ts'
import { createTurn } from './turn.ts'
import { createVerdicts } from './verdicts.ts'
import type { BlockSink } from './wire-reader.ts'

export interface Download {
  readonly picker: Picker
  readonly neighbours: Pick<Neighbours, 'covers' | 'begun'>
  add(link: Link): void
  remove(link: Link): void
  onShown(link: Link, indexes: readonly number[]): void
  onHidden(link: Link, index: number): void
  /** Takes a block from anyone who claimed it. */
  receive(claim: BlockClaim, source: Source, data: Uint8Array): void
  /** Gives a source that fetches whole pieces one that others would need much longer for. */
  relieveBy(source: Source, delayMs: number): StartedPiece | undefined
  /** Something changed: there will be a pass in this turn of the event loop. */
  wake(): void
  /** Once a second: measures, gives up on the silent, and lets idle peers take over from slow ones. */
  tick(): void
  /** Bytes of verified pieces per second that peers delivered, lately. */
  readonly peerBytesPerSecond: number
  close(): void
}

export interface DownloadOptions {
  readonly geometry: Geometry
  readonly has: (index: number) => boolean
  readonly isPiece: (index: number, bytes: Uint8Array) => boolean
  readonly write: (index: number, bytes: Uint8Array) => Promise<void>
  readonly limiterOf: (link: Link) => RateLimiter
  readonly random: () => number
  readonly now: () => number
  readonly ownId: string
  /** The piece is verified and on disk. */
  readonly onPiece: (index: number) => void
  /** A block came that was asked for and is not known to be bad. */
  readonly onUseful: () => void
  readonly onBadPiece: (index: number, senders: readonly Source[]) => void
  /** `source` alone sent a bad piece, or its blocks were shown to be bad. Everything unverified of it is forgotten. */
  readonly onGuilty: (source: Source, index: number) => void
  /** The disk failed. The download is over. */
  readonly onFailed: (error: unknown) => void
}

/** Asked for something and sent nothing for so long: others may be asked for the same. */
const SILENT_MS = 10_000
/** And so long: it is gone. */
const GONE_MS = 60_000

/** A neighbour that is asked and sends nothing for so long does not count as one. */
const NEAR_SILENT_MS = 1_000

export const createDownload = (options: DownloadOptions): Download => {
  const { geometry, has, limiterOf, random, now, onUseful, onFailed } = options
  const picker = createPicker({ pieces: geometry.pieces, pieceLengthOf: geometry.pieceLengthOf, has, random })
  const intakes = new Map<Link, Intake>()
  let closed = false
  let pass: NodeJS.Immediate | undefined
  const neighbours = createNeighbours({
    pieces: geometry.pieces,
    ownId: options.ownId,
    now,
    isUnderWay: (index) => picker.startedPiece(index)?.askers.some(isOutside) === true,
    onYielded: (index) => {
      // What has begun to come is worth more than what would have to be asked for again.
      if (picker.startedPiece(index)?.senders.some((sender) => sender !== undefined) !== false) return
      for (const { link, claims } of intakes.values()) {
        if (link.isNear) continue
        for (const claim of [...claims]) if (claim.piece.index === index) cancel(link, claim)
      }
    },
    onFreed: () => {
      for (const intake of intakes.values()) if (!intake.link.isNear) intake.starvedAt = undefined
    },
  })

  const cancel = ({ wire }: Link, claim: BlockClaim): void => {
    const { offset, length } = rangeOf(claim)
    wire.cancel(claim.piece.index, offset, length)
  }

  const wake = (): void => {
    if (closed || pass !== undefined) return
    pass = setImmediate(() => {
      pass = undefined
      // In random order, so that no peer is always the first to choose.
      for (const intake of shuffled([...intakes.values()], random)) fill(intake)
      if (picker.isAllAsked) takeover.relieveAtEnd()
    })
  }

  const canAsk = (intake: Intake): boolean =>
    !closed && !intake.link.wire.peerChoking && intake.wanted > 0 && !verdicts.isFull

  const fill = (intake: Intake): void => {
    if (!intake.hasRoom || !canAsk(intake)) return
    const limiter = limiterOf(intake.link)
    while (intake.claimCount < intake.window) {
      if (!limiter.isReady()) {
        limiter.whenReady(wake)
        return
      }
      const openings = picker.openings
      if (intake.starvedAt === openings) return
      const kind = kindOfClaim(intake)
      const { link, suggested } = intake
      const claim =
        picker.claimSuggested(link, turn.freeOf(link), kind, suggested) ??
        (advice.holdsBack(intake) ? undefined : turn.claim(link, kind))
      if (claim === undefined) {
        if (advice.holdsBack(intake) || turn.isWaiting) return
        if (kind !== 'own') intake.starvedAt = openings
        return
      }
      ask(intake, claim)
    }
  }

  /** Who is not trusted gets one piece at a time, and alone: if it is bad, there is only one who can have done it. */
  const kindOfClaim = ({ link, isTrusted }: Intake): 'shared' | 'alone' | 'own' =>
    isTrusted ? 'shared' : picker.alonePieces(link) > 0 ? 'own' : 'alone'

  const ask = (intake: Intake, claim: BlockClaim): void => {
    const { offset, length } = rangeOf(claim)
    limiterOf(intake.link).spend(length)
    intake.asked(claim)
    if (!intake.link.isNear) neighbours.begun(claim.piece.index)
    intake.link.wire.request(claim.piece.index, offset, length, (error, data) => {
      if (error === null && data !== undefined && data.length === length) {
        intake.received(claim, length)
        receive(claim, intake.link, data)
      } else {
        intake.failed(claim)
        picker.release(claim, intake.link)
      }
      wake()
    })
  }

  /** The place of a block in its piece, as long as this peer is the one who was asked for it. */
  const sinkFor = (intake: Intake, index: number, offset: number, length: number): BlockSink | undefined => {
    const claim = intake.claimOf(index, offset)
    if (claim === undefined || rangeOf(claim).length !== length) return undefined
    const { piece, block } = claim
    return {
      place: piece.buffer.subarray(offset, offset + length),
      isOpen: () => piece.askers[block] === intake.link,
    }
  }

  const receive = (claim: BlockClaim, source: Source, data: Uint8Array): void => {
    if (closed) return
    const rival = claim.piece.askers[claim.block]
    const outcome = picker.receive(claim, source, data)
    if (outcome === 'unwanted') return
    onUseful()
    if (rival !== undefined && rival !== source) withdraw(rival)
    if (outcome === 'complete') judge(claim.piece).catch(onFailed)
  }

  /** Cancels what a peer was asked for and somebody else has sent or was asked for since. */
  const withdraw = (loser: Source): void => {
    const intake = [...intakes.values()].find(({ link }) => link === loser)
    if (intake === undefined) return
    for (const claim of [...intake.claims]) {
      if (claim.piece.askers[claim.block] !== loser) cancel(intake.link, claim)
    }
  }

  const judge = async (piece: StartedPiece): Promise<void> => {
    try {
      await verdicts.judge(piece)
    } finally {
      wake()
    }
  }

  const verdicts = createVerdicts({ ...options, picker, intakes: () => intakes.values(), isClosed: () => closed })
  const turn = createTurn({ picker, neighbours, onOver: wake })
  const advice = createAdvice({ picker, intakes: () => intakes.values(), now })
  const takeover = createTakeover({
    picker,
    intakes: () => intakes.values(),
    limiterOf,
    now,
    canAsk,
    kindOfClaim,
    freeOf: turn.freeOf,
    ask,
    withdraw,
  })

  const dropSilent = (intake: Intake): void => {
    if (intake.claimCount === 0) return
    if (intake.debtMs > GONE_MS) intake.link.close()
    if (intake.silentMs <= SILENT_MS) return
    for (const claim of [...intake.claims]) {
      picker.release(claim, intake.link)
      cancel(intake.link, claim)
    }
    intake.restart()
  }

  return {
    picker,
    neighbours,
    receive,
    relieveBy: (source, delayMs) => {
      const piece = picker.takeOverPiece(source, takeover.slowerThan(delayMs))
      if (piece !== undefined) for (const { link } of intakes.values()) withdraw(link)
      return piece
    },
    wake,
    get peerBytesPerSecond() {
      let sum = 0
      for (const intake of intakes.values()) sum += intake.bytesPerSecond
      return sum
    },

    add: (link) => {
      const intake = createIntake(link, now, () => !link.isNear && neighbours.any)
      intakes.set(link, intake)
      neighbours.add(link)
      const pipe = pipeOf(link.peer)
      if (pipe !== undefined) pipe.sinkFor = (...block) => sinkFor(intake, ...block)
      link.wire.on('unchoke', wake)
      link.wire.on('suggest', (index: number) => {
        if (!picker.isMissing(index) || intake.suggested.size >= SUGGESTIONS_MAX) return
        intake.suggested.add(index)
        intake.advisedAt = now()
        wake()
      })
      link.wire.on('choke', () => intake.forgive())
    },

    remove: (link) => {
      intakes.delete(link)
      neighbours.remove(link)
      picker.leave(link)
      for (let index = 0; index < geometry.pieces; index += 1) {
        if (link.has(index)) picker.countPeer(index, -1)
      }
      wake()
    },

    onShown: (link, indexes) => {
      const intake = intakes.get(link)
      if (intake === undefined) return
      advice.onShown(link, indexes)
      for (const index of indexes) {
        picker.countPeer(index, 1)
        if (picker.isMissing(index)) intake.want(1)
      }
      neighbours.onShown(link, indexes)
      intake.starvedAt = undefined
      wake()
    },

    onHidden: (link, index) => {
      neighbours.onHidden(link, index)
      picker.countPeer(index, -1)
      if (picker.isMissing(index)) intakes.get(link)?.want(-1)
    },

    tick: () => {
      for (const intake of intakes.values()) {
        intake.measure()
        neighbours.judge(intake.link, isDelivering(intake))
        dropSilent(intake)
      }
      neighbours.tick()
      for (const intake of intakes.values()) takeover.relieve(intake)
      wake()
    },

    close: () => {
      closed = true
      clearImmediate(pass)
      turn.close()
    },
  }
}

/** More than any seed of ours suggests ahead. */
const SUGGESTIONS_MAX = 64

const isOutside = (source: Source | undefined): boolean => source !== undefined && source.isNear !== true

/** What it has is asked of it, and it sends it. */
const isDelivering = ({ link, wanted, silentMs }: Intake): boolean =>
  silentMs < NEAR_SILENT_MS && !(link.wire.peerChoking && wanted > 0)

const rangeOf = ({ piece, block }: BlockClaim) => ({
  offset: block * BLOCK_LENGTH,
  length: Math.min(BLOCK_LENGTH, piece.length - block * BLOCK_LENGTH),
})

const shuffled = <T>(items: T[], random: () => number): T[] => {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const chosen = Math.floor(random() * (last + 1))
    const [a, b] = [items[last], items[chosen]]
    if (a === undefined || b === undefined) continue
    items[last] = b
    items[chosen] = a
  }
  return items
}
