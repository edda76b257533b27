// What the role `urgent` signs: the releases that machines may have before the age that their owners ask for, each with the digest
// of its content. Pure.
import { UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import { URGENT_ROLE } from '@updraft/core/names'
import { isListedUrgent, isSameName, parseUrgent, URGENT_SCHEMA, type UrgentList } from '@updraft/core/trust/urgent'
import type { EditionPart } from '../repository/edition.ts'
import type { PublishedRelease } from '../repository/releases.ts'
import type { Change, TargetsContent } from '../sign.ts'

/** What a new role says. */
export const NOTHING_URGENT: TargetsContent = { targets: {}, urgent: { schema: URGENT_SCHEMA, releases: [] } }

/** What the role says now; undefined if the repository has no such role. */
export const urgentListOf = ({ products }: Pick<EditionPart, 'products'>): UrgentList | undefined => {
  const role = products.get(URGENT_ROLE)
  return role && parseUrgent(role.metadata.signed.urgent)
}

export interface UrgencyFacts {
  readonly list: UrgentList
  /** All of the products that `list` names. */
  readonly all: readonly PublishedRelease[]
  /** What is to be urgent, or no longer. */
  readonly wanted: readonly PublishedRelease[]
  readonly undo: boolean
}

/**
 * The change that adds to the list, or takes from it; undefined if it says so already. Entries of releases that are gone or yanked
 * are dropped on the way.
 *
 * Errors: LIMIT_EXCEEDED.
 */
export const urgentChange = ({ list, all, wanted, undo }: UrgencyFacts): Change | undefined => {
  const isNamed = ({ release, index }: PublishedRelease) => isListedUrgent(list, release, index.sha256)
  if (wanted.every((published) => isNamed(published) !== undo)) return undefined
  const kept = list.releases.filter((entry) => {
    const its = all.find(({ release, index }) => index.sha256 === entry.index && isSameName(entry, release))
    return its !== undefined && its.release.yanked === undefined && !wanted.includes(its)
  })
  const added = undo
    ? []
    : wanted.map(({ release: { product, version, platform }, index }) => ({
        product,
        version,
        platform,
        index: index.sha256,
      }))
  const releases = [...kept, ...added]
  if (releases.length > LIMITS.urgentReleasesMax) {
    throw new UpdateError(
      'LIMIT_EXCEEDED',
      `${releases.length} releases would be urgent; at most ${LIMITS.urgentReleasesMax} can be`,
      {
        hint: 'take back what every machine has by now: updraft-publisher urgent PRODUCT VERSION --undo',
      },
    )
  }
  return { products: new Map([[URGENT_ROLE, { targets: {}, urgent: { schema: URGENT_SCHEMA, releases } }]]) }
}
