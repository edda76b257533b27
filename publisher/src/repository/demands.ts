// What a repository has to be like before anything is signed in it for a product. Pure; whether its metadata is intact was
// seen when it was opened.
import { UpdateError } from '@updraft/core/errors'
import { describeRelease, type Product } from '@updraft/core/names'
import type { RepositoryPart } from '../repository.ts'

/** Errors: PRODUCT_UNKNOWN. */
export const assertProduct = ({ products, directory }: RepositoryPart, product: Product): void => {
  if (products.includes(product)) return
  throw new UpdateError('PRODUCT_UNKNOWN', `${directory} has no product ${product}; it has ${products.join(', ')}`, {
    hint: `add it with: updraft-publisher product add ${product} --repo ${directory}`,
  })
}

/**
 * All other roles are signed anew with every change; what is signed under an expired root or targets would be refused by every
 * client.
 *
 * Errors: METADATA_EXPIRED.
 */
export const assertNotExpired = ({ roles }: RepositoryPart, now: Date): void => {
  for (const { role, expires } of roles) {
    if ((role !== 'root' && role !== 'targets') || expires > now) continue
    throw new UpdateError('METADATA_EXPIRED', `role ${role} expired at ${expires.toISOString()}`, {
      hint: `sign it anew with: updraft-publisher renew DIR --role ${role}`,
    })
  }
}

/** Clocks that differ by less than this are as good as the same. */
const CLOCK_TOLERANCE_MS = 60 * 60 * 1000

/**
 * What is dated in the repository was signed before now. A clock that is behind would sign metadata that expires too early, and
 * releases that look older than those before them.
 *
 * Errors: CLOCK_WRONG.
 */
export const assertClock = ({ releases, edition }: RepositoryPart, now: Date): void => {
  const dated = [
    ...releases.map(
      ({ release }) => [describeRelease(release), new Date(release.yanked?.at ?? release.published)] as const,
    ),
    ...edition.carried.flatMap(({ newest }) => (newest === undefined ? [] : [[newest.path, newest.at] as const])),
  ]
  for (const [what, at] of dated) {
    if (at.getTime() <= now.getTime() + CLOCK_TOLERANCE_MS) continue
    throw new UpdateError(
      'CLOCK_WRONG',
      `this machine's clock says ${now.toISOString()}, but ${what} was signed at ${at.toISOString()}`,
      { hint: 'set the clock; if it is right, the release was signed on a machine whose clock was ahead: yank it' },
    )
  }
}
