// Looks at a build and says what a release of it would contain, or why there can be none. Reads no file's content and
// changes nothing.
import { lstatSync, readlinkSync, type Stats } from 'node:fs'
import { lstat, readdir, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { fromFileSystem, systemCodeOf, UpdateError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import { faultOfPath, faultOfTarget, foldPath, sortKeyOf } from './paths.ts'
import { takeTurns } from './turns.ts'

export interface TreeFile {
  readonly kind: 'file'
  /** Below the tree's root, `/` between parts, as in the release. */
  readonly path: string
  readonly executable: boolean
  readonly lengthBytes: number
  /** With the length, how a change while the build is read is noticed. */
  readonly modifiedMs: number
  readonly inode: number
}

export interface TreeDirectory {
  readonly kind: 'directory'
  readonly path: string
}

export interface TreeLink {
  readonly kind: 'link'
  readonly path: string
  readonly target: string
}

export type TreeEntry = TreeFile | TreeDirectory | TreeLink

export interface Tree {
  /** The directory that the paths are below. */
  readonly root: string
  /** In the order of `sortKeyOf`: a directory right before what it contains. */
  readonly entries: readonly TreeEntry[]
}

export interface ScanOptions {
  readonly signal?: AbortSignal | undefined
}

/** So many faults are told at once; whoever has more mends those first. */
const FAULTS_TOLD = 10

/**
 * Lists the directory, or the single file, at `path`. Owners, times, holes and all permission bits but the owner's
 * `x` are left out.
 *
 * Errors: BUILD_MISSING, BUILD_EMPTY, BUILD_UNSUPPORTED (with every fault), BUILD_CHANGED, LIMIT_EXCEEDED, PERMISSION, IO,
 *         ABORTED.
 */
export const scanTree = async (path: string, { signal }: ScanOptions = {}): Promise<Tree> => {
  const real = await findBuild(path)
  const stats = await lstat(real)
  const isDirectory = stats.isDirectory()
  const root = isDirectory ? real : dirname(real)
  const scan: Scan = { root, entries: [], faults: [], seen: new Map(), turn: takeTurns(signal) }
  if (isDirectory) await scanDirectory(scan, '')
  else addEntry(scan, basename(real), stats)

  if (scan.faults.length > 0) throw unsupported(path, scan.faults)
  assertWithinLimits(path, scan.entries)
  return { root, entries: scan.entries }
}

interface Scan {
  readonly root: string
  readonly entries: TreeEntry[]
  readonly faults: string[]
  /** Folded path to path. */
  readonly seen: Map<string, string>
  readonly turn: () => Promise<void>
}

const findBuild = async (path: string): Promise<string> => {
  try {
    return await realpath(path)
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT' && systemCodeOf(error) !== 'ENOTDIR') {
      throw fromFileSystem(error, `cannot read the build ${path}`)
    }
    throw new UpdateError('BUILD_MISSING', `there is no build at ${path}`, { cause: error })
  }
}

const scanDirectory = async (scan: Scan, path: string): Promise<void> => {
  for (const name of await namesIn(scan, path)) {
    await scan.turn()
    const child = path === '' ? name : `${path}/${name}`
    addEntry(scan, child, statsOf(scan, child))
    if (scan.entries.at(-1)?.kind === 'directory' && scan.entries.at(-1)?.path === child)
      await scanDirectory(scan, child)
  }
}

/** Names in order. One that is not UTF-8 could not be written down in an index, so it is a fault. */
const namesIn = async (scan: Scan, path: string): Promise<string[]> => {
  const names: string[] = []
  for (const bytes of await readNames(scan, path)) {
    const name = decode(bytes)
    if (name !== undefined) names.push(name)
    else scan.faults.push(`${JSON.stringify(join(path, bytes.toString('latin1')))} is not UTF-8`)
  }
  const keyed = names.map((name) => [sortKeyOf(name), name] as const)
  return keyed.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, name]) => name)
}

const readNames = async ({ root }: Scan, path: string): Promise<Buffer[]> => {
  try {
    return await readdir(join(root, path), { encoding: 'buffer' })
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT' || systemCodeOf(error) === 'ENOTDIR') throw changed(path, error)
    throw fromFileSystem(error, `cannot read the directory ${join(root, path)}`)
  }
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const decode = (bytes: Buffer): string | undefined => {
  try {
    return strictUtf8.decode(bytes)
  } catch {
    return undefined // The caller names the fault.
  }
}

/** Synchronous because a hundred thousand promises cost seconds; `turn` keeps the event loop going. */
const statsOf = ({ root }: Scan, path: string): Stats => {
  try {
    return lstatSync(join(root, path))
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') throw changed(path, error)
    throw fromFileSystem(error, `cannot look at ${join(root, path)}`)
  }
}

const addEntry = (scan: Scan, path: string, stats: Stats): void => {
  const entry = entryOf(scan, path, stats)
  const fault =
    typeof entry === 'string' ? entry : (faultOfPath(path) ?? faultOfEntry(entry) ?? faultOfTwin(scan, path))
  if (fault !== undefined) scan.faults.push(`${JSON.stringify(path)} ${fault}`)
  if (typeof entry !== 'string') scan.entries.push(entry)
  if (scan.entries.length > LIMITS.filesMax) {
    throw new UpdateError(
      'LIMIT_EXCEEDED',
      `the build ${scan.root} has more than ${LIMITS.filesMax} files and directories`,
    )
  }
  if (scan.faults.length > FAULTS_TOLD) throw unsupported(scan.root, scan.faults)
}

/** The entry, or why there is none. */
const entryOf = ({ root }: Scan, path: string, stats: Stats): TreeEntry | string => {
  if (stats.isDirectory()) return { kind: 'directory', path }
  if (stats.isFile()) {
    return {
      kind: 'file',
      path,
      // Of the permission bits only the owner's `x` is carried: setuid, setgid and all others are left out.
      executable: (stats.mode & 0o100) !== 0,
      lengthBytes: stats.size,
      modifiedMs: stats.mtimeMs,
      inode: stats.ino,
    }
  }
  if (stats.isSymbolicLink()) {
    const target = decode(readlinkSync(join(root, path), 'buffer'))
    return target === undefined ? 'points to a name that is not UTF-8' : { kind: 'link', path, target }
  }
  if (stats.isSocket()) return 'is a socket'
  if (stats.isFIFO()) return 'is a named pipe'
  return 'is a device'
}

const faultOfEntry = (entry: TreeEntry): string | undefined =>
  entry.kind === 'link' ? faultOfTarget(entry.path, entry.target) : undefined

const faultOfTwin = ({ seen }: Scan, path: string): string | undefined => {
  const key = foldPath(path)
  const twin = seen.get(key)
  seen.set(key, path)
  return twin === undefined
    ? undefined
    : `and ${JSON.stringify(twin)} differ only in case or in the form of accents, which some file systems ignore`
}

const assertWithinLimits = (path: string, entries: readonly TreeEntry[]): void => {
  const files = entries.filter((entry) => entry.kind === 'file')
  if (files.length === 0) throw new UpdateError('BUILD_EMPTY', `the build ${path} contains no file`)
  const tooLong = files.find((file) => file.lengthBytes > LIMITS.fileLengthBytes)
  if (tooLong !== undefined) {
    throw new UpdateError(
      'LIMIT_EXCEEDED',
      `${tooLong.path} has ${tooLong.lengthBytes} bytes; a file may have ${LIMITS.fileLengthBytes}`,
    )
  }
  const lengthBytes = files.reduce((sum, file) => sum + file.lengthBytes, 0)
  if (lengthBytes > LIMITS.installedLengthBytes) {
    throw new UpdateError(
      'LIMIT_EXCEEDED',
      `the build ${path} has ${lengthBytes} bytes; a release may have ${LIMITS.installedLengthBytes}`,
    )
  }
}

const unsupported = (path: string, faults: readonly string[]): UpdateError => {
  const told = faults.slice(0, FAULTS_TOLD)
  if (faults.length > told.length) told.push('and more')
  return new UpdateError('BUILD_UNSUPPORTED', `a release cannot carry the build ${path}: ${told.join('; ')}`, {
    hint: 'rename or remove these in the build, so that the release can be installed on every system',
  })
}

const changed = (path: string, cause: unknown): UpdateError =>
  new UpdateError('BUILD_CHANGED', `${path} disappeared while the build was read`, {
    cause,
    hint: 'publish once the build has finished',
  })
