// Sees to it that the version that is installed is also the one in use, where its owner wants it: after a kill, after a way
// back that failed half-way, and after the owner has chosen another kind or place.
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { hasCode, isUpdateError } from '@updraft/core/errors'
import type { Product, ReleaseVersion } from '@updraft/core/names'
import { type Activator, activatorOf, type VersionInPlace } from './activation.ts'
import { findPlace } from './current-link.ts'
import type { CycleDependencies } from './cycle-types.ts'
import { DIRECTORY, type InstallKind, identityOf } from './settings/install-kind.ts'
import type { ProductSettings } from './settings.ts'
import type { Store } from './store.ts'

export type ActivationDependencies = Pick<CycleDependencies, 'home' | 'signal'>

/** The activator of a product, as its settings want it, or as `install` says. */
export const activatorFor = (
  { name, install }: Pick<ProductSettings, 'name' | 'install'>,
  { home, signal }: ActivationDependencies,
): Activator => activatorOf(install, { product: name, productsDirectory: join(home.dataDirectory, 'products'), signal })

/**
 * Brings the recorded version into use, if it is not known to be, and leaves the place that the settings have named before.
 * What stands in the way becomes a finding, and is tried again with the next look.
 *
 * Errors: ABORTED; STATE_DAMAGED.
 */
export const keepInUse = async (
  product: ProductSettings,
  { home, store, report, signal }: Pick<CycleDependencies, 'home' | 'store' | 'report' | 'signal'>,
): Promise<void> => {
  const installed = store.installed.current(product.name)
  if (installed === undefined) return
  const { version } = installed
  const known = store.activations.of(product.name) ?? { install: DIRECTORY, version }
  if (known.version === version && isDeepStrictEqual(known.install, product.install)) return
  const inPlace = await findInPlace(product.name, version, { home })
  if (inPlace === undefined) return // Gone: the next release is installed anew.
  const isMoved = identityOf(known.install) !== identityOf(product.install)
  try {
    if (isMoved || known.version !== version) {
      const activator = activatorFor(product, { home, signal })
      await activator.assertFits(inPlace)
      await activator.activate(inPlace, version)
    }
    // Only now, so that it is in use at one place at least. What a command has done, only its owner can undo.
    if (isMoved && !isCommand(known.install)) {
      await activatorFor({ ...product, install: known.install }, { home, signal }).leave(inPlace, undefined)
    }
    report.inUse(version)
  } catch (error) {
    if (!isUpdateError(error) || hasCode(error, 'ABORTED')) throw error
    report.notInUse(error)
  }
}

/**
 * What is in use instead of the installed version, in words; undefined if it is the one, or if nothing is installed.
 *
 * Errors: those of an Activator, STATE_DAMAGED.
 */
export const faultOfUse = async (
  product: Pick<ProductSettings, 'name' | 'install'>,
  dependencies: ActivationDependencies & { readonly store: Pick<Store, 'installed'> },
): Promise<string | undefined> => {
  const version = dependencies.store.installed.current(product.name)?.version
  const inPlace = version && (await findInPlace(product.name, version, dependencies))
  return inPlace ? activatorFor(product, dependencies).faultOf(inPlace) : undefined
}

/** Undefined if its folder is gone. */
const findInPlace = async (
  product: Product,
  version: ReleaseVersion,
  { home }: Pick<ActivationDependencies, 'home'>,
): Promise<VersionInPlace | undefined> => {
  const productsDirectory = join(home.dataDirectory, 'products')
  const place = await findPlace(productsDirectory, product, version)
  return place === undefined ? undefined : { version, treePath: join(productsDirectory, product, 'versions', place) }
}

const isCommand = ({ kind }: InstallKind): boolean => kind === 'command'
