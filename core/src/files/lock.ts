// One process at a time on a directory. The operating system holds the lock (an exclusively locked SQLite file), so it
// is gone with its process, however that ends; there is no stale lock to guess about.
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fromFileSystem, messageOf, UpdateError } from '../errors.ts'

export interface Lock extends Disposable {
  readonly path: string
}

/**
 * Takes the lock `name` in `directory`, or fails at once.
 *
 * Errors: LOCKED; PERMISSION or IO if the lock file cannot be opened or is not one.
 * Source: SQLite, "File Locking And Concurrency"; node has no flock of its own.
 */
export const takeLock = (directory: string, name: string): Lock => {
  const path = join(directory, name)
  let database: DatabaseSync
  try {
    database = new DatabaseSync(path, { timeout: 0 })
  } catch (error) {
    throw fromFileSystem(error, `cannot open the lock ${path}`)
  }
  try {
    // The journal stays in memory so that a kill leaves nothing but the lock file itself.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    const { errcode } = error as { errcode?: unknown }
    if (errcode !== SQLITE_BUSY) {
      const code = errcode === SQLITE_READONLY ? 'PERMISSION' : 'IO'
      throw new UpdateError(code, `cannot take the lock ${path}: ${messageOf(error)}`, { cause: error })
    }
    throw new UpdateError('LOCKED', `another process is working on ${directory}`, {
      cause: error,
      hint: 'wait until it has finished, or stop it',
    })
  }
  return { path, [Symbol.dispose]: () => database.close() }
}

const SQLITE_BUSY = 5
const SQLITE_READONLY = 8
