// What a damaged database must not take with it, a second time, in a file of its own: version floors, and what the owner and
// probes of this machine have said about versions. Renewed whenever it changes; read by a new database, or one that is behind.
import { createHash } from 'node:crypto'
import { readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { fromFileSystem, systemCodeOf, UpdateError } from '@updraft/core/errors'
import { writeFileAtomicSync } from '@updraft/core/files/atomic'
import * as z from 'zod'
import { type Database, isDamage, type OpenOptions, openDatabase } from './database.ts'

export interface Opened {
  readonly database: Database
  /** Why the database had to be made anew from the second copy, if it had to. */
  readonly lost: UpdateError | undefined
}

/**
 * Opens the database at `path`. A damaged one is set aside as `<path>.damaged`, and a new one takes over what the second copy
 * remembers; without that it is an error, since an empty memory would let older versions in.
 *
 * Errors: STATE_DAMAGED; else as `openDatabase`.
 */
export const openWithSecondCopy = (path: string, options: OpenOptions): Opened => {
  const copyPath = join(dirname(path), 'remembered.json')
  const remembered = readCopy(copyPath)
  const open = () => openDatabase(path, { ...options, fill: (connection) => fill(connection, remembered, copyPath) })
  let lost: UpdateError | undefined
  let database: Database
  try {
    database = open()
  } catch (error) {
    if (!isDamage(error) || typeof remembered !== 'object') throw error
    setAside(path)
    lost = error
    database = open()
  }
  try {
    return { database: remembering(database, remembered, copyPath), lost }
  } catch (error) {
    database[Symbol.dispose]()
    throw error
  }
}

/** Few rows each, and worth keeping. What is not here is learnt again: what is installed, offered, seen and shared. */
const TABLES = ['floor', 'hold', 'verdict', 'bad_mark'] as const
const CHANGE = new RegExp(`^\\s*(INSERT|UPDATE|DELETE)\\b.*\\b(${TABLES.join('|')})\\b`, 's')

const rowSchema = z.record(z.string().regex(/^[a-z_]+$/), z.union([z.string(), z.number(), z.null()]))
const rowsSchema = z.strictObject({
  floor: z.array(rowSchema),
  hold: z.array(rowSchema),
  verdict: z.array(rowSchema),
  bad_mark: z.array(rowSchema),
})
type Rows = z.output<typeof rowsSchema>
const copySchema = z.strictObject({ schema: z.literal(1), sha256: z.string(), rows: rowsSchema })

/** Undefined if there is none. */
const readCopy = (copyPath: string): Rows | 'damaged' | undefined => {
  let text: string
  try {
    text = readFileSync(copyPath, 'utf8')
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined
    throw fromFileSystem(error, `cannot read ${copyPath}`)
  }
  try {
    const { sha256, rows } = copySchema.parse(JSON.parse(text))
    return sha256 === digestOf(rows) ? rows : 'damaged'
  } catch {
    return 'damaged' // Torn or altered: of use only if the database is lost as well, and then it is told.
  }
}

const digestOf = (rows: Rows): string => createHash('sha256').update(JSON.stringify(rows)).digest('hex')

/** Into a database that was just made and has no other rows. */
const fill = (connection: DatabaseSync, remembered: Rows | 'damaged' | undefined, copyPath: string): void => {
  if (remembered === undefined) return
  if (remembered === 'damaged') {
    throw new UpdateError('STATE_DAMAGED', `the agent's database is gone, and its second copy ${copyPath} is damaged`, {
      hint: 'restore one of them from a backup; without one, move the copy away: the agent then forgets which older versions it must refuse',
    })
  }
  for (const table of TABLES) {
    for (const row of remembered[table]) {
      const columns = Object.keys(row)
      const places = columns.map(() => '?').join(', ')
      connection.prepare(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${places})`).run(...Object.values(row))
    }
  }
}

/** The same database; what it must not forget is written to the copy as soon as it is durable. */
const remembering = (database: Database, remembered: Rows | 'damaged' | undefined, copyPath: string): Database => {
  let written = typeof remembered === 'object' ? JSON.stringify(remembered) : undefined
  const write = (): void => {
    const rows = Object.fromEntries(
      TABLES.map((table) => [table, database.all(rowSchema, `SELECT * FROM ${table}`)]),
    ) as Rows
    const text = JSON.stringify(rows)
    if (text === written) return
    writeFileAtomicSync(copyPath, JSON.stringify({ schema: 1, sha256: digestOf(rows), rows }), { mode: 0o600 })
    written = text
  }
  // A database that lost its last commits, or was brought back from a backup, is behind.
  if (typeof remembered === 'object') raiseFloors(database, remembered)
  write()
  return {
    ...database,
    run: (sql, ...values) => {
      database.run(sql, ...values)
      if (CHANGE.test(sql)) database.afterCommit(write)
    },
  }
}

const raiseFloors = (database: Database, { floor }: Rows): void =>
  database.transaction(() => {
    for (const { source = null, role = null, version = null } of floor) {
      database.run(
        'UPDATE floor SET version = ? WHERE source = ? AND role = ? AND version < ?',
        version,
        source,
        role,
        version,
      )
      database.run('INSERT OR IGNORE INTO floor (source, role, version) VALUES (?, ?, ?)', source, role, version)
    }
  })

/** With the files beside it, under names by which SQLite still finds them. */
const setAside = (path: string): void => {
  try {
    for (const suffix of ['-wal', '-shm', '']) {
      rmSync(`${path}.damaged${suffix}`, { force: true })
      try {
        renameSync(`${path}${suffix}`, `${path}.damaged${suffix}`)
      } catch (error) {
        if (systemCodeOf(error) !== 'ENOENT') throw error
      }
    }
  } catch (error) {
    throw fromFileSystem(error, `cannot set ${path} aside`)
  }
}
