// When a seed that says what to take from it (suggests) is asked for nothing else. Source: BEP 6 (suggest).
import type { Picker } from '../pieces/picker.ts'
import type { Intake } from './intake.ts'
import type { Link } from './link.ts'

export interface Advice {
  /**
   * A seed that says what to take from it has other plans with the rest. It gets to say the next before we choose; and while it
   * brings out what nobody else has, through others, whatever else we ask it for keeps everybody waiting.
   */
  holdsBack(intake: Intake): boolean
  /** Called before the peer is counted among those who have the pieces. */
  onShown(link: Link, indexes: readonly number[]): void
}

export interface AdviceOptions {
  readonly picker: Pick<Picker, 'leastRarity' | 'rarityOf' | 'isMissing'>
  readonly intakes: () => Iterable<Intake>
  readonly now: () => number
}

/**
 * Longer than a seed needs to answer a request with the next suggestion, and than a piece takes; then it has no more, or is none
 * of ours, or those whom it told do not get on.
 */
const ADVICE_MS = 1_000
/** What a slow seed has suggested ahead takes some seconds; and not everybody who has a piece is connected to us. */
const ADVICE_MAX_MS = 5_000

export const createAdvice = ({ picker, intakes, now }: AdviceOptions): Advice => {
  /** When a peer last showed something that only seeds had, which say what to take from them. */
  let broughtOutAt = Number.NEGATIVE_INFINITY

  const adviserCount = (): number => {
    let count = 0
    for (const { link, advisedAt } of intakes()) if (link.isSeed && advisedAt !== undefined) count += 1
    return count
  }

  return {
    holdsBack: ({ advisedAt }) => {
      if (advisedAt === undefined) return false
      const silentMs = now() - advisedAt
      if (silentMs < ADVICE_MS) return true
      return silentMs < ADVICE_MAX_MS && now() - broughtOutAt < ADVICE_MS && picker.leastRarity <= adviserCount()
    },
    onShown: (link, indexes) => {
      if (link.isSeed) return
      const onlySeeds = adviserCount()
      for (const index of indexes) {
        if (picker.rarityOf(index) <= onlySeeds && picker.isMissing(index)) broughtOutAt = now()
      }
    },
  }
}
