// What an agent that was killed left behind: brings the store and the link `current` to one opinion, before anything new
// begins. The link is what programs see, so it is the link that is believed, unless the store says that it is to be moved.
import { join } from 'node:path'
import type { ReleaseName } from '@updraft/core/names'
import { findPlace, pointCurrentTo, readCurrentVersion } from './current-link.ts'
import type { CycleDependencies } from './cycle-types.ts'
import { finishRollback } from './rollback.ts'
import type { ProductSettings } from './settings.ts'

/**
 * Finishes a rollback that was begun; puts back a link that is gone. Answers with the version that `current` points to if an
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
  if (linked === undefined && recorded !== undefined) {
    const place = await findPlace(productsDirectory, name, recorded.version)
    if (place === undefined) return undefined // Gone as well: it is installed anew when its next version comes.
    report.warning(`the link to the installed version ${recorded.version} was gone; it is there again`)
    await pointCurrentTo(productsDirectory, name, place)
  }
  return undefined
}
