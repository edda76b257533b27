// The folders under `versions/` of a product: takes away those that are no longer wanted, and never what `current` points to.
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Product } from '@updraft/core/names'
import { readCurrentPlace } from './current-link.ts'

/** Removes installed versions other than `keep` and the current one. Running programs keep the files that they have open. */
export const removeVersionsExcept = async (
  productsDirectory: string,
  product: Product,
  keep: readonly string[],
): Promise<void> => {
  const current = await readCurrentPlace(productsDirectory, product)
  const versions = join(productsDirectory, product, 'versions')
  for (const place of await readdir(versions)) {
    if (place !== current && !keep.includes(place)) await rm(join(versions, place), { recursive: true, force: true })
  }
}
