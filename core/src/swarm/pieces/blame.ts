// Finds out who sent bad data. A bad piece from one source convicts it; of a bad piece from several, each is a suspect,
// and the digests of their blocks are kept: once the piece has been fetched from somewhere else, they show who lied.
// webtorrent only asks again, so one bad peer makes a download endless (webtorrent issue 2432).
import { hash } from 'node:crypto'
import { BLOCK_LENGTH } from './geometry.ts'
import type { Source, StartedPiece } from './picker.ts'

export interface Blame {
  /** The piece is right. Gives who is now known to have sent bad blocks of it earlier. */
  passed(piece: StartedPiece): readonly Source[]
  /** The piece is wrong. Gives either the one who is guilty or the ones who may be. */
  failed(piece: StartedPiece): { readonly guilty: readonly Source[]; readonly suspects: readonly Source[] }
}

interface Evidence {
  readonly block: number
  readonly sender: Source
  readonly digest: string
}

export const createBlame = (): Blame => {
  const evidence = new Map<number, Evidence[]>()
  return {
    passed: (piece) => {
      const found = evidence.get(piece.index) ?? []
      evidence.delete(piece.index)
      const liars = found.filter(({ block, digest }) => digestOf(piece, block) !== digest)
      return [...new Set(liars.map(({ sender }) => sender))]
    },
    failed: (piece) => {
      const senders = sendersOf(piece)
      if (senders.length === 1) return { guilty: senders, suspects: [] }
      const found = evidence.get(piece.index) ?? []
      for (const [block, sender] of piece.senders.entries()) {
        if (sender !== undefined) found.push({ block, sender, digest: digestOf(piece, block) })
      }
      evidence.set(piece.index, found)
      return { guilty: [], suspects: senders }
    },
  }
}

export const sendersOf = ({ senders }: StartedPiece): readonly Source[] => [
  ...new Set(senders.filter((sender) => sender !== undefined)),
]

const digestOf = ({ buffer }: StartedPiece, block: number): string =>
  hash('sha256', buffer.subarray(block * BLOCK_LENGTH, (block + 1) * BLOCK_LENGTH))
