// What an agent that was killed left behind: brings the store and the link `current` to one opinion, before anything new
// begins. The link is what programs see, so it is the link that is believed.

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { replaceLink } from '@updraft/core/files/atomic'
import { readCurrentVersion } from './current-link.ts'
import type { CycleDependencies } from './cycle-types.ts'
import type { ProductSettings } from './settings.ts'

/**
 * Finishes an update whose link was swapped and not recorded; puts back a link that is gone. An update that came less far
 * needs nothing: its staged bytes are found again by the next cycle.
 *
 * Errors: PERMISSION, IO.
 */
export const recover = async (product: ProductSettings, dependencies: CycleDependencies): Promise<void> => {
  const { home, store, report } = dependencies
  const productsDirectory = join(home.dataDirectory, 'products')
  const linked = await readCurrentVersion(productsDirectory, product.name)
  const recorded = store.installed.current(product.name)
  const open = store.journal.open(product.name)

  if (open !== undefined && linked === open.version && recorded?.version !== open.version) {
    const path = join(productsDirectory, product.name, 'current')
    const { signers = [], threshold = 0 } = store.checks.decision(product.name) ?? {}
    report.warning(`the update to ${open.version} was interrupted after it was in place; it counts as installed`)
    report.installed({ version: open.version, platform: open.platform, path, signers, threshold })
  } else if (linked === undefined && recorded !== undefined) {
    const place = join('versions', recorded.version)
    if (!(await isDirectory(join(productsDirectory, product.name, place)))) return
    report.warning(`the link to the installed version ${recorded.version} was gone; it is there again`)
    await replaceLink(recorded.path, place)
  }
}

const isDirectory = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isDirectory()
  } catch {
    return false // Gone as well: then the product is installed anew when its next version comes.
  }
}
