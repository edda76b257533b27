// Unpacks a bundle into a new folder and checks every byte against the index on the way. It trusts neither pack nor disk,
// follows no link, and makes nothing executable: that is finishTree's part, once the caller has decided to install.
import { fchmodSync, ftruncateSync, mkdirSync } from 'node:fs'
import { mkdir, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fromFileSystem } from '../errors.ts'
import type { ProgressListener } from '../progress.ts'
import { type BundleFile, type BundleIndex, sha256OfFile } from './bundle-index.ts'
import { DIGEST_BYTES } from './digest-table.ts'
import { asReady, inOrder } from './in-order.ts'
import { type Placements, placeFrames } from './placements.ts'
import { CREATE, READ, withFile } from './threads/files.ts'
import type { SealFilesJob } from './threads/seal-files.ts'
import { openWorkers, type Workers } from './threads/workers.ts'
import { takeTurns } from './turns.ts'

export interface UnpackOptions {
  readonly index: BundleIndex
  readonly packPath: string
  /** A folder that does not exist yet. */
  readonly into: string
  /** Resolves once these bytes of the pack can be read; without it they can. */
  readonly whenHave?: ((start: number, end: number) => Promise<void>) | undefined
  readonly onProgress?: ProgressListener | undefined
  readonly signal?: AbortSignal | undefined
}

/** One order to a worker is for so many files that are flushed. */
const SEAL_BATCH_FILES = 512

/**
 * Writes the tree to `into` and flushes it to the disk.
 *
 * Shape:  directories 0700, files 0600, links as links; nothing else. After an error there is no `into`.
 * Units:  progress in bytes of content, phase `unpack`.
 * Errors: BUNDLE_INVALID with frame, chunk or file, and the check that failed; DISK_FULL, PERMISSION, IO, ABORTED; those of
 *         `whenHave`.
 */
export const unpackBundle = async (options: UnpackOptions): Promise<void> => {
  const { index, into, signal } = options
  await makeFolder(into)
  try {
    // The threads are gone before an error leaves this block, so nothing is written any more while `into` is removed.
    await using workers = openWorkers({ signal })
    const turn = takeTurns(signal)
    const placements = placeFrames(index)
    await createDirectories(index, into, turn)
    await createScattered(placements, into, turn)
    await unpackFrames(options, placements, workers)
    await seal(index, into, placements, workers)
  } catch (error) {
    await rm(into, { recursive: true, force: true })
    throw error
  }
}

/**
 * Sets the modes that an installed tree has: 0755 for directories and executables, 0644 for other files. Only for a tree
 * that unpackBundle wrote, in the same index.
 *
 * Errors: PERMISSION, IO.
 */
export const finishTree = async (index: BundleIndex, path: string): Promise<void> => {
  // Windows has no such modes.
  if (process.platform === 'win32') return
  const turn = takeTurns()
  setMode(path, 0o755)
  for (const entry of index.files) {
    await turn()
    if (entry.kind === 'directory') setMode(join(path, entry.path), 0o755)
    if (entry.kind === 'file') setMode(join(path, entry.path), entry.executable ? 0o755 : 0o644)
  }
}

const setMode = (path: string, mode: number): void => {
  try {
    withFile(path, READ, (file) => fchmodSync(file, mode))
  } catch (error) {
    throw fromFileSystem(error, `cannot set the mode of ${path}`)
  }
}

const makeFolder = async (path: string): Promise<void> => {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    throw fromFileSystem(error, `cannot create ${path}`)
  }
}

const createDirectories = async (index: BundleIndex, into: string, turn: () => Promise<void>): Promise<void> => {
  for (const entry of index.files) {
    if (entry.kind !== 'directory') continue
    await turn()
    try {
      mkdirSync(join(into, entry.path), { mode: 0o700 })
    } catch (error) {
      throw fromFileSystem(error, `cannot create ${join(into, entry.path)}`)
    }
  }
}

/** Files that several frames fill get their full length now, so that stretches of zeros need not be written. */
const createScattered = async (placements: Placements, into: string, turn: () => Promise<void>): Promise<void> => {
  for (const file of placements.scattered) {
    await turn()
    try {
      withFile(join(into, file.path), CREATE, (handle) => ftruncateSync(handle, file.lengthBytes))
    } catch (error) {
      throw fromFileSystem(error, `cannot create ${join(into, file.path)}`)
    }
  }
}

const unpackFrames = async (options: UnpackOptions, placements: Placements, workers: Workers): Promise<void> => {
  const { index, packPath, into, whenHave, onProgress } = options
  const { frames } = index
  const totalBytes = frames.lengths.reduce((sum, length) => sum + length, 0)
  let doneBytes = 0
  const report = (bytes: number): void => {
    doneBytes += bytes
    onProgress?.({ phase: 'unpack', doneBytes, totalBytes })
  }
  const run = (family: readonly number[]) =>
    workers.run('unpackFrames', { packPath, into, frames: family.map(placements.workOf) }, report)
  const ready = (family: readonly number[]): Promise<unknown> =>
    Promise.all(family.map((number) => whenHave?.(frames.offsets[number] ?? 0, frames.offsets[number + 1] ?? 0)))
  await asReady(familiesOf(index), workers.count + 1, ready, run)
}

/** Each frame without a base, followed by those that are based on it. */
export const familiesOf = (index: BundleIndex): readonly number[][] => {
  const families = new Map<number, number[]>()
  for (const [frame, base] of index.frames.bases.entries()) if (base === -1) families.set(frame, [frame])
  for (const [frame, base] of index.frames.bases.entries()) families.get(base)?.push(frame)
  return [...families.values()]
}

/** Checks what is still unchecked, flushes everything, and only then creates links: until here there was none to follow. */
const seal = async (index: BundleIndex, into: string, placements: Placements, workers: Workers): Promise<void> => {
  const unchecked = new Set(placements.scattered)
  const files = index.files.filter((entry) => entry.kind === 'file')
  const run = (batch: SealFilesJob) => workers.run('sealFiles', batch)
  for await (const _done of inOrder(sealBatches(index, into, files, unchecked), workers.count + 1, run));

  for (const entry of index.files) if (entry.kind === 'link') await createLink(entry.target, join(into, entry.path))
  const directories = ['', ...index.files.flatMap((entry) => (entry.kind === 'directory' ? [entry.path] : []))]
  await run({ root: into, paths: [], isUnchecked: new Uint8Array(), digests: new Uint8Array(), directories })
}

function* sealBatches(
  index: BundleIndex,
  root: string,
  files: readonly BundleFile[],
  unchecked: ReadonlySet<BundleFile>,
): Generator<SealFilesJob> {
  for (let at = 0; at < files.length; at += SEAL_BATCH_FILES) {
    const batch = files.slice(at, at + SEAL_BATCH_FILES)
    const digests = new Uint8Array(batch.length * DIGEST_BYTES)
    for (const [row, file] of batch.entries()) digests.set(sha256OfFile(index, file), row * DIGEST_BYTES)
    const isUnchecked = Uint8Array.from(batch, (file) => (unchecked.has(file) ? 1 : 0))
    yield { root, paths: batch.map(({ path }) => path), isUnchecked, digests, directories: [] }
  }
}

const createLink = async (target: string, path: string): Promise<void> => {
  try {
    await symlink(target, path)
  } catch (error) {
    throw fromFileSystem(error, `cannot create the link ${path}`)
  }
}
