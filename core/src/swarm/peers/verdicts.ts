// What becomes of a piece whose blocks are all there: it is kept, or it is bad, and then it is found out who lied.
import { createBlame, sendersOf } from '../pieces/blame.ts'
import type { Picker, Source, StartedPiece } from '../pieces/picker.ts'
import type { Intake } from './intake.ts'

export interface Verdicts {
  /** Errors: those of `write`. */
  judge(piece: StartedPiece): Promise<void>
  /** So much waits to be hashed and written that nothing more should be asked for. */
  readonly isFull: boolean
}

export interface VerdictsOptions {
  readonly picker: Pick<Picker, 'finish' | 'restart' | 'discard'>
  readonly intakes: () => Iterable<Intake>
  readonly isPiece: (index: number, bytes: Uint8Array) => boolean
  readonly write: (index: number, bytes: Uint8Array) => Promise<void>
  /** The download is over: what was being written is nobody's any more. */
  readonly isClosed: () => boolean
  /** The piece is verified and on disk. */
  readonly onPiece: (index: number) => void
  readonly onBadPiece: (index: number, senders: readonly Source[]) => void
  /** `source` alone sent a bad piece, or its blocks were shown to be bad. Everything unverified of it is forgotten. */
  readonly onGuilty: (source: Source, index: number) => void
}

/** A disk slower than the network must not fill the memory. */
const UNWRITTEN_BYTES_MAX = 64 * 1024 * 1024

export const createVerdicts = (options: VerdictsOptions): Verdicts => {
  const { picker, intakes, isPiece, write, isClosed, onPiece, onBadPiece, onGuilty } = options
  const blame = createBlame()
  let unwrittenBytes = 0

  const keep = async (piece: StartedPiece): Promise<void> => {
    for (const liar of blame.passed(piece)) convict(liar, piece.index)
    await write(piece.index, piece.buffer)
    if (isClosed()) return
    picker.finish(piece)
    const senders = new Set(sendersOf(piece))
    for (const intake of intakes()) {
      if (senders.has(intake.link)) {
        intake.isTrusted = true
        intake.starvedAt = undefined // It may share pieces now.
      }
      if (intake.link.has(piece.index)) intake.want(-1)
      intake.suggested.delete(piece.index)
    }
    onPiece(piece.index)
  }

  const reject = (piece: StartedPiece): void => {
    onBadPiece(piece.index, sendersOf(piece))
    const { guilty, suspects } = blame.failed(piece)
    picker.restart(piece)
    for (const intake of intakes()) if (suspects.includes(intake.link)) intake.isTrusted = false
    for (const liar of guilty) convict(liar, piece.index)
  }

  const convict = (source: Source, index: number): void => {
    picker.discard(source)
    onGuilty(source, index)
  }

  return {
    judge: async (piece) => {
      unwrittenBytes += piece.length
      try {
        if (isPiece(piece.index, piece.buffer)) await keep(piece)
        else reject(piece)
      } finally {
        unwrittenBytes -= piece.length
      }
    },
    get isFull() {
      return unwrittenBytes >= UNWRITTEN_BYTES_MAX
    },
  }
}
