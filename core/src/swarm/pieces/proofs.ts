// Pieces that are believed to be what was published, from a look at the files' dates, are proved before they are sent for the
// first time: a damaged disk must not make a poisoner of this machine.
import { UpdateError } from '../../errors.ts'
import type { Metainfo } from '../metainfo.ts'
import { geometryOf } from './geometry.ts'
import type { PieceFiles } from './piece-files.ts'
import { isPiece } from './verify.ts'

export interface Proofs {
  /** Errors: IO if the piece is not what was published, or cannot be read. */
  prove(index: number): Promise<void>
}

export const createProofs = (metainfo: Metainfo, files: Pick<PieceFiles, 'read'>, onDamaged: () => void): Proofs => {
  const { pieceLengthOf } = geometryOf(metainfo)
  const proofs = new Map<number, Promise<void>>()
  let isDamaged = false

  const proof = async (index: number): Promise<void> => {
    try {
      if (isPiece(metainfo, index, await files.read(index, 0, pieceLengthOf(index)))) return
      throw new UpdateError('IO', `piece ${index} of ${metainfo.name} is damaged`)
    } catch (error) {
      if (!isDamaged) onDamaged()
      isDamaged = true
      throw error
    }
  }

  return {
    prove: (index) => {
      const known = proofs.get(index)
      if (known !== undefined) return known
      const begun = proof(index)
      proofs.set(index, begun)
      return begun
    },
  }
}
