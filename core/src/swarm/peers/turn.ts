// Which of the missing pieces a peer outside is asked for while neighbours fetch the same release: none that one of them has or
// fetches, and of the others those that are ours to begin first.
import type { BlockClaim, Picker, Share } from '../pieces/picker.ts'
import type { Link } from './link.ts'
import { type Neighbours, OTHERS_TURN_MS } from './neighbours.ts'

export interface Turn {
  /** What this peer may be asked for: of one outside, what no neighbour has or fetches. */
  freeOf(link: Link): (index: number) => boolean
  /** Neighbours hear of the same piece at the same moment. One of them is to begin, and the others wait whether it does. */
  claim(link: Link, kind: Share): BlockClaim | undefined
  /** Something was left to a neighbour, which has the time to begin it until `onOver` is called. */
  readonly isWaiting: boolean
  close(): void
}

export interface TurnOptions {
  readonly picker: Pick<Picker, 'claimBlock'>
  readonly neighbours: Pick<Neighbours, 'any' | 'covers' | 'isOurs' | 'isAnybodys'>
  readonly onOver: () => void
}

export const createTurn = ({ picker, neighbours, onOver }: TurnOptions): Turn => {
  let waiting: NodeJS.Timeout | undefined

  const freeOf = ({ has, isNear }: Link): ((index: number) => boolean) =>
    isNear || !neighbours.any ? has : (index) => has(index) && !neighbours.covers(index)

  return {
    freeOf,
    claim: (link, kind) => {
      const isFree = freeOf(link)
      if (isFree === link.has) return picker.claimBlock(link, isFree, kind)
      let isHeldBack = false
      const mayBegin = (index: number): boolean => {
        const itMay = neighbours.isAnybodys(index)
        isHeldBack ||= !itMay
        return itMay
      }
      const claim =
        picker.claimBlock(link, (index) => isFree(index) && neighbours.isOurs(index), kind) ??
        picker.claimBlock(link, (index) => isFree(index) && mayBegin(index), kind)
      if (claim === undefined && isHeldBack) {
        waiting ??= setTimeout(() => {
          waiting = undefined
          onOver()
        }, OTHERS_TURN_MS)
      }
      return claim
    },
    get isWaiting() {
      return waiting !== undefined
    },
    close: () => clearTimeout(waiting),
  }
}
