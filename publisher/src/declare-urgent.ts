// Calls a release urgent, or takes that back: the role `urgent` signs it where the repository has one, else the product's own role.

import type { UrgentList } from '@updraft/core/trust/urgent'
import { noUrgency, urgency } from './amend/urgent.ts'
import {
  type Amended,
  type AmendOptions,
  type AmendRequest,
  amendedContent,
  amendedOf,
  assertNotYanked,
} from './amend.ts'
import { applyToProducts } from './apply-change.ts'
import { assertNotExpired } from './repository/demands.ts'
import { findReleases, type WantedRelease } from './repository/find-release.ts'
import type { RepositoryPart } from './repository.ts'
import { urgentChange, urgentListOf } from './sign/urgent.ts'
import type { Change } from './sign.ts'

export interface Declared extends Amended {
  /** Who had to sign. */
  readonly signedAs: string
}

/**
 * Errors: those of `applyChange`; PRODUCT_UNKNOWN, RELEASE_UNKNOWN, RELEASE_YANKED, METADATA_EXPIRED, LIMIT_EXCEEDED.
 */
export const declareUrgent = async (
  request: AmendRequest & { readonly undo: boolean },
  { keys, now, onStep }: AmendOptions,
): Promise<Declared> => {
  const decide = (repository: RepositoryPart) => {
    assertNotExpired(repository, now)
    return urgencyChange(repository, request, request.undo)
  }
  // Entries of what is gone are dropped on the way, so it is looked at as well.
  const wanted = (list: UrgentList | undefined) => [
    request.product,
    ...(list?.releases ?? []).map(({ product }) => product),
  ]
  const { after, signed } = await applyToProducts(request.repository, wanted, decide, { keys, now, onStep })
  const signedAs = urgentListOf(after.edition) === undefined ? request.product : 'urgent'
  return { ...amendedOf(after, request, signed.length > 0), signedAs }
}

/** Undefined if it is so already. Pure. Errors: PRODUCT_UNKNOWN, RELEASE_UNKNOWN, RELEASE_YANKED, LIMIT_EXCEEDED. */
export const urgencyChange = (repository: RepositoryPart, wanted: WantedRelease, undo: boolean): Change | undefined => {
  const releases = findReleases(repository, wanted)
  if (!undo) for (const { release } of releases) assertNotYanked(release)
  const list = urgentListOf(repository.edition)
  if (list !== undefined) return urgentChange({ list, all: repository.releases, wanted: releases, undo })
  const content = amendedContent(repository, releases, undo ? noUrgency : urgency)
  return content && { products: new Map([[wanted.product, content]]) }
}
