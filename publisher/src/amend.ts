// Changes what is signed about a release that is published already: who gets it, how soon, whether at all. Only metadata is
// signed anew, and as atomically as by `publish`; not one byte of a bundle moves, and none is read.
import { isDeepStrictEqual } from 'node:util'
import { UpdateError } from '@updraft/core/errors'
import { describeRelease } from '@updraft/core/names'
import { parseRelease, type Release, type ReleasePayload } from '@updraft/core/release'
import { applyToProducts } from './apply-change.ts'
import type { KeySource } from './keys/signer.ts'
import { assertNotExpired } from './repository/demands.ts'
import { findReleases, type WantedRelease } from './repository/find-release.ts'
import type { PublishedRelease, RepositoryPart } from './repository.ts'
import type { Change, TargetsContent } from './sign.ts'

export interface AmendRequest extends WantedRelease {
  readonly repository: string
}

export interface AmendOptions {
  readonly keys: KeySource
  readonly now: Date
  /** The role whose metadata is written now; the timestamp is the last. */
  readonly onStep?: ((step: string) => void) | undefined
}

/** The payload that is to be signed instead of that of `release`. Pure; throws what it refuses. */
export type Amendment = (payload: ReleasePayload, release: Release, repository: RepositoryPart) => ReleasePayload

export interface Amended {
  readonly product: string
  readonly version: string
  /** What is signed now, one for each platform. */
  readonly releases: readonly AmendedRelease[]
  /** False if all of it was signed so already; then nothing was written. */
  readonly changed: boolean
  /** By role, as they are in force now. */
  readonly metadataVersions: Readonly<Record<string, number>>
}

export type AmendedRelease = Pick<Release, 'platform' | 'channels' | 'rollout' | 'yanked'> & {
  readonly urgent?: true
  /** The role whose word that is. */
  readonly urgentBy?: string
}

/**
 * Signs the release of `request` anew as `amendment` says.
 *
 * Errors: those of `applyChange`; PRODUCT_UNKNOWN, RELEASE_UNKNOWN, METADATA_EXPIRED, RELEASE_INVALID; and what the amendment
 *         refuses.
 */
export const amend = async (
  request: AmendRequest,
  amendment: Amendment,
  { keys, now, onStep }: AmendOptions,
): Promise<Amended> => {
  const decide = (repository: RepositoryPart): Change | undefined => {
    assertNotExpired(repository, now)
    const content = amendedContent(repository, findReleases(repository, request), amendment)
    return content && { products: new Map([[request.product, content]]) }
  }
  const { after, signed } = await applyToProducts(request.repository, () => [request.product], decide, {
    keys,
    now,
    onStep,
  })
  return amendedOf(after, request, signed.length > 0)
}

/** Errors: RELEASE_YANKED. */
export const assertNotYanked = (release: Release): void => {
  if (release.yanked === undefined) return
  throw new UpdateError(
    'RELEASE_YANKED',
    `${describeRelease(release)} was yanked at ${release.yanked.at}: ${release.yanked.reason}`,
    { hint: 'publish what is to come after it under a higher version; a false alarm is taken back with: yank --undo' },
  )
}

/** The whole content of the product's role, or undefined if nothing of it changes. */
export const amendedContent = (
  repository: RepositoryPart,
  releases: readonly PublishedRelease[],
  amendment: Amendment,
): TargetsContent | undefined => {
  const [first] = releases
  const role = first === undefined ? undefined : repository.edition.products.get(first.release.product)
  if (role === undefined) return undefined
  const targets = { ...role.metadata.signed.targets }
  let isSame = true
  for (const { release, index } of releases) {
    const target = targets[index.path]
    if (target === undefined) continue
    // What a newer publisher signed stays, though this one does not know it: so it is the JSON that is amended.
    const before = target.custom as ReleasePayload
    const after = amendment(before, release, repository)
    parseRelease(after, index.path)
    isSame &&= isDeepStrictEqual(before, after)
    targets[index.path] = { ...target, custom: after }
  }
  return isSame ? undefined : { targets }
}

export const amendedOf = (repository: RepositoryPart, request: AmendRequest, changed: boolean): Amended => ({
  product: request.product,
  version: request.version,
  releases: findReleases(repository, request).map(({ release, urgentBy }) => {
    const { platform, channels, rollout, yanked } = release
    return {
      platform,
      channels,
      ...(rollout === undefined ? {} : { rollout }),
      ...(urgentBy === undefined ? {} : { urgent: true as const, urgentBy }),
      ...(yanked === undefined ? {} : { yanked }),
    }
  }),
  changed,
  metadataVersions: Object.fromEntries(repository.roles.map(({ role, metadataVersion }) => [role, metadataVersion])),
})
