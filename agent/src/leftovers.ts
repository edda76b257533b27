// What an agent that was killed has left lying about and the store does not know of: half of what was put in place or taken
// away, temporary files, a download that nobody will go on with. Of one product, and only while its cycle does nothing else.
import { join } from 'node:path'
import { isTemporary, namesIn, removeAll, removeTemporaries } from '@updraft/core/files/atomic'
import { bundleNameOf, type Product } from '@updraft/core/names'
import type { CycleDependencies } from './cycle-types.ts'
import { removeVersionsExcept } from './versions.ts'

/** Errors: PERMISSION, IO; then the next look tries again. */
export const removeLeftovers = async (
  product: Product,
  { home: { dataDirectory }, store }: Pick<CycleDependencies, 'home' | 'store'>,
): Promise<void> => {
  const productsDirectory = join(dataDirectory, 'products')
  const open = store.journal.open(product)
  const goesOn = open === undefined ? undefined : bundleNameOf(open)
  await removeThose(join(dataDirectory, 'staging'), (name) => isOf(product, name) && name !== goesOn)
  await removeTemporaries(join(productsDirectory, product))

  const kept: readonly string[] = store.installed.kept(product).map(({ version }) => version)
  const bundlesDirectory = join(dataDirectory, 'bundles')
  const there = await namesIn(bundlesDirectory)
  const isWhole = (name: string) => !name.endsWith(TORRENT) || there.includes(name.slice(0, -TORRENT.length))
  const isWanted = (name: string) => !isTemporary(name) && kept.includes(versionOf(name)) && isWhole(name)
  await removeThose(bundlesDirectory, (name) => isOf(product, name) && !isWanted(name))
  // A store that knows of nothing was lost: what is there then is all that there is.
  if (kept.length > 0) await removeVersionsExcept(productsDirectory, product, kept)
}

/** The metainfo is written before what it describes is moved to its side. */
const TORRENT = '.torrent'

/** `<product>_<version>_…`, and the same as a temporary file; no product has a `_` in its name. */
const isOf = (product: Product, name: string): boolean => name.replace(/^\./, '').startsWith(`${product}_`)

const versionOf = (name: string): string => name.split('_')[1] ?? ''

const removeThose = async (directory: string, isGone: (name: string) => boolean): Promise<void> => {
  for (const name of await namesIn(directory)) {
    if (isGone(name)) await removeAll(join(directory, name))
  }
}
