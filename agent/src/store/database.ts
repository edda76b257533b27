// SQLite as the agent uses it: opened whole or not at all, every row parsed as it is read, every failure one of our codes.
// Knows no table; see schema.ts for those.
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite'
import { fromFileSystem, isUpdateError, messageOf, UpdateError } from '@updraft/core/errors'
import * as z from 'zod'
import { goBackToCopy, keepCopy } from './older-agent.ts'
import { assertCurrentSchema, MIGRATIONS_KNOWN, migrate, userVersionOf } from './schema.ts'

export interface Database extends Disposable {
  run(sql: string, ...values: readonly SQLInputValue[]): void
  /** Every row, parsed by `schema`. Errors: STATE_DAMAGED if a row is not what `schema` says. */
  all<T>(schema: z.ZodType<T>, sql: string, ...values: readonly SQLInputValue[]): readonly T[]
  /** The first row, or undefined. */
  get<T>(schema: z.ZodType<T>, sql: string, ...values: readonly SQLInputValue[]): T | undefined
  /** Everything that `work` writes, or nothing of it. A transaction inside another belongs to the outer one. */
  transaction<T>(work: () => T): T
  /** Calls `work` once what was written so far is durable: now, or when the transaction around this has ended well. */
  afterCommit(work: () => void): void
}

export interface OpenOptions {
  /** For a look from outside while no agent runs: writes nothing and migrates nothing. */
  readonly readOnly?: boolean
  /** How long to wait for somebody else who holds the file, such as a backup. */
  readonly busyTimeoutMs?: number
  /** Called with a database that is made because there is none: what it writes is there from the beginning. */
  readonly fill?: (connection: DatabaseSync) => void
}

/**
 * Opens the database at `path`, and creates it if there is none. A damaged one is never replaced by an empty one: it
 * remembers which versions must not come back.
 *
 * Errors: STATE_DAMAGED, DISK_FULL, PERMISSION, LOCKED, IO.
 * Source: SQLite, "Write-Ahead Logging"; `synchronous = FULL`, because a row is a promise about what happens next.
 */
export const openDatabase = (path: string, options: OpenOptions = {}): Database => {
  const { readOnly = false, busyTimeoutMs = 5_000, fill = () => {} } = options
  if (!readOnly && !existsSync(path)) createDatabase(path, fill)
  return translated(path, () => {
    if (!readOnly) goBackIfNewer(path, busyTimeoutMs)
    const connection = new DatabaseSync(path, { timeout: busyTimeoutMs, readOnly })
    try {
      connection.exec('PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON')
      assertWhole(connection, path)
      if (readOnly) assertCurrentSchema(connection)
      else {
        connection.exec('PRAGMA journal_mode = WAL')
        migrate(connection, (seen) => keepCopy(connection, path, seen))
      }
    } catch (error) {
      connection.close()
      throw error
    }
    return databaseOn(connection, path, readOnly ? 'BEGIN' : 'BEGIN IMMEDIATE')
  })
}

/** A newer agent may have been tried, and left again. Without a copy from before it, opening says so. */
const goBackIfNewer = (path: string, busyTimeoutMs: number): void => {
  const isNewer = (() => {
    using connection = new DatabaseSync(path, { timeout: busyTimeoutMs, readOnly: true })
    return userVersionOf(connection) > MIGRATIONS_KNOWN
  })()
  if (isNewer) goBackToCopy(path, MIGRATIONS_KNOWN)
}

/**
 * An empty file would pass for a new database, so a new one is made elsewhere and renamed: what is found under the
 * final name was complete once.
 */
const createDatabase = (path: string, fill: (connection: DatabaseSync) => void): void => {
  const temporary = `${path}.new`
  translated(path, () => {
    for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${temporary}${suffix}`, { force: true })
    const connection = new DatabaseSync(temporary)
    try {
      // Not yet WAL: a log that cannot be written back when it is closed, on a full disk, would go unnoticed.
      connection.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL')
      migrate(connection)
      fill(connection)
    } finally {
      connection.close()
    }
    renameSync(temporary, path)
    const directory = openSync(dirname(path), 'r')
    fsyncSync(directory)
    closeSync(directory)
  })
}

const assertWhole = (connection: DatabaseSync, path: string): void => {
  const faults = connection.prepare('PRAGMA quick_check(1)').all()
  const first = Object.values(faults[0] ?? {})[0]
  if (first !== 'ok') throw damaged(path, String(first))
  const tables = connection.prepare("SELECT count(*) AS tables FROM sqlite_schema WHERE type = 'table'").get()
  if (tables?.tables === 0) throw damaged(path, 'it is empty')
}

const databaseOn = (connection: DatabaseSync, path: string, begin: string): Database => {
  const statements = new Map<string, StatementSync>()
  const statement = (sql: string): StatementSync => {
    let prepared = statements.get(sql)
    if (prepared === undefined) {
      prepared = connection.prepare(sql)
      statements.set(sql, prepared)
    }
    return prepared
  }
  const exec = (sql: string) => translated(path, () => connection.exec(sql))
  const afterCommit: (() => void)[] = []
  const all: Database['all'] = (schema, sql, ...values) =>
    translated(path, () => statement(sql).all(...values)).map((row) => {
      const result = schema.safeParse(row)
      if (!result.success) throw damaged(path, `a row cannot be understood: ${z.prettifyError(result.error)}`)
      return result.data
    })

  return {
    run: (sql, ...values) => translated(path, () => void statement(sql).run(...values)),
    all,
    get: (schema, sql, ...values) => all(schema, sql, ...values)[0],
    transaction: (work) => {
      if (connection.isTransaction) return work()
      exec(begin)
      let result: ReturnType<typeof work>
      try {
        result = work()
        exec('COMMIT')
      } catch (error) {
        afterCommit.length = 0
        // SQLite rolls back by itself on some failures (a full disk); a second rollback would hide the first error.
        if (connection.isTransaction) exec('ROLLBACK')
        throw error
      }
      runAll(afterCommit.splice(0))
      return result
    },
    afterCommit: (work) => {
      if (connection.isTransaction) afterCommit.push(work)
      else work()
    },
    [Symbol.dispose]: () => connection.close(),
  }
}

/** What one of them throws keeps none of the others from being called. */
const runAll = (followers: readonly (() => void)[]): void => {
  const errors: unknown[] = []
  for (const follower of followers) {
    try {
      follower()
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}

const damage = new WeakSet<UpdateError>()

/** True of errors that say that the file is damaged, and not, for instance, that a newer agent wrote it. */
export const isDamage = (error: unknown): error is UpdateError => isUpdateError(error) && damage.has(error)

const damaged = (path: string, what: string, cause?: unknown): UpdateError => {
  const error = new UpdateError('STATE_DAMAGED', `the agent's database ${path} is damaged: ${what}`, {
    cause,
    hint: 'start the agent anew: it sets the file aside and goes on with remembered.json beside it; if that is lost too, restore one of them from a backup',
  })
  damage.add(error)
  return error
}

const translated = <T>(path: string, work: () => T): T => {
  try {
    return work()
  } catch (error) {
    throw fromSqlite(error, path)
  }
}

/** Source: SQLite, "Result and Error Codes"; the low byte of an extended code is the primary one. */
const fromSqlite = (error: unknown, path: string): unknown => {
  const extended = (error as { errcode?: unknown } | null)?.errcode
  if (typeof extended !== 'number') return fromFileSystem(error, `cannot open ${path}`)
  const what = `the agent's database ${path}: ${messageOf(error)}`
  switch (extended & 0xff) {
    case SQLITE.busy:
    case SQLITE.locked:
      return new UpdateError('LOCKED', what, { cause: error, hint: 'another program holds it open; close that' })
    case SQLITE.permission:
    case SQLITE.readOnly:
      return new UpdateError('PERMISSION', what, { cause: error, hint: 'the agent must be able to write there' })
    case SQLITE.full:
      return diskFull(path, error)
    case SQLITE.corrupt:
    case SQLITE.notDatabase:
      return damaged(path, messageOf(error), error)
    case SQLITE.inputOutput:
    case SQLITE.cannotOpen:
      // SQLite has no better word when there is no room for the files beside the database.
      if (isFull(dirname(path))) return diskFull(path, error)
      return new UpdateError('IO', what, { cause: error })
    default:
      return error // A statement of ours is wrong: a defect, shown with its stack.
  }
}

const diskFull = (path: string, cause: unknown): UpdateError =>
  new UpdateError('DISK_FULL', `the agent's database ${path}: no space left on the disk`, {
    cause,
    hint: 'free some space; the agent goes on by itself',
  })

const isFull = (directory: string): boolean => {
  try {
    return statfsSync(directory).bavail === 0
  } catch {
    return false // Not even that can be asked: the first error says more.
  }
}

const SQLITE = {
  permission: 3,
  busy: 5,
  locked: 6,
  readOnly: 8,
  inputOutput: 10,
  corrupt: 11,
  full: 13,
  cannotOpen: 14,
  notDatabase: 26,
} as const
