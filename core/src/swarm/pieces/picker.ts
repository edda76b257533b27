// Decides which block to ask for next, and keeps what has come of each started piece. No network, no disk, no clock.
//
// Order: the rarest piece first; among equally rare ones a started piece before a fresh one; the rest by chance. In a
// swarm of 8 agents this order took 1.4 times the ideal time; finishing started pieces at any price took 2.4 times.
import { createBufferPool } from './buffer-pool.ts'
import { BLOCK_LENGTH } from './geometry.ts'
import { createRarityBuckets } from './rarity-buckets.ts'

/** Who delivers blocks: a connection or a web seed. Compared by identity; the name is for messages. */
export interface Source {
  readonly name: string
  /** What a ban list would hold about it. */
  readonly banSubjects: readonly string[]
  /** In this machine's own network; undefined is not. */
  readonly isNear?: boolean
}

/** A piece that is being fetched. */
export interface StartedPiece {
  readonly index: number
  readonly length: number
  /** As long as the piece; blocks are copied to their places as they come. */
  readonly buffer: Buffer<ArrayBuffer>
  /** For each block, who was asked for it and who sent it. A block that was sent has no asker any more. */
  readonly askers: (Source | undefined)[]
  readonly senders: (Source | undefined)[]
  /** Only this source may deliver the piece: if it turns out bad, it is known who was it. */
  alone: Source | undefined
  /** It failed before, and must now come from one source as a whole. */
  readonly mustBeAlone: boolean
}

export interface BlockClaim {
  readonly piece: StartedPiece
  readonly block: number
}

/** What of a piece a source may have: see `claimBlock`. */
export type Share = 'shared' | 'alone' | 'own'

export interface Picker {
  /** Missing pieces, including the started ones. */
  readonly missing: number
  /** Grows whenever there is something new to claim: who got nothing need not ask again before. */
  readonly openings: number
  /** Something is missing, and every block of it is there or asked for. */
  readonly isAllAsked: boolean
  /** One peer more, or fewer, has the piece. */
  countPeer(index: number, change: 1 | -1): void
  isMissing(index: number): boolean
  /** How many peers have it. */
  rarityOf(index: number): number
  /** Of what is missing and not all asked for, the piece that the fewest peers have: how many. Infinite if there is none. */
  readonly leastRarity: number
  /** Undefined if nothing of it is there and nobody is asked for it. */
  startedPiece(index: number): StartedPiece | undefined
  /**
   * Claims a block that nobody was asked for: `shared` of any piece, `alone` of a piece that no other source has a part
   * in, `own` only of one that this source has alone already. If only pieces are left that others began and nobody
   * goes on with, `alone` begins one of them again.
   */
  claimBlock(source: Source, has: (index: number) => boolean, of: Share): BlockClaim | undefined
  /** The same, but begins no others than `suggested` pieces, in their order. */
  claimSuggested(
    source: Source,
    has: (index: number) => boolean,
    of: Share,
    suggested: Iterable<number>,
  ): BlockClaim | undefined
  /** Claims up to `piecesMax` neighbouring fresh pieces, as a whole, for a source that prefers long runs. */
  claimRun(source: Source, piecesMax: number, isFree?: (index: number) => boolean): readonly StartedPiece[]
  /**
   * Takes a block over from a source that was asked and has not sent it: `alone` only with the whole piece, and only if
   * nothing of it has come. `from` says who may lose something; what a loser no longer owes shows in `askers`.
   */
  takeOver(
    source: Source,
    has: (index: number) => boolean,
    of: 'shared' | 'alone',
    from: (loser: Source) => boolean,
  ): (BlockClaim & { readonly loser: Source }) | undefined
  /** Takes a whole piece over, as `alone` does, for a source that fetches nothing smaller. */
  takeOverPiece(source: Source, from: (loser: Source) => boolean): StartedPiece | undefined
  /** `source` was asked for the block and will not send it. */
  release(claim: BlockClaim, source: Source): void
  /** Keeps a block, which may be in its place already. `complete` means that every block of the piece is there now; `unwanted` that it was not used. */
  receive(claim: BlockClaim, source: Source, data: Uint8Array): 'kept' | 'complete' | 'unwanted'
  /** The piece is verified: it is missing no more. */
  finish(piece: StartedPiece): void
  /** The piece was bad: it starts again, from one source as a whole. */
  restart(piece: StartedPiece): void
  /** `source` is gone, and with it everything that it was asked for. What it sent stays. */
  leave(source: Source): void
  /** The same, and everything unverified that it sent is forgotten. */
  discard(source: Source): void
  /** Started pieces that only `source` may deliver. */
  alonePieces(source: Source): number
}

export interface PickerOptions {
  readonly pieces: number
  readonly pieceLengthOf: (index: number) => number
  readonly has: (index: number) => boolean
  /** From 0 up to 1, as Math.random. */
  readonly random: () => number
}

export const createPicker = ({ pieces, pieceLengthOf, has: haveAlready, random }: PickerOptions): Picker => {
  const buffers = createBufferPool(pieceLengthOf(0))
  const missing = new Uint8Array(pieces)
  /** Pieces that failed once: only one source at a time may deliver them. */
  const failed = new Set<number>()
  const started = new Map<number, StartedPiece>()
  const rarity = new Uint32Array(pieces)
  /** Missing pieces with blocks that nobody was asked for: two buckets for each rarity, that of the started ones first. */
  const open = createRarityBuckets({ pieces, random })
  let missingCount = 0
  let openings = 0

  /** Puts a piece where it belongs after anything about it changed. */
  const file = (index: number): void => {
    const piece = started.get(index)
    if (missing[index] === 1 && (piece === undefined || freeBlockOf(piece) !== -1)) {
      open.put(index, (rarity[index] ?? 0) * 2 + (piece === undefined ? 1 : 0))
    } else {
      open.drop(index)
    }
  }

  const start = (index: number, alone: Source | undefined): StartedPiece => {
    const length = pieceLengthOf(index)
    const blocks = Math.ceil(length / BLOCK_LENGTH)
    const piece: StartedPiece = {
      index,
      length,
      buffer: buffers.acquire(length),
      askers: new Array<Source | undefined>(blocks).fill(undefined),
      senders: new Array<Source | undefined>(blocks).fill(undefined),
      alone,
      mustBeAlone: failed.has(index),
    }
    started.set(index, piece)
    return piece
  }

  /** Nobody owes anything of the piece any more, and its buffer serves another one. */
  const retire = (piece: StartedPiece): void => {
    piece.askers.fill(undefined)
    piece.alone = undefined
    started.delete(piece.index)
    buffers.release(piece.buffer)
  }

  /** Gives a started piece back if nothing of it is there and nobody is asked for it. */
  const tidy = (piece: StartedPiece): void => {
    const idle = piece.askers.every((asker) => asker === undefined)
    if (idle && piece.mustBeAlone) piece.senders.fill(undefined) // Half from one and half from another is not alone.
    if (idle && piece.senders.every((sender) => sender === undefined)) retire(piece)
    else if (idle) piece.alone = undefined
    openings += 1
    file(piece.index)
  }

  const ask = (piece: StartedPiece, block: number, source: Source): BlockClaim => {
    piece.askers[block] = source
    file(piece.index)
    return { piece, block }
  }

  const forget = (source: Source, isUnwanted: (sender: Source | undefined) => boolean): void => {
    for (const piece of [...started.values()]) {
      // A complete piece is being verified; the verdict decides about it.
      if (!piece.senders.includes(undefined)) continue
      for (let block = 0; block < piece.askers.length; block += 1) {
        if (isUnwanted(piece.senders[block])) piece.senders[block] = undefined
        if (piece.askers[block] === source) piece.askers[block] = undefined
      }
      tidy(piece)
    }
  }

  const isCurrent = (piece: StartedPiece): boolean => started.get(piece.index) === piece

  const claimOwn = (source: Source): BlockClaim | undefined => {
    for (const piece of started.values()) {
      if (piece.alone !== source) continue
      const block = freeBlockOf(piece)
      if (block !== -1) return ask(piece, block, source)
    }
    return undefined
  }

  /** A block of the piece, if there is one for this source to have. */
  const claimOf = (index: number, source: Source, of: 'shared' | 'alone'): BlockClaim | undefined => {
    const piece = started.get(index)
    if (piece !== undefined && (of === 'alone' || piece.alone !== undefined)) return undefined
    const isExclusive = of === 'alone' || failed.has(index)
    const chosen = piece ?? start(index, isExclusive ? source : undefined)
    return ask(chosen, freeBlockOf(chosen), source)
  }

  const claimAbandoned = (source: Source, has: (index: number) => boolean): BlockClaim | undefined => {
    for (const piece of started.values()) {
      const isGoingOn = piece.alone !== undefined || piece.askers.some((asker) => asker !== undefined)
      if (isGoingOn || !piece.senders.includes(undefined) || !has(piece.index)) continue
      retire(piece)
      return ask(start(piece.index, source), 0, source)
    }
    return undefined
  }

  for (let index = 0; index < pieces; index += 1) {
    if (haveAlready(index)) continue
    missing[index] = 1
    missingCount += 1
    file(index)
  }

  return {
    get missing() {
      return missingCount
    },

    get openings() {
      return openings
    },

    get isAllAsked() {
      return missingCount > 0 && open.size === 0
    },

    isMissing: (index) => missing[index] === 1,
    rarityOf: (index) => rarity[index] ?? 0,
    get leastRarity() {
      return open.lowest === undefined ? Number.POSITIVE_INFINITY : open.lowest >> 1
    },
    startedPiece: (index) => started.get(index),

    countPeer: (index, change) => {
      rarity[index] = (rarity[index] ?? 0) + change
      if (open.holds(index)) file(index)
    },

    claimSuggested: (source, has, of, suggested) => {
      const own = claimOwn(source)
      if (own !== undefined || of === 'own') return own
      for (const index of suggested) {
        const claim = open.holds(index) && has(index) ? claimOf(index, source, of) : undefined
        if (claim !== undefined) return claim
      }
      return undefined
    },

    claimBlock: (source, has, of) => {
      const own = claimOwn(source)
      if (own !== undefined || of === 'own') return own
      const claim = open.first((index) => (has(index) ? claimOf(index, source, of) : undefined))
      return claim ?? (of === 'alone' ? claimAbandoned(source, has) : undefined)
    },

    claimRun: (source, piecesMax, isFree = () => true) => {
      const isFresh = (index: number) => missing[index] === 1 && !started.has(index) && isFree(index)
      const fresh = open.filter(isFresh)
      const chance = fresh[Math.floor(random() * fresh.length)]
      if (chance === undefined) return []
      // From the beginning of the gap if that is near, so that runs meet and leave no crumbs between them.
      let first = chance
      while (first > 0 && isFresh(first - 1) && chance - first < piecesMax - 1) first -= 1
      const run: StartedPiece[] = []
      for (let index = first; index < pieces && run.length < piecesMax && isFresh(index); index += 1) {
        const piece = start(index, source)
        piece.askers.fill(source)
        open.drop(index)
        run.push(piece)
      }
      return run
    },

    takeOver: (source, has, of, from) => {
      for (const piece of started.values()) {
        if (!has(piece.index)) continue
        const whole = of === 'alone' || piece.mustBeAlone
        if (whole && piece.senders.some((sender) => sender !== undefined)) continue
        for (let block = piece.askers.length - 1; block >= 0; block -= 1) {
          const loser = piece.askers[block]
          if (loser === undefined || loser === source || !from(loser)) continue
          if (whole) piece.askers.fill(undefined)
          piece.alone = whole ? source : undefined
          openings += 1
          return { ...ask(piece, block, source), loser }
        }
      }
      return undefined
    },

    takeOverPiece: (source, from) => {
      for (const piece of started.values()) {
        const isSlow = piece.askers.some((asker) => asker !== undefined && asker !== source && from(asker))
        if (!isSlow || piece.senders.some((sender) => sender !== undefined)) continue
        piece.askers.fill(source)
        piece.alone = source
        file(piece.index)
        return piece
      }
      return undefined
    },

    release: ({ piece, block }, source) => {
      if (!isCurrent(piece) || piece.askers[block] !== source) return
      piece.askers[block] = undefined
      tidy(piece)
    },

    receive: ({ piece, block }, source, data) => {
      if (!isCurrent(piece) || piece.senders[block] !== undefined) return 'unwanted'
      if (piece.mustBeAlone && piece.alone !== source) return 'unwanted'
      const wasAsked = piece.askers[block] === source
      const place = block * BLOCK_LENGTH
      const isInPlace = data.buffer === piece.buffer.buffer && data.byteOffset === piece.buffer.byteOffset + place
      if (!isInPlace) piece.buffer.set(data, place)
      piece.senders[block] = source
      piece.askers[block] = undefined
      if (!wasAsked) file(piece.index) // It was free: there may be nothing left to claim.
      return piece.senders.includes(undefined) ? 'kept' : 'complete'
    },

    finish: (piece) => {
      if (!isCurrent(piece)) return
      retire(piece)
      failed.delete(piece.index)
      missing[piece.index] = 0
      missingCount -= 1
      file(piece.index)
    },

    restart: (piece) => {
      if (!isCurrent(piece)) return
      retire(piece)
      failed.add(piece.index)
      openings += 1
      file(piece.index)
    },

    leave: (source) => forget(source, () => false),
    discard: (source) => forget(source, (sender) => sender === source),

    alonePieces: (source) => {
      let count = 0
      for (const piece of started.values()) if (piece.alone === source) count += 1
      return count
    },
  }
}

const freeBlockOf = ({ askers, senders }: StartedPiece): number => {
  for (let block = 0; block < askers.length; block += 1) {
    if (askers[block] === undefined && senders[block] === undefined) return block
  }
  return -1
}
