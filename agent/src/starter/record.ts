// What the starter remembers, in one small file that outlives kills: which version was in good health last, which one is being
// tried and how often, and which ones it has left. A file that cannot be read is none: the starter never fails over it.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** Versions are named by their folders below `versions/`. */
export interface StartRecord {
  /** Undefined before any version was in good health. */
  readonly good: string | undefined
  /** Started, and not known yet to be in good health. */
  readonly trying: string | undefined
  /** How often `trying` was started. */
  readonly starts: number
  /** Left, and the agent that was gone back to has not written it down yet. */
  readonly left: readonly LeftVersion[]
}

export interface LeftVersion {
  readonly version: string
  readonly why: string
  /** ISO 8601 in UTC. */
  readonly at: string
}

const NOTHING: StartRecord = { good: undefined, trying: undefined, starts: 0, left: [] }

/** Changing this breaks starters that are installed already: they are never updated. */
const FORMAT = 1

export const readRecord = (path: string): StartRecord => {
  try {
    const { format, good, trying, starts, left } = JSON.parse(readFileSync(path, 'utf8'))
    if (format !== FORMAT) return NOTHING
    return {
      good: isName(good) ? good : undefined,
      trying: isName(trying) ? trying : undefined,
      starts: Number.isSafeInteger(starts) && starts >= 0 ? starts : 0,
      left: Array.isArray(left) ? left.filter(isLeft) : [],
    }
  } catch {
    return NOTHING // There is none yet, or it is torn: what is in place is tried anew.
  }
}

/** Whole or not at all, and on the disk when this returns. */
export const writeRecord = (path: string, record: StartRecord): void => {
  const temporary = `${path}.new`
  rmSync(temporary, { force: true })
  const file = openSync(temporary, 'wx', 0o644)
  try {
    writeFileSync(file, `${JSON.stringify({ format: FORMAT, ...record })}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(temporary, path)
  syncFolder(dirname(path))
}

/** A rename is on the disk only once its folder is. */
export const syncFolder = (path: string): void => {
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}

/** One folder, never a path. */
const isName = (value: unknown): value is string => typeof value === 'string' && /^[0-9][^/\0]*$/.test(value)

const isLeft = (value: unknown): value is LeftVersion => {
  const { version, why, at } = (value ?? {}) as Partial<LeftVersion>
  return isName(version) && typeof why === 'string' && typeof at === 'string'
}
