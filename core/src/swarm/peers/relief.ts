// Who takes over what at the end of a download, when every block is there or asked for: a machine would wait for the slowest of its
// peers while the others, who have the same pieces, have nothing to do. Pure: it only chooses.
//
// What was asked for last is taken first: the loser has most likely not begun to send it, and a cancel saves it from that. In a swarm
// of eight, where the last second decides, an end game in which everybody is asked for everything costs more than it gains.
import type { BlockClaim } from '../pieces/picker.ts'

/** What has to be known of a peer that is asked for blocks; an intake is one. */
export interface Worker {
  /** The oldest first. */
  readonly claims: Iterable<BlockClaim>
  readonly claimCount: number
  /** 0 is not known. */
  readonly bytesPerSecond: number
  /** When the last of what it was asked for may be expected, from now. */
  readonly delayMs: number
  readonly delayPerBlockMs: number
}

export interface Move<W extends Worker> {
  readonly from: W
  readonly to: W
  readonly claim: BlockClaim
}

/** What will be there within this time is not worth asking for twice. */
const WORTH_MS = 150
/** The winner must need half the time: estimates are rough, and a block that is on its way already comes twice. */
const ADVANTAGE = 2

/** `mayTake`: the peer has the piece, and may deliver a part of it. */
export const planRelief = <W extends Worker>(
  idle: readonly W[],
  busy: readonly W[],
  mayTake: (worker: W, claim: BlockClaim) => boolean,
): readonly Move<W>[] => {
  const queues = busy.map((worker) => ({ worker, left: [...worker.claims], isStuck: false }))
  const leftMs = ({ worker, left }: (typeof queues)[number]): number =>
    left.length === 0 ? 0 : worker.delayMs * (left.length / worker.claimCount)
  const moves: Move<W>[] = []
  for (const to of idle) {
    for (const queue of queues) queue.isStuck = false
    for (let taken = 1; ; ) {
      const [from] = queues.filter(({ isStuck }) => !isStuck).sort((a, b) => leftMs(b) - leftMs(a))
      if (from === undefined || leftMs(from) <= Math.max(WORTH_MS, ADVANTAGE * taken * to.delayPerBlockMs)) break
      const place = from.left.findLastIndex((claim) => mayTake(to, claim))
      const [claim] = place === -1 ? [] : from.left.splice(place, 1)
      if (claim === undefined) {
        from.isStuck = true
        continue
      }
      moves.push({ from: from.worker, to, claim })
      taken += 1
      if (to.bytesPerSecond === 0) break // One, to see how fast it is.
    }
  }
  return moves
}
