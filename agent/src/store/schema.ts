// The tables of the agent's database, as a list of migrations. A migration that has shipped is never changed: a new one
// is added after it, and `user_version` says how many a database has seen. The table `floor` stays as it is for ever: older
// agents read it when they are gone back to (older-agent.ts).
import type { DatabaseSync } from 'node:sqlite'
import { UpdateError } from '@updraft/core/errors'

const MIGRATIONS: readonly string[] = [
  `
  -- The highest metadata versions ever accepted, per source; the role is the name that the refresh room gives it.
  CREATE TABLE floor (
    source TEXT NOT NULL, role TEXT NOT NULL, version INTEGER NOT NULL CHECK (version > 0),
    PRIMARY KEY (source, role)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE installed (
    product TEXT NOT NULL, version TEXT NOT NULL, platform TEXT NOT NULL, source TEXT NOT NULL, path TEXT NOT NULL,
    signers TEXT NOT NULL, threshold INTEGER NOT NULL, installed_at TEXT NOT NULL,
    current INTEGER NOT NULL CHECK (current IN (0, 1)),
    PRIMARY KEY (product, version)
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX installed_current ON installed (product) WHERE current = 1;

  -- One row per update; at most one of a product is open.
  CREATE TABLE journal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    product TEXT NOT NULL, version TEXT NOT NULL, platform TEXT NOT NULL, state TEXT NOT NULL,
    have_bytes INTEGER NOT NULL, total_bytes INTEGER NOT NULL,
    bytes TEXT NOT NULL, peers INTEGER NOT NULL,
    started_at TEXT NOT NULL, ended_at TEXT, problem TEXT
  ) STRICT;
  CREATE UNIQUE INDEX journal_open ON journal (product) WHERE ended_at IS NULL;
  CREATE INDEX journal_product ON journal (product, id);

  -- One row per step of an update, written before the step acts.
  CREATE TABLE step (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    journal_id INTEGER NOT NULL REFERENCES journal (id) ON DELETE CASCADE,
    state TEXT NOT NULL, at TEXT NOT NULL
  ) STRICT;
  CREATE INDEX step_journal ON step (journal_id, id);

  CREATE TABLE finding (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    product TEXT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, hint TEXT NOT NULL,
    since TEXT NOT NULL, cleared_at TEXT
  ) STRICT;
  CREATE UNIQUE INDEX finding_open ON finding (product, code) WHERE cleared_at IS NULL;

  -- AUTOINCREMENT: a cursor is never given out twice, whatever was pruned.
  CREATE TABLE event (cursor INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, event TEXT NOT NULL) STRICT;

  CREATE TABLE seed (
    name TEXT PRIMARY KEY,
    product TEXT NOT NULL, version TEXT NOT NULL, platform TEXT NOT NULL,
    info_hash TEXT NOT NULL, trackers TEXT NOT NULL, length_bytes INTEGER NOT NULL, since TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- How the last refresh of a source ended. Expiry and root version are those of the last one that succeeded.
  CREATE TABLE source_check (
    source TEXT PRIMARY KEY, at TEXT NOT NULL, problem TEXT,
    expires TEXT, root_version INTEGER
  ) STRICT, WITHOUT ROWID;

  -- What the last successful check of a product found and decided.
  CREATE TABLE decision (
    product TEXT PRIMARY KEY, at TEXT NOT NULL, available TEXT, rules TEXT NOT NULL,
    signers TEXT NOT NULL, threshold INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Versions that are not tried on this machine, and who found them bad, with a problem that says why.
  CREATE TABLE bad_mark (
    product TEXT NOT NULL, version TEXT NOT NULL, marked_by TEXT NOT NULL CHECK (marked_by IN ('probe', 'person')),
    problem TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (product, version)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- The owner of the machine wants no update of the product until then; NULL is for ever.
  CREATE TABLE hold (product TEXT PRIMARY KEY, since TEXT NOT NULL, until TEXT) STRICT, WITHOUT ROWID;

  -- What the owner of the machine has said about a version.
  CREATE TABLE verdict (
    product TEXT NOT NULL, version TEXT NOT NULL, verdict TEXT NOT NULL CHECK (verdict IN ('approved', 'skipped')),
    at TEXT NOT NULL,
    PRIMARY KEY (product, version)
  ) STRICT, WITHOUT ROWID;

  -- When this machine first saw each release that is offered now; the digest is that of its index.
  CREATE TABLE first_seen (
    product TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (product, name)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- What the files of a kept bundle looked like when all of them had been verified.
  ALTER TABLE seed ADD COLUMN stamp TEXT;
  `,
  `
  -- How the last check of each product ended: a source may be well for one and not for another.
  CREATE TABLE product_check (
    product TEXT PRIMARY KEY, source TEXT NOT NULL, at TEXT NOT NULL, problem TEXT
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- Which version of a product was installed last: the clock may have been set back since the one before it.
  ALTER TABLE installed ADD COLUMN nth INTEGER NOT NULL DEFAULT 0;
  UPDATE installed SET nth = (
    SELECT count(*) FROM installed AS other
    WHERE other.product = installed.product AND other.installed_at <= installed.installed_at
  );
  `,
  `
  -- Who sent bad data, and until when nobody speaks to them; the subject is the swarm's word for an address, a peer or a web seed.
  CREATE TABLE ban (subject TEXT PRIMARY KEY, reason TEXT NOT NULL, until TEXT NOT NULL) STRICT, WITHOUT ROWID;

  -- NULL is the one that the code has; another where the owner has said that it is only to be told.
  ALTER TABLE finding ADD COLUMN severity TEXT;
  `,
  `
  -- Who may find a version bad is no longer this table's business: SQLite cannot change a CHECK.
  CREATE TABLE bad_mark_any (
    product TEXT NOT NULL, version TEXT NOT NULL, marked_by TEXT NOT NULL, problem TEXT NOT NULL, at TEXT NOT NULL,
    PRIMARY KEY (product, version)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO bad_mark_any SELECT product, version, marked_by, problem, at FROM bad_mark;
  DROP TABLE bad_mark;
  ALTER TABLE bad_mark_any RENAME TO bad_mark;

  -- Where a product is in use, beyond its folder: the setting that it was brought into use with, and the version, or NULL
  -- from the moment on in which that changes.
  CREATE TABLE activation (product TEXT PRIMARY KEY, setting TEXT NOT NULL, version TEXT) STRICT, WITHOUT ROWID;
  `,
  `
  -- What was sent to peers in each calendar month of the machine's time zone, as 2026-01: for the quota.
  CREATE TABLE uploaded (
    month TEXT PRIMARY KEY, lan_bytes INTEGER NOT NULL, outside_bytes INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  -- What the bad data was sent for, so that the product's owner hears of it; NULL if it was for none.
  ALTER TABLE ban ADD COLUMN bundle TEXT;
  `,
]

/** How many migrations this agent knows. */
export const MIGRATIONS_KNOWN = MIGRATIONS.length

/**
 * Brings the tables up to date; `before` is called with the number of migrations that the database has seen, if there are
 * more. Errors: STATE_DAMAGED if the database was written by a newer agent.
 */
export const migrate = (connection: DatabaseSync, before: (seen: number) => void = () => {}): void => {
  const seen = migrationsSeen(connection)
  if (seen > 0 && seen < MIGRATIONS.length) before(seen)
  for (const [version, sql] of MIGRATIONS.entries()) {
    if (version < seen) continue
    connection.exec(`BEGIN IMMEDIATE; ${sql}; PRAGMA user_version = ${version + 1}; COMMIT`)
  }
}

/** For readers, who must not migrate. Errors: STATE_DAMAGED if the tables are not those of this agent. */
export const assertCurrentSchema = (connection: DatabaseSync): void => {
  const seen = migrationsSeen(connection)
  if (seen < MIGRATIONS.length) {
    throw new UpdateError('STATE_DAMAGED', `the agent's database has version ${seen}, not ${MIGRATIONS.length}`, {
      hint: 'start the agent once: it brings the database up to date',
    })
  }
}

/** Also of a database that this agent does not understand. */
export const userVersionOf = (connection: DatabaseSync): number =>
  Number(connection.prepare('PRAGMA user_version').get()?.user_version)

const migrationsSeen = (connection: DatabaseSync): number => {
  const seen = userVersionOf(connection)
  if (seen > MIGRATIONS.length) {
    throw new UpdateError(
      'STATE_DAMAGED',
      `the agent's database has version ${seen}; this agent knows ${MIGRATIONS.length}`,
      { hint: 'a newer agent wrote it: run that one' },
    )
  }
  return seen
}
