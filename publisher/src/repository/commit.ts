// Puts a signed change into a repository: bytes first, then the metadata that names them, and `timestamp.json` last.
// Until that one is renamed into its place, no client can see any of it.
import { copyFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fromFileSystem } from '@updraft/core/errors'
import { makeDirectory, renameDurably, syncDirectory, writeFileAtomic } from '@updraft/core/files/atomic'
import { tryLink } from '@updraft/core/files/whole'
import { metadataFileOf, type SignedRole } from './edition.ts'
import { layoutOf, targetFileName } from './layout.ts'

export interface NewTarget {
  readonly path: string
  readonly bytes: Uint8Array
  readonly sha256: string
  /** With it, the file gets a second name. */
  readonly sha512?: string
}

export interface NewFiles {
  /** Folders of torrents, flushed, on the repository's file system; they are moved away. */
  readonly bundles?: readonly { readonly name: string; readonly directory: string }[]
  readonly targets?: readonly NewTarget[]
  /** In the order in which they are to appear; a timestamp comes last. */
  readonly metadata: readonly SignedRole[]
}

/** What is about to be written: `bundle`, `targets`, or the role of a metadata file. */
export type CommitListener = (what: string) => void

/** Errors: DISK_FULL, PERMISSION, IO. Whoever calls it holds the lock, and sweeps after a failure. */
export const commitFiles = async (
  directory: string,
  { bundles = [], targets = [], metadata }: NewFiles,
  onStep: CommitListener = () => {},
): Promise<void> => {
  const layout = layoutOf(directory)
  if (bundles.length > 0) {
    onStep('bundle')
    await makeDirectory(layout.bundles)
    for (const bundle of bundles) await renameDurably(bundle.directory, join(layout.bundles, bundle.name))
    await syncDirectory(directory)
  }
  if (targets.length > 0) onStep('targets')
  for (const target of targets) await storeTarget(layout.targets, target)
  for (const signed of metadata) {
    onStep(signed.role)
    await writeFileAtomic(join(layout.metadata, metadataFileOf(signed)), signed.bytes)
  }
}

/** Writes the target once, and gives it its second name if it has one. */
const storeTarget = async (folder: string, target: NewTarget): Promise<void> => {
  const { path, sha256, sha512 } = target
  const file = join(folder, targetFileName(path, sha256))
  await makeDirectory(dirname(file))
  await writeFileAtomic(file, target.bytes)
  if (sha512 !== undefined) await giveName(file, join(folder, targetFileName(path, sha512)))
  // The file is flushed, but the folders above it are new as well.
  for (let above = dirname(file); above.startsWith(folder); above = dirname(above)) await syncDirectory(above)
  await syncDirectory(dirname(folder))
}

const giveName = async (file: string, name: string): Promise<void> => {
  try {
    await rm(name, { force: true })
    if (!(await tryLink(file, name))) await copyFile(file, name)
  } catch (error) {
    throw fromFileSystem(error, `cannot write ${name}`)
  }
}
