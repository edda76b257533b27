// Second room of publishing: what leads a machine from each of the recent releases to the packed one, in few bytes. An older
// release that is gone or damaged gets none: that only costs the machines that have it.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseIndex } from '@updraft/core/bundle/index-file'
import { makeIndexPatch } from '@updraft/core/bundle/index-patch'
import { lackingBytesOf } from '@updraft/core/bundle/lacking'
import { makePatch } from '@updraft/core/bundle/patch/patch'
import type { LocalPack } from '@updraft/core/bundle/reuse'
import { throwIfAborted } from '@updraft/core/bundle/turns'
import { hasCode } from '@updraft/core/errors'
import { makeDirectory, writeFileAtomic } from '@updraft/core/files/atomic'
import { patchNameOf } from '@updraft/core/names'
import { pieceLengthFor } from '@updraft/core/swarm/metainfo'
import type { PackedBundle, PackOptions } from './pack.ts'
import type { ReleasePlan } from './publish/plan.ts'
import { isWhole } from './repository/releases.ts'

export interface Patches {
  /** Make the index from an older one. */
  readonly ofIndex: readonly IndexPatch[]
  /** Make the new chunks from those of an older release; only where that is less than the chunks are. */
  readonly ofContent: readonly ContentPatch[]
}

export interface IndexPatch {
  /** SHA-256 of the older index. */
  readonly from: string
  readonly bytes: Buffer
}

export interface ContentPatch {
  /** SHA-256 of the older index. */
  readonly from: string
  /** Name of the torrent, and of the folder under `bundles/`. */
  readonly name: string
  readonly directory: string
  /** The file `patch` in the folder. */
  readonly path: string
  readonly lengthBytes: number
  readonly sha256: string
}

/**
 * Makes the patches in folders under `staging`.
 *
 * Errors: DISK_FULL, PERMISSION, IO, ABORTED.
 */
export const makePatches = async (
  bundle: PackedBundle,
  plan: ReleasePlan,
  staging: string,
  options: PackOptions = {},
): Promise<Patches> => {
  const newer = { index: bundle.index, packPath: bundle.packPath }
  const { indexBytes, packBytes } = bundle.sizes
  const layout = { indexBytes, pieceLength: pieceLengthFor(indexBytes + packBytes) }
  const ofIndex = new Map<string, IndexPatch>()
  const ofContent = new Map<string, ContentPatch>()
  for (const [behind, { index, bundleDirectory }] of plan.recent.entries()) {
    throwIfAborted(options.signal)
    const from = index.sha256
    const indexBytes = await readFile(index.file).catch(() => undefined)
    if (indexBytes === undefined || !isWhole(index, indexBytes) || indexBytes.equals(bundle.indexBytes)) continue
    const bytes = await makeIndexPatch(indexBytes, bundle.indexBytes)
    if (bytes !== undefined) ofIndex.set(from, { from, bytes })

    const parsed = behind === 0 ? bundle.previous?.index : undefined
    const older = { index: parsed ?? parseIndex(indexBytes), packPath: join(bundleDirectory, 'pack') }
    const patch = await patchBetween(older, newer, lackingBytesOf(newer.index, [older.index], layout) - 1, options)
    if (patch === undefined) continue
    const name = patchNameOf(plan, from)
    const directory = join(staging, name)
    await makeDirectory(directory)
    const path = join(directory, 'patch')
    await writeFileAtomic(path, patch)
    const sha256 = createHash('sha256').update(patch).digest('hex')
    ofContent.set(from, { from, name, directory, path, lengthBytes: patch.length, sha256 })
  }
  return { ofIndex: [...ofIndex.values()], ofContent: [...ofContent.values()] }
}

/** Two would be faster by half, and take more than 300 MB together with the rest of the program. */
const THREADS = 1

const patchBetween = async (
  older: LocalPack,
  newer: LocalPack,
  lengthMax: number,
  { signal, onProgress }: PackOptions,
): Promise<Buffer | undefined> => {
  try {
    return await makePatch({ older, newer, workers: THREADS, lengthMax, signal, onProgress })
  } catch (error) {
    if (hasCode(error, 'BUNDLE_INVALID') || hasCode(error, 'IO')) return undefined // The older pack is gone or damaged.
    throw error
  }
}
