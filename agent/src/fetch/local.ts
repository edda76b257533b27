// What this machine has already: fills the pack of a new release from older bundles and installed trees, so that only
// the rest crosses the network. Local bytes are checked like any others; damage costs the chunks concerned, no more.
import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type BundleIndex, parseIndexInTurns } from '@updraft/core/bundle/index-file'
import type { MadeContent } from '@updraft/core/bundle/patch/patch'
import { fillFromLocal } from '@updraft/core/bundle/reuse'
import { fromFileSystem, isUpdateError, systemCodeOf } from '@updraft/core/errors'
import { readFileBounded, removeAll, renameDurably } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { compareVersions, type Product } from '@updraft/core/names'
import type { CarriedPack } from '../carrier.ts'
import { packPathOf } from '../kept-pack.ts'
import type { SeedRecord } from '../store/seeds.ts'

/** A bundle on this machine, and the tree that was installed from it, if it still is. */
export interface LocalBundle {
  /** The folder with the file `index` and the frames of the pack. */
  readonly bundleDirectory: string
  readonly treePath: string | undefined
}

/** One whose index could be read. */
export interface KnownBundle {
  readonly index: BundleIndex
  readonly indexSha256: string
  readonly packPath: string
  /** A folder that is there. */
  readonly treePath: string | undefined
}

/** All their indexes are in memory at once, so their number is bounded. */
const LOCAL_BUNDLES_MAX = 16

/**
 * The bundles worth looking at for a release of `product`: its own, the newest first, since an index patch starts from one of
 * them; then those of other products, the last kept first, which may share whole frames with it.
 */
export const chooseLocal = <Kept extends Pick<SeedRecord, 'product' | 'version' | 'since'>>(
  kept: readonly Kept[],
  product: Product,
): readonly Kept[] => {
  const own = kept.filter((seed) => seed.product === product)
  const others = kept.filter((seed) => seed.product !== product)
  return [
    ...own.sort((a, b) => compareVersions(b.version, a.version)),
    ...others.sort((a, b) => Date.parse(b.since) - Date.parse(a.since)),
  ].slice(0, LOCAL_BUNDLES_MAX)
}

/** What of `local` is there, in the same order. One that cannot be read is passed over: it is only a saving. */
export const readLocalBundles = async (local: readonly LocalBundle[]): Promise<readonly KnownBundle[]> =>
  (await Promise.all(local.map(readLocal))).filter((bundle) => bundle !== undefined)

/**
 * Makes the pack at `packPath` as complete as this machine can, from what a patch `made` as well, or from a pack that was
 * `carried` here. The pack must not be there.
 *
 * Errors: DISK_FULL, IO, ABORTED; those of the carried pack.
 */
export const fillPack = async (
  index: BundleIndex,
  packPath: string,
  known: readonly KnownBundle[],
  made: MadeContent | undefined,
  signal: AbortSignal,
  carried?: CarriedPack,
): Promise<void> => {
  const filling = join(dirname(packPath), `filling.${basename(packPath)}`)
  await removeAll(filling)
  const installed = known.flatMap(({ index, treePath }) => (treePath === undefined ? [] : [{ index, path: treePath }]))
  await fillFromLocal({
    index,
    packPath: filling,
    packs: known.map(({ index, packPath }) => ({ index, packPath })),
    trees: [...(made === undefined ? [] : [made.tree]), ...installed],
    gaps: made?.gaps,
    carried: carried === undefined ? undefined : (frame) => carried.read(frame),
    signal,
  })
  carried?.finish()
  await renameDurably(filling, packPath)
}

const readLocal = async ({ bundleDirectory, treePath }: LocalBundle): Promise<KnownBundle | undefined> => {
  try {
    const bytes = await readFileBounded(join(bundleDirectory, 'index'), LIMITS.indexLengthBytes)
    const indexSha256 = createHash('sha256').update(bytes).digest('hex')
    const isThere = treePath !== undefined && (await exists(treePath))
    return {
      index: await parseIndexInTurns(bytes),
      indexSha256,
      packPath: packPathOf(bundleDirectory),
      treePath: isThere ? treePath : undefined,
    }
  } catch (error) {
    if (isUpdateError(error)) return undefined // Damaged or gone: then there is nothing to reuse here.
    throw error
  }
}

/** Errors: PERMISSION, IO. */
export const exists = async (path: string): Promise<boolean> => {
  try {
    await stat(path)
    return true
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return false
    throw fromFileSystem(error, `cannot look at ${path}`)
  }
}
