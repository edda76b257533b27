// Peers that have nothing to do take blocks over from those who would need much longer, and these are sent a cancel.
import type { BlockClaim, Picker, Source } from '../pieces/picker.ts'
import type { RateLimiter } from '../rate-limiter.ts'
import type { Intake } from './intake.ts'
import type { Link } from './link.ts'
import { planRelief } from './relief.ts'

export interface Takeover {
  /** An idle peer takes over from one that would need much longer for the same block. */
  relieve(intake: Intake): void
  /** Everything is asked for: who has nothing to do takes over from whoever would be the last. */
  relieveAtEnd(): void
  /** Much slower than who needs `delayMs`: a block that is asked for twice is often sent twice. */
  slowerThan(delayMs: number): (source: Source) => boolean
}

export interface TakeoverOptions {
  readonly picker: Pick<Picker, 'takeOver'>
  readonly intakes: () => Iterable<Intake>
  readonly limiterOf: (link: Link) => RateLimiter
  readonly now: () => number
  readonly canAsk: (intake: Intake) => boolean
  readonly kindOfClaim: (intake: Intake) => 'shared' | 'alone' | 'own'
  readonly freeOf: (link: Link) => (index: number) => boolean
  readonly ask: (intake: Intake, claim: BlockClaim) => void
  readonly withdraw: (loser: Source) => void
}

/** At the end; in between, what was taken over last begins to come. */
const RELIEVE_EVERY_MS = 50

/** A block that will come within this time is not worth asking for twice. */
const RELIEVED_DELAY_MS = 1_000

export const createTakeover = (options: TakeoverOptions): Takeover => {
  const { picker, intakes, limiterOf, now, canAsk, kindOfClaim, freeOf, ask, withdraw } = options
  let relievedAt = Number.NEGATIVE_INFINITY

  const relieve = (intake: Intake): void => {
    if (!canAsk(intake) || intake.claimCount > 0) return
    const isSlower = slowerThan(intake.delayPerBlockMs)
    const kind = kindOfClaim(intake)
    if (kind === 'own') return
    const losers = new Set<Source>()
    while (intake.claimCount < intake.window / 2) {
      const taken = picker.takeOver(intake.link, freeOf(intake.link), kind, isSlower)
      if (taken === undefined) break
      losers.add(taken.loser)
      ask(intake, taken)
      if (kind === 'alone') break // The rest of the piece comes with the next pass.
    }
    for (const loser of losers) withdraw(loser)
  }

  const relieveAtEnd = (): void => {
    if (now() - relievedAt < RELIEVE_EVERY_MS) return
    relievedAt = now()
    const all = [...intakes()]
    const idle = all.filter(
      (intake) =>
        intake.claimCount === 0 &&
        canAsk(intake) &&
        kindOfClaim(intake) === 'shared' &&
        limiterOf(intake.link).isReady(),
    )
    if (idle.length === 0) return
    // The publisher's seed last: what others have, it need not send again.
    idle.sort((a, b) => Number(a.link.isSeed) - Number(b.link.isSeed))
    const busy = all.filter(({ claimCount }) => claimCount > 0)
    const losers = new Set<Source>()
    for (const { from, to, claim } of planRelief(idle, busy, mayTake)) {
      const { index } = claim.piece
      const taken = picker.takeOver(
        to.link,
        (other) => other === index,
        'shared',
        (loser) => loser === from.link,
      )
      if (taken === undefined) continue
      losers.add(taken.loser)
      ask(to, taken)
    }
    for (const loser of losers) withdraw(loser)
  }

  const mayTake = ({ link }: Intake, { piece, block }: BlockClaim): boolean =>
    piece.alone === undefined && !piece.mustBeAlone && piece.senders[block] === undefined && freeOf(link)(piece.index)

  const slowerThan =
    (delayMs: number) =>
    (source: Source): boolean =>
      delayOf(source) > Math.max(RELIEVED_DELAY_MS, 4 * delayMs)

  const delayOf = (source: Source): number => {
    for (const intake of intakes()) if (intake.link === source) return intake.delayMs
    return 'delayMs' in source && typeof source.delayMs === 'number' ? source.delayMs : 0
  }

  return { relieve, relieveAtEnd, slowerThan }
}
