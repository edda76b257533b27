// Leaves a version again, because its probe failed or because a person says so: `current` goes to the version from before.
// The verdict is in the store before anything moves, so that a kill at any point is followed by the same way back.
import { join } from 'node:path'
import { hasCode, isUpdateError, UpdateError } from '@updraft/core/errors'
import { removeAll } from '@updraft/core/files/atomic'
import { bundleNameOf, isNewer, type Product, type ReleaseName, type ReleaseVersion } from '@updraft/core/names'
import type { VersionInPlace } from './activation.ts'
import {
  findOtherPlace,
  findPlace,
  pointCurrentTo,
  readCurrentVersion,
  removeCurrent,
  versionOf,
} from './current-link.ts'
import type { CycleDependencies } from './cycle-types.ts'
import { activatorFor } from './in-use.ts'
import { identityOf } from './settings/install-kind.ts'
import type { ProductSettings } from './settings.ts'
import type { BadMark } from './store/bad-marks.ts'
import type { InstalledRecord } from './store/installed.ts'
import { removeVersionsExcept } from './versions.ts'

export type RollbackDependencies = Pick<CycleDependencies, 'home' | 'store' | 'report' | 'signal'>

/** What a rollback has changed. */
export interface RolledBack {
  readonly version: ReleaseVersion
  readonly previous: ReleaseVersion
}

/** Leaves a version that is not well for the one that was current before it, or for none. Errors: as `finishRollback`. */
export const rollBack = async (
  product: ProductSettings,
  left: ReleaseName,
  by: BadMark['by'],
  error: UpdateError,
  dependencies: RollbackDependencies,
): Promise<void> => {
  dependencies.report.condemned({ release: left, by, error })
  await finishRollback(product, left, dependencies)
}

/**
 * Leaves the current version for `wanted`, or else for the newest older one that is kept and not bad itself.
 *
 * Errors: RELEASE_UNKNOWN if there is none, USAGE if `wanted` is no older one; then nothing has changed. Else as
 *         `finishRollback`.
 */
export const rollBackByHand = async (
  settings: ProductSettings,
  wanted: ReleaseVersion | undefined,
  dependencies: RollbackDependencies,
): Promise<RolledBack> => {
  const product = settings.name
  const left = await currentOf(product, dependencies)
  const goTo = await chooseKept(left, wanted, dependencies)
  const error = new UpdateError('ABORTED', `a person went back from ${left.version} to ${goTo.version}`, {
    hint: `${left.version} is taken again after: updraft-agent retry ${product}`,
  })
  dependencies.report.condemned({ release: left, by: 'person', error, goTo })
  await finishRollback(settings, left, dependencies)
  return { version: goTo.version, previous: left.version }
}

/**
 * Brings `current` to the version that the store calls the current one, and away from `left`, which is marked bad. Does what
 * is still to be done, if an agent was killed over it.
 *
 * Errors: as `putBack`.
 */
export const finishRollback = async (
  settings: ProductSettings,
  left: ReleaseName,
  dependencies: RollbackDependencies,
): Promise<void> => {
  await putBack(settings, left, dependencies)
  dependencies.report.rolledBack(left)
}

/**
 * Brings `current`, and what is in use, to the version that the store calls the current one, and removes `left`. If only the
 * kind of the product cannot do its part, that becomes a finding, and is tried again with the next look.
 *
 * Errors: STATE_DAMAGED if the version to go back to is gone: then `current` stays, for a bad version is better than none.
 *         DISK_FULL, PERMISSION, IO, ABORTED.
 */
export const putBack = async (
  settings: ProductSettings,
  left: ReleaseName,
  { home, store, report, signal }: RollbackDependencies,
): Promise<void> => {
  const { product } = left
  const productsDirectory = productsOf(home)
  const back = store.installed.current(product)
  const place =
    back === undefined
      ? // A store that was lost knows of nothing; a verified version may be there all the same, and is better than none.
        await findOtherPlace(productsDirectory, product, left.version)
      : await placeOf(back, productsDirectory)
  const leftPlace = (await findPlace(productsDirectory, product, left.version)) ?? left.version
  if (place === undefined) await removeCurrent(productsDirectory, product)
  else await pointCurrentTo(productsDirectory, product, place)
  try {
    await activatorFor(settings, { home, signal }).leave(
      inPlace(productsDirectory, product, leftPlace),
      place === undefined ? undefined : inPlace(productsDirectory, product, place),
    )
  } catch (error) {
    if (!isUpdateError(error) || hasCode(error, 'ABORTED')) throw error
    report.notInUse(error) // Nothing is removed then: it may still be in use.
    return
  }
  // Where the setting has changed meanwhile, nobody knows what is in use at the place from before.
  const known = store.activations.of(product)
  if (back !== undefined && known !== undefined && identityOf(known.install) === identityOf(settings.install)) {
    report.inUse(back.version)
  }
  // Also the one that was left, unless it was installed for a while and is kept for that.
  const kept = store.installed.kept(product).map(({ version }) => version)
  await removeVersionsExcept(productsDirectory, product, kept)
  await removeAll(join(home.dataDirectory, 'staging', bundleNameOf(left)))
}

const inPlace = (productsDirectory: string, product: Product, place: string): VersionInPlace => ({
  version: versionOf(place),
  treePath: join(productsDirectory, product, 'versions', place),
})

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
