// What an agent that was killed left behind: brings the store and the link `current` to one opinion, before anything new
// begins. The link is what programs see, so it is the link that is believed, unless the store says that it is to be moved.
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { ReleaseName } from '@updraft/core/names'
import { findPlace, pointCurrentTo, readCurrentVersion, removeCurrent } from './current-link.ts'
import type { CycleDependencies } from './cycle-types.ts'
import { finishRollback } from './rollback.ts'
import type { ProductSettings, Settings } from './settings.ts'
import type { InstalledRecord } from './store/installed.ts'
import type { Store } from './store.ts'

/**
 * Finishes a rollback that was begun; puts back a link that is gone; forgets a version that is gone, and goes back to the one
 * from before it until it is installed anew. Answers with the version that `current` points to if an
 * update was interrupted between that and its end: whether it stays is not known yet. An update that came less far needs
 * nothing: its staged bytes are found again by the next cycle.
 *
 * Errors: STATE_DAMAGED, DISK_FULL, PERMISSION, IO.
 */
export const recover = async (
  settings: ProductSettings,
  dependencies: CycleDependencies,
): Promise<ReleaseName | undefined> => {
  const { home, store, report } = dependencies
  const { name } = settings
  const productsDirectory = join(home.dataDirectory, 'products')
  const open = store.journal.open(name)
  if (open !== undefined && store.badMarks.of(name, open.version) !== undefined) {
    report.warning(`the way back from ${open.version} was interrupted; it is finished now`)
    await finishRollback(settings, open, dependencies)
    return undefined
  }

  const linked = await readCurrentVersion(productsDirectory, name)
  const recorded = store.installed.current(name)
  const latest = store.journal.latest(name)
  if (latest !== undefined && linked === latest.version && recorded?.version !== latest.version) {
    return store.badMarks.of(name, latest.version) === undefined ? latest : undefined
  }
  if (recorded === undefined) return undefined
  const place = await findPlace(productsDirectory, name, recorded.version)
  if (place === undefined) await forgetLost(recorded, dependencies)
  else if (linked === undefined) {
    report.warning(`the link to the installed version ${recorded.version} was gone; it is there again`)
    await pointCurrentTo(productsDirectory, name, place)
  }
  return undefined
}

/** Somebody has removed the current version, or it did so itself. */
const forgetLost = async (
  { product, version }: InstalledRecord,
  { home, store, report }: CycleDependencies,
): Promise<void> => {
  const productsDirectory = join(home.dataDirectory, 'products')
  store.installed.lose(product, version)
  for (const kept of store.installed.kept(product)) {
    const place = await findPlace(productsDirectory, product, kept.version)
    if (place === undefined || store.badMarks.of(product, kept.version) !== undefined) continue
    report.warning(
      `the installed version ${version} is gone from the disk; ${kept.version} is current until it is there again`,
    )
    store.installed.makeCurrent(kept)
    await pointCurrentTo(productsDirectory, product, place)
    return
  }
  report.warning(`the installed version ${version} is gone from the disk, and is installed anew`)
  await removeCurrent(productsDirectory, product)
}

/** What its owner has taken out of the settings and then off the disk is not installed any more. */
export const forgetRemoved = (store: Store, { products }: Settings): void => {
  for (const { product, path } of store.installed.allCurrent()) {
    if (products.some(({ name }) => name === product) || existsSync(dirname(path))) continue
    for (const { version } of store.installed.kept(product)) store.installed.lose(product, version)
  }
}
