// Turns staged bytes into a verified tree, or refuses. The only maker of VerifiedBundle: every chunk, every file and every
// path of the tree was checked against the index, and the index against what TUF signed. Nothing in the tree is executable yet.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type BundleIndex, parseIndexInTurns } from '@updraft/core/bundle/index-file'
import { unpackBundle } from '@updraft/core/bundle/unpack'
import type { BytesFrom } from '@updraft/core/control/api'
import { UpdateError } from '@updraft/core/errors'
import { readFileBounded, removeAll } from '@updraft/core/files/atomic'
import type { ProgressListener } from '@updraft/core/progress'
import type { StagedBundle } from './fetch.ts'
import { packPathOf } from './kept-pack.ts'

declare const verified: unique symbol

/** A tree that is exactly what was signed. */
export type VerifiedBundle = {
  readonly [verified]: true
  readonly release: StagedBundle['release']
  readonly metainfo: StagedBundle['metainfo']
  readonly patch: StagedBundle['patch']
  readonly index: BundleIndex
  /** `staging/<bundle name>`, to be removed once everything was taken out of it. */
  readonly directory: string
  readonly bundleDirectory: string
  readonly treePath: string
  readonly bytes: BytesFrom
}

export interface VerifyOptions {
  readonly signal: AbortSignal
  /** All of the bundle is there; what was not verified yet is verified now. */
  readonly onComplete: () => void
  readonly onProgress?: ProgressListener
}

/**
 * Checks the staged bundle against the signed release while it writes the tree next to it: each part as soon as it is there.
 *
 * Shape:  the tree is at `<directory>/tree`, files 0600, directories 0700.
 * Errors: BUNDLE_INVALID (which file, which chunk, which check), SWARM_STALLED, DISK_FULL, IO, ABORTED. After BUNDLE_INVALID the pack is
 *         gone, so that the next cycle fetches anew.
 */
export const verifyBundle = async (staged: StagedBundle, options: VerifyOptions): Promise<VerifiedBundle> => {
  const { directory, bundleDirectory, release } = staged
  const treePath = join(directory, 'tree')
  const packPath = packPathOf(bundleDirectory)
  await removeAll(treePath)
  try {
    // Read again from disk: the swarm had the file in its hands since fetch wrote it.
    const indexBytes = await readFileBounded(join(bundleDirectory, 'index'), release.index.lengthBytes)
    const digest = createHash('sha256').update(indexBytes).digest('hex')
    if (digest !== release.index.sha256) {
      throw new UpdateError('BUNDLE_INVALID', `index has SHA-256 ${digest}; signed is ${release.index.sha256}`)
    }
    const index = await parseIndexInTurns(indexBytes, options.signal)
    const { metainfo, patch, whenPackHas: whenHave } = staged
    const complete = staged.whenComplete.then((bytes) => {
      options.onComplete()
      return bytes
    })
    complete.catch(() => {}) // Thrown below, or by the part that is waited for.
    await unpackBundle({ index, packPath, into: treePath, whenHave, ...options })
    const bytes = await complete
    // Nobody else may have the files in his hands from here on.
    await staged[Symbol.asyncDispose]()
    return { release, metainfo, patch, index, directory, bundleDirectory, treePath, bytes } as VerifiedBundle
  } catch (error) {
    await staged[Symbol.asyncDispose]()
    await removeAll(treePath)
    if (Error.isError(error) && (error as Partial<UpdateError>).code === 'BUNDLE_INVALID') {
      await removeAll(packPath)
    }
    throw error
  }
}
