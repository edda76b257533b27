// The journal of updates: one entry per update, one row per step, each written before the step acts. After a kill it says
// how far an update came; nothing here finishes or undoes one.
import {
  type BytesFrom,
  bytesSchema,
  type Problem,
  problemSchema,
  UPDATE_STATES,
  type UpdateState,
} from '@updraft/core/control/api'
import type { Platform, Product, ReleaseName, ReleaseVersion } from '@updraft/core/names'
import * as z from 'zod'
import * as columns from './columns.ts'
import type { Database } from './database.ts'

export interface JournalEntry {
  readonly product: Product
  readonly version: ReleaseVersion
  readonly platform: Platform
  readonly state: UpdateState
  readonly haveBytes: number
  readonly totalBytes: number
  readonly bytes: BytesFrom
  readonly peers: number
  readonly startedAt: string
  /** Undefined while the update goes on, or waits for the agent to come back. */
  readonly endedAt: string | undefined
  readonly problem: Problem | undefined
}

export type JournalTransfer = Pick<JournalEntry, 'haveBytes' | 'totalBytes' | 'bytes' | 'peers'>

/** An entry with every step that it went through, in order. */
export interface PastEntry extends JournalEntry {
  readonly steps: readonly JournalStep[]
}

/** The states that end an update. */
export type EndState = 'committed' | 'rolled-back' | 'failed'

export interface JournalStep {
  readonly state: UpdateState
  readonly at: string
}

export interface Journal {
  /** The newest update of the product, whether it goes on or has ended. */
  latest(product: Product): JournalEntry | undefined
  /** The update that has not ended. */
  open(product: Product): JournalEntry | undefined
  /** Updates of the product, newest first; without a limit all that are remembered. */
  history(product: Product, limit?: number): readonly PastEntry[]
  /** The steps of the newest update, in order. */
  steps(product: Product): readonly JournalStep[]
  /** Opens an update of `release`, or goes on with the one that is open. */
  enter(release: ReleaseName, state: Exclude<UpdateState, EndState>, at: string): void
  transfer(product: Product, transfer: JournalTransfer): void
  /** Ends the open update, if there is one. */
  end(product: Product, state: EndState, at: string, problem?: Problem): void
}

export const openJournal = (database: Database): Journal => {
  const idOf = (product: Product) =>
    database.get(id, 'SELECT id FROM journal WHERE product = ? AND ended_at IS NULL', product)?.id
  const addStep = (journalId: number, state: UpdateState, at: string) => {
    database.run('UPDATE journal SET state = ? WHERE id = ?', state, journalId)
    database.run('INSERT INTO step (journal_id, state, at) VALUES (?, ?, ?)', journalId, state, at)
  }

  return {
    latest: (product) => database.get(entry, `${SELECT} WHERE product = ? ORDER BY id DESC LIMIT 1`, product),
    open: (product) => database.get(entry, `${SELECT} WHERE product = ? AND ended_at IS NULL`, product),
    history: (product, limit = UPDATES_KEPT) =>
      database.all(pastEntry, `${SELECT_PAST} WHERE product = ? ORDER BY id DESC LIMIT ?`, product, limit),
    steps: (product) =>
      database.all(
        step,
        `SELECT state, at FROM step
         WHERE journal_id = (SELECT max(id) FROM journal WHERE product = ?) ORDER BY id`,
        product,
      ),
    enter: ({ product, version, platform }, state, at) =>
      database.transaction(() => {
        const open = idOf(product)
        if (open !== undefined) return addStep(open, state, at)
        database.run(
          `INSERT INTO journal (product, version, platform, state, have_bytes, total_bytes, bytes, peers, started_at)
           VALUES (?, ?, ?, ?, 0, 0, ?, 0, ?)`,
          product,
          version,
          platform,
          state,
          JSON.stringify({ peers: 0, origin: 0, reused: 0 } satisfies BytesFrom),
          at,
        )
        const created = idOf(product)
        if (created !== undefined) addStep(created, state, at)
        database.run(
          `DELETE FROM journal WHERE product = ? AND id NOT IN
             (SELECT id FROM journal WHERE product = ? ORDER BY id DESC LIMIT ?)`,
          product,
          product,
          UPDATES_KEPT,
        )
      }),
    transfer: (product, { haveBytes, totalBytes, bytes, peers }) =>
      database.run(
        `UPDATE journal SET have_bytes = ?, total_bytes = ?, bytes = ?, peers = ?
         WHERE product = ? AND ended_at IS NULL`,
        haveBytes,
        totalBytes,
        JSON.stringify(bytes),
        peers,
        product,
      ),
    end: (product, state, at, problem) =>
      database.transaction(() => {
        const open = idOf(product)
        if (open === undefined) return
        addStep(open, state, at)
        database.run(
          'UPDATE journal SET ended_at = ?, problem = ?, peers = 0 WHERE id = ?',
          at,
          problem === undefined ? null : JSON.stringify(problem),
          open,
        )
      }),
  }
}

/** How often in a row the update was in the state `probing` when its agent ended, and not in good order. */
export const timesInterrupted = (steps: readonly JournalStep[]): number =>
  steps.length - 1 - steps.findLastIndex(({ state }) => state !== 'probing')

/** Updates remembered per product: years of weekly releases, in a few dozen kilobytes. */
const UPDATES_KEPT = 200

const COLUMNS = `product, version, platform, state, have_bytes AS haveBytes, total_bytes AS totalBytes, bytes, peers,
                 started_at AS startedAt, ended_at AS endedAt, problem`
const SELECT = `SELECT ${COLUMNS} FROM journal`
const SELECT_PAST = `SELECT ${COLUMNS},
                       (SELECT json_group_array(json_object('state', step.state, 'at', step.at) ORDER BY step.id)
                        FROM step WHERE journal_id = journal.id) AS steps FROM journal`

const id = z.object({ id: z.int() })
const step = z.object({ state: z.enum(UPDATE_STATES), at: z.string() })
const entry = z.object({
  product: columns.product,
  version: columns.version,
  platform: columns.platform,
  state: z.enum(UPDATE_STATES),
  haveBytes: z.int(),
  totalBytes: z.int(),
  bytes: columns.json(bytesSchema),
  peers: z.int(),
  startedAt: z.string(),
  endedAt: columns.optional(z.string()),
  problem: columns.optional(columns.json(problemSchema)),
})
const pastEntry = entry.extend({ steps: columns.json(z.array(step)) })
