// How a version that is installed under `versions/` is brought into use, in the way that the machine's owner has chosen. One
// kind is one file in activation/; whoever calls them knows none of them. The tree stays where it is for every kind, so that
// it can be shared, verified, and gone back to.
import type { Product } from '@updraft/core/names'
import { commandActivator } from './activation/command.ts'
import { directoryActivator } from './activation/directory.ts'
import { fileActivator } from './activation/file.ts'
import { vsixActivator } from './activation/vsix.ts'
import type { InstallKind } from './settings/install-kind.ts'

/** A version and the tree that it was verified as. */
export interface VersionInPlace {
  readonly version: string
  readonly treePath: string
}

/**
 * One way to bring versions into use. Everything here may be repeated: a kill is followed by the same call again.
 *
 * Errors: ACTIVATION_FAILED if the version is to blame; KIND_UNFIT, PLACE_TAKEN, DISK_FULL, PERMISSION, IO if it is not;
 *         ABORTED.
 */
export interface Activator {
  /** Throws what would stand in the way of `activate`, before anything moves. */
  assertFits(version: VersionInPlace): Promise<void>
  /** `previous` is what was in use before, if anything was. */
  activate(version: VersionInPlace, previous: string | undefined): Promise<void>
  /** The way back from `left`, whose tree may be gone already, to `back`, or to nothing. */
  leave(left: VersionInPlace, back: VersionInPlace | undefined): Promise<void>
  /** What is in use instead of the version, in words; undefined if it is the one, or if nobody can tell. */
  faultOf(version: VersionInPlace): Promise<string | undefined>
}

export interface ActivatorContext {
  readonly product: Product
  /** The agent's `products/`. */
  readonly productsDirectory: string
  readonly signal: AbortSignal
}

export const activatorOf = (install: InstallKind, context: ActivatorContext): Activator => {
  switch (install.kind) {
    case 'directory':
      return directoryActivator
    case 'file':
      return fileActivator(install, context)
    case 'command':
      return commandActivator(install, context)
    case 'vsix':
      return vsixActivator(install, context)
  }
}
