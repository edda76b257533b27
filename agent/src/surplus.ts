// Takes away installed versions, and their bundles, that are more than the settings keep: after an update, and with the first look
// after a start, a failure or a change of those settings. Never the current version, and for the sake of disk space never the one
// before it either.
import { join } from 'node:path'
import type { ReleaseName, ReleaseVersion } from '@updraft/core/names'
import type { CycleDependencies } from './cycle-types.ts'
import { dropBundle } from './seed.ts'
import type { Settings } from './settings.ts'
import { lengthOfVersion, removeVersionsExcept } from './versions.ts'

/** `version` is the current one. Errors: PERMISSION, IO. What the store has forgotten by then is taken away by the next look. */
export const removeSurplus = async (
  { product, version }: Pick<ReleaseName, 'product' | 'version'>,
  { home, store, settings, torrentOf, self }: CycleDependencies,
): Promise<void> => {
  const productsDirectory = join(home.dataDirectory, 'products')
  const others = store.installed.kept(product).flatMap((record) => (record.version === version ? [] : [record.version]))
  const sizes: Size[] = []
  for (const name of [version, ...others]) {
    const bundles = store.seeds.all().filter((seed) => seed.product === product && seed.version === name)
    const bundleBytes = bundles.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0)
    // Looking at every file of a tree takes time, so only who has set a limit pays for it.
    const treeBytes =
      settings.versionsKeptBytes === undefined ? 0 : await lengthOfVersion(productsDirectory, product, name)
    const copies = bundles.map(({ infoHash }) => torrentOf(infoHash)?.state().otherCopies ?? 0)
    sizes.push({
      version: name,
      lengthBytes: treeBytes + bundleBytes,
      otherCopies: copies.length === 0 ? 0 : Math.min(...copies),
    })
  }
  // The starter may have to go back, whatever the settings keep.
  const versionsKept = self?.product === product ? Math.max(2, settings.versionsKept) : settings.versionsKept
  const keep = chooseKept(sizes, { ...settings, versionsKept }).map((kept) => kept.version)
  // The store forgets first: what it knows can be gone back to, so it must be whole.
  for (const gone of others.filter((other) => !keep.includes(other))) store.installed.forget(product, gone)
  await removeVersionsExcept(productsDirectory, product, keep)
  for (const seed of store.seeds.all()) {
    if (seed.product !== product || keep.includes(seed.version)) continue
    store.seeds.remove(seed.name)
    await dropBundle(seed, { bundlesDirectory: join(home.dataDirectory, 'bundles'), torrentOf })
  }
}

interface Size {
  readonly version: ReleaseVersion
  readonly lengthBytes: number
  /** Machines beside this one that have the bundle; undefined is not known. */
  readonly otherCopies?: number
}

/**
 * Of versions, the current one first and then from newest to oldest installation, those that stay: the oldest go first, and before
 * them those that many others have as well. Pure.
 */
export const chooseKept = <T extends Pick<Size, 'lengthBytes' | 'otherCopies'>>(
  versions: readonly T[],
  { versionsKept, versionsKeptBytes = Number.POSITIVE_INFINITY }: Pick<Settings, 'versionsKept' | 'versionsKeptBytes'>,
): readonly T[] => {
  const kept = versions.slice(0, versionsKept)
  const isOver = () => kept.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0) > versionsKeptBytes
  while (isOver() && kept.length > KEPT_WHATEVER_THEIR_SIZE) {
    const mostCopied = kept.findLastIndex(
      ({ otherCopies = 0 }, index) => index >= KEPT_WHATEVER_THEIR_SIZE && otherCopies >= MANY_COPIES,
    )
    kept.splice(mostCopied === -1 ? kept.length - 1 : mostCopied, 1)
  }
  return kept
}

/** So many more machines have it that nobody misses this one. */
const MANY_COPIES = 3

/** The current version, and the one to go back to. */
const KEPT_WHATEVER_THEIR_SIZE = 2
