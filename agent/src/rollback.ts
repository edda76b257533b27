// Leaves a version again, because its probe failed or because a person says so: `current` goes to the version from before.
// The verdict is in the store before anything moves, so that a kill at any point is followed by the same way back.
import { join } from 'node:path'
import { UpdateError } from '@updraft/core/errors'
import { removeAll } from '@updraft/core/files/atomic'
import { bundleNameOf, isNewer, type Product, type ReleaseName, type ReleaseVersion } from '@updraft/core/names'
import { findOtherPlace, findPlace, pointCurrentTo, readCurrentVersion, removeCurrent } from './current-link.ts'
import type { CycleDependencies } from './cycle-types.ts'
import type { InstalledRecord } from './store/installed.ts'
import { removeVersionsExcept } from './versions.ts'

export type RollbackDependencies = Pick<CycleDependencies, 'home' | 'store' | 'report'>

/** What a rollback has changed. */
export interface RolledBack {
  readonly version: ReleaseVersion
  readonly previous: ReleaseVersion
}

/** Leaves a version that is not well for the one that was current before it, or for none. Errors: as `finishRollback`. */
export const rollBack = async (
  left: ReleaseName,
  error: UpdateError,
  dependencies: RollbackDependencies,
): Promise<void> => {
  dependencies.report.condemned({ release: left, by: 'probe', error })
  await finishRollback(left, dependencies)
}

/**
 * Leaves the current version for `wanted`, or else for the newest older one that is kept and not bad itself.
 *
 * Errors: RELEASE_UNKNOWN if there is none, USAGE if `wanted` is no older one; then nothing has changed. Else as
 *         `finishRollback`.
 */
export const rollBackByHand = async (
  product: Product,
  wanted: ReleaseVersion | undefined,
  dependencies: RollbackDependencies,
): Promise<RolledBack> => {
  const left = await currentOf(product, dependencies)
  const goTo = await chooseKept(left, wanted, dependencies)
  const error = new UpdateError('ABORTED', `a person went back from ${left.version} to ${goTo.version}`, {
    hint: `${left.version} is taken again after: updraft-agent retry ${product}`,
  })
  dependencies.report.condemned({ release: left, by: 'person', error, goTo })
  await finishRollback(left, dependencies)
  return { version: goTo.version, previous: left.version }
}

/**
 * Brings `current` to the version that the store calls the current one, and away from `left`, which is marked bad. Does what
 * is still to be done, if an agent was killed over it.
 *
 * Errors: STATE_DAMAGED if the version to go back to is gone: then `current` stays, for a bad version is better than none.
 *         DISK_FULL, PERMISSION, IO.
 */
export const finishRollback = async (
  left: ReleaseName,
  { home, store, report }: RollbackDependencies,
): Promise<void> => {
  const { product } = left
  const productsDirectory = productsOf(home)
  const back = store.installed.current(product)
  const place =
    back === undefined
      ? // A store that was lost knows of nothing; a verified version may be there all the same, and is better than none.
        await findOtherPlace(productsDirectory, product, left.version)
      : await placeOf(back, productsDirectory)
  if (place === undefined) await removeCurrent(productsDirectory, product)
  else await pointCurrentTo(productsDirectory, product, place)
  // Also the one that was left, unless it was installed for a while and is kept for that.
  const kept = store.installed.kept(product).map(({ version }) => version)
  await removeVersionsExcept(productsDirectory, product, kept)
  await removeAll(join(home.dataDirectory, 'staging', bundleNameOf(left)))
  report.rolledBack(left)
}

const productsOf = ({ dataDirectory }: RollbackDependencies['home']): string => join(dataDirectory, 'products')

/** What `current` points to: a version that is still to be probed, or the one that the store knows. */
const currentOf = async (product: Product, { home, store }: RollbackDependencies): Promise<ReleaseName> => {
  const open = store.journal.open(product)
  if (open !== undefined && open.version === (await readCurrentVersion(productsOf(home), product))) return open
  const recorded = store.installed.current(product)
  if (recorded !== undefined) return recorded
  throw new UpdateError('RELEASE_UNKNOWN', `nothing of ${product} is installed`)
}

const chooseKept = async (
  left: ReleaseName,
  wanted: ReleaseVersion | undefined,
  { home, store }: RollbackDependencies,
): Promise<InstalledRecord> => {
  const { product } = left
  if (wanted !== undefined && !isNewer(left.version, wanted)) {
    throw new UpdateError('USAGE', `${wanted} is not older than ${left.version}, which ${product} is at`, {
      hint: `the agent takes newer releases by itself; one that is marked bad after: updraft-agent retry ${product}`,
    })
  }
  const kept: InstalledRecord[] = []
  for (const record of store.installed.kept(product)) {
    const isThere = (await findPlace(productsOf(home), product, record.version)) !== undefined
    if (isThere && isNewer(left.version, record.version)) kept.push(record)
  }
  kept.sort((a, b) => (isNewer(a.version, b.version) ? -1 : 1))
  const chosen = kept.find(({ version }) =>
    wanted === undefined ? store.badMarks.of(product, version) === undefined : version === wanted,
  )
  if (chosen !== undefined) return chosen
  const versions = kept.map(({ version }) => version).join(', ')
  const what = wanted === undefined ? `nothing to go back to from ${left.version}` : `no ${wanted} to go back to`
  throw new UpdateError('RELEASE_UNKNOWN', `of ${product}, there is ${what} on this machine`, {
    hint: versions === '' ? 'raise "versionsKept" to keep more versions' : `kept are: ${versions}`,
  })
}

const placeOf = async ({ product, version }: InstalledRecord, productsDirectory: string): Promise<string> => {
  const place = await findPlace(productsDirectory, product, version)
  if (place !== undefined) return place
  throw new UpdateError('STATE_DAMAGED', `${product} cannot go back to ${version}: its folder is gone`, {
    hint: 'the next release replaces the version that is there; or install the product anew',
  })
}
