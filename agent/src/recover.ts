// What an agent that was killed left behind: brings the store and the link `current` to one opinion, before anything new
// begins. The link is what programs see, so it is the link that is believed, unless the store says that it is to be moved.
import { existsSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { namesIn } from '@updraft/core/files/atomic'
import { ANY_PLATFORM, isNewer, type Product, parsePlatform, type ReleaseName } from '@updraft/core/names'
import {
  findPlace,
  linkOf,
  pointCurrentTo,
  readCurrentVersion,
  releaseVersionOf,
  removeCurrent,
} from './current-link.ts'
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
    if (store.badMarks.of(name, latest.version) !== undefined) return undefined
    report.warning(`the update to ${latest.version} was interrupted after it was in place; it goes on from there`)
    return latest
  }
  if (linked !== undefined && linked !== recorded?.version) return await takeUp(linked, settings, dependencies)
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

/**
 * The store was lost, or its last steps were, and with it what is installed: that is told by the link and the folders, to which
 * only verified trees ever come. Older versions are kept for a way back.
 */
const takeUp = async (
  linked: string,
  { name: product, source }: ProductSettings,
  { home, store, report }: CycleDependencies,
): Promise<ReleaseName | undefined> => {
  const productsDirectory = join(home.dataDirectory, 'products')
  const bundles = await namesIn(join(home.dataDirectory, 'bundles'))
  const releaseOf = (place: string) => releaseAt(place, product, bundles)
  const current = releaseOf(linked)
  if (current === undefined || store.badMarks.of(product, current.version) !== undefined) return undefined
  report.warning(`nothing was known of ${current.version}, which is in place; it is taken up as it is`)
  for (const place of await namesIn(join(productsDirectory, product, 'versions'))) {
    const release = releaseOf(place)
    if (release === undefined || !isNewer(current.version, release.version)) continue
    const { ctime } = await stat(join(productsDirectory, product, 'versions', place))
    const path = linkOf(productsDirectory, product)
    store.installed.keep({ ...release, source, path, signers: [], threshold: 0, installedAt: ctime.toISOString() })
  }
  return current
}

/** The platform is told by the bundle that it came in. */
const releaseAt = (place: string, product: Product, bundles: readonly string[]): ReleaseName | undefined => {
  const version = releaseVersionOf(place)
  if (version === undefined) return undefined
  const platforms = bundles.flatMap((name) => {
    const [owner, of, platform, ...more] = name.replace(/\.torrent$/, '').split('_')
    return owner === product && of === version && more.length === 0 && platform !== undefined ? [platform] : []
  })
  return { product, version, platform: platforms[0] === undefined ? ANY_PLATFORM : parsePlatform(platforms[0]) }
}
