// The way back to an older agent, which does not know the tables of a newer one: before a migration the database is copied, and
// an agent that finds it migrated goes on from its copy. What must not be forgotten is carried over from the newer one: no
// version floor is ever lowered, and what the owner of the machine has said, and what was found bad, stays.
import {
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

/** Copy of the database as an agent that knows so many migrations has left it. */
const copyPathOf = (path: string, migrations: number): string => `${path}.schema-${migrations}`

/**
 * Copies the database, which has seen `migrations`, before it sees more. Older copies go: two agents back is nobody's way.
 * Whole or not at all, and on the disk when this returns.
 */
export const keepCopy = (connection: DatabaseSync, path: string, migrations: number): void => {
  const copy = copyPathOf(path, migrations)
  const temporary = `${copy}.new`
  rmSync(temporary, { force: true })
  connection.prepare('VACUUM INTO ?').run(temporary)
  syncPath(temporary)
  renameSync(temporary, copy)
  for (const name of readdirSync(dirname(path))) {
    const other = join(dirname(path), name)
    if (name.startsWith(`${basename(path)}.schema-`) && other !== copy) rmSync(other, { force: true })
  }
  syncPath(dirname(path))
}

/**
 * Puts the copy that an agent of so many migrations has left in the place of the newer database, which is kept as
 * `agent.db.newer`. False if there is no copy. A kill at any point leaves the newer one in place, or the finished older one.
 */
export const goBackToCopy = (path: string, migrations: number): boolean => {
  const copy = copyPathOf(path, migrations)
  if (!existsSync(copy)) return false
  const temporary = `${path}.going-back`
  removeDatabase(temporary)
  copyFileSync(copy, temporary)
  {
    using older = new DatabaseSync(temporary)
    older.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL')
    older.prepare('ATTACH ? AS newer').run(path)
    older.exec('BEGIN IMMEDIATE')
    carryOver(older)
    older.exec('COMMIT; DETACH newer')
  }
  {
    // Everything that is in its log goes into the file, so that no log is left beside the older one.
    using newer = new DatabaseSync(path)
    newer.exec('PRAGMA journal_mode = DELETE')
  }
  rmSync(`${path}.newer`, { force: true })
  linkSync(path, `${path}.newer`)
  syncPath(temporary)
  renameSync(temporary, path)
  syncPath(dirname(path))
  return true
}

/** What the owner of the machine has said, and what this machine has found out: the newer rows are the ones that hold. */
const KEPT = ['hold', 'verdict', 'bad_mark', 'first_seen', 'ban'] as const

const carryOver = (older: DatabaseSync): void => {
  older.exec(`
    INSERT INTO main.floor (source, role, version) SELECT source, role, version FROM newer.floor WHERE true
      ON CONFLICT DO UPDATE SET version = max(version, excluded.version);
    -- A cursor is never given out twice: who follows events is told to read the status again.
    INSERT INTO main.sqlite_sequence (name, seq) SELECT 'event', 0
      WHERE NOT EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name = 'event');
    UPDATE main.sqlite_sequence SET seq = max(seq, coalesce((SELECT seq FROM newer.sqlite_sequence WHERE name = 'event'), 0))
      WHERE name = 'event';
  `)
  for (const table of KEPT) {
    const columns = columnsOf(older, 'main', table)
    const there = new Set(columnsOf(older, 'newer', table))
    if (columns.length === 0 || columns.some((column) => !there.has(column))) continue // It has become something else.
    const names = columns.join(', ')
    older.exec(
      `DELETE FROM main.${table}; INSERT OR IGNORE INTO main.${table} (${names}) SELECT ${names} FROM newer.${table}`,
    )
  }
}

const columnsOf = (database: DatabaseSync, schema: 'main' | 'newer', table: string): readonly string[] =>
  database
    .prepare('SELECT name FROM pragma_table_info(?, ?)')
    .all(table, schema)
    .map(({ name }) => String(name))

const removeDatabase = (path: string): void => {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${path}${suffix}`, { force: true })
}

const syncPath = (path: string): void => {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}
