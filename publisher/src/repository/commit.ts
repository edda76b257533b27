// Puts a signed change into a repository: bytes first, then the metadata that names them, and `timestamp.json` last.
// Until that one is renamed into its place, no client can see any of it, but for a new root: clients look for that one by
// itself. So root and timestamp are noted together before the first of them appears, and an interrupted change is completed.
import { access, copyFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fromFileSystem, messageOf, systemCodeOf, UpdateError } from '@updraft/core/errors'
import {
  makeDirectory,
  readFileIfThere,
  renameDurably,
  syncDirectory,
  writeFileAtomic,
} from '@updraft/core/files/atomic'
import { tryLink } from '@updraft/core/files/whole'
import { LIMITS } from '@updraft/core/limits'
import { z } from 'zod'
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
  /** Those that others name come first whatever their order here; then root and timestamp. */
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
  const write = async (signed: SignedRole): Promise<void> => {
    onStep(signed.role)
    await writeFileAtomic(join(layout.metadata, metadataFileOf(signed)), signed.bytes)
  }
  const isVisible = ({ role }: SignedRole) => role === 'root' || role === 'timestamp'
  const visible = metadata.filter(isVisible)
  const hasRoot = visible.some(({ role }) => role === 'root')
  for (const signed of metadata.filter((signed) => !isVisible(signed))) await write(signed)
  if (hasRoot) await notePending(directory, visible)
  for (const signed of visible) await write(signed)
  if (hasRoot) await rm(join(directory, PENDING_FILE), { force: true }).catch(() => {}) // Completing it again does no harm.
}

/** Exact texts of the root and the timestamp of a change that has begun to be visible, by file name. */
const PENDING_FILE = '.pending.json'
const PENDING_MAX_BYTES = 2 * (LIMITS.rootLengthBytes + LIMITS.timestampLengthBytes)
const pendingSchema = z.record(z.string().regex(/^(?:[1-9][0-9]{0,8}\.root|timestamp)\.json$/), z.string())

const notePending = (directory: string, visible: readonly SignedRole[]): Promise<void> => {
  const texts = visible.map((signed) => [metadataFileOf(signed), signed.bytes.toString('utf8')])
  return writeFileAtomic(join(directory, PENDING_FILE), JSON.stringify(Object.fromEntries(texts)))
}

/** Whether a change with a new root was interrupted, so that the repository does not verify until it is completed. */
export const isInterrupted = (directory: string): Promise<boolean> => isThere(join(directory, PENDING_FILE))

/**
 * Completes a change that was interrupted between root and timestamp: a root that clients may have seen is never taken back.
 * Whoever calls it holds the lock. Errors: REPOSITORY_INVALID, DISK_FULL, PERMISSION, IO.
 */
export const completeInterrupted = async (directory: string): Promise<void> => {
  const noted = await readPending(directory)
  if (noted === undefined || (await forgetUnseen(directory, noted))) return
  for (const [name, text] of Object.entries(noted))
    await writeFileAtomic(join(layoutOf(directory).metadata, name), text)
  await rm(join(directory, PENDING_FILE), { force: true })
}

/** Forgets a change whose root never appeared: no client saw any of it. Returns whether there is nothing to complete. */
export const forgetUnseen = async (directory: string, noted?: Pending): Promise<boolean> => {
  const pending = noted ?? (await readPending(directory))
  const root = Object.keys(pending ?? {}).find((name) => name.endsWith('root.json'))
  if (root !== undefined && (await isThere(join(layoutOf(directory).metadata, root)))) return false
  await rm(join(directory, PENDING_FILE), { force: true })
  return true
}

type Pending = z.output<typeof pendingSchema>

const readPending = async (directory: string): Promise<Pending | undefined> => {
  const path = join(directory, PENDING_FILE)
  const noted = await readFileIfThere(path, PENDING_MAX_BYTES)
  try {
    return noted && pendingSchema.parse(JSON.parse(noted.toString('utf8')))
  } catch (error) {
    throw new UpdateError('REPOSITORY_INVALID', `${path} is damaged: ${messageOf(error)}`, { cause: error })
  }
}

const isThere = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    (error: unknown) => systemCodeOf(error) !== 'ENOENT',
  )

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
