// The event log: what happened, numbered without gaps from 1, so that a listener who was away can go on where it stopped.
// Keeps the newest only; a listener who was away for too long is told to read the status again.
import { type AgentEvent, eventSchema, type RecordedEvent } from '@updraft/core/control/api'
import { LIMITS } from '@updraft/core/limits'
import * as z from 'zod'
import * as columns from './columns.ts'
import type { Database } from './database.ts'

export interface EventLog {
  append(event: AgentEvent, at: string): RecordedEvent
  /** Cursor of the newest event; 0 before the first. */
  cursor(): number
  /** Events after `cursor`, oldest first; undefined if some of them are no longer kept, or were never given out. */
  after(cursor: number, limit: number): readonly RecordedEvent[] | undefined
  /** Calls `listener` with each new event of this process once it is durable, until the answer is called. */
  onAppend(listener: (recorded: RecordedEvent) => void): () => void
}

export interface EventLogOptions {
  readonly kept?: number
}

export const openEvents = (database: Database, { kept = LIMITS.controlEventsKept }: EventLogOptions = {}): EventLog => {
  const listeners = new Set<(recorded: RecordedEvent) => void>()
  const cursor = () =>
    database.get(newest, "SELECT coalesce(max(seq), 0) AS cursor FROM sqlite_sequence WHERE name = 'event'")?.cursor ??
    0

  return {
    append: (event, at) => {
      const recorded = database.transaction(() => {
        database.run('INSERT INTO event (at, event) VALUES (?, ?)', at, JSON.stringify(event))
        const appended = cursor()
        if (appended % PRUNE_EVERY === 0) database.run('DELETE FROM event WHERE cursor <= ?', appended - kept)
        return { cursor: appended, at, event }
      })
      database.afterCommit(() => {
        for (const listener of listeners) listener(recorded)
      })
      return recorded
    },
    cursor,
    after: (after, limit) => {
      const last = cursor()
      if (after > last) return undefined
      if (after === last) return []
      const events = database.all(
        row,
        'SELECT cursor, at, event FROM event WHERE cursor > ? ORDER BY cursor LIMIT ?',
        after,
        limit,
      )
      return events[0]?.cursor === after + 1 ? events : undefined
    },
    onAppend: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** Pruning at every event would double the writes. */
const PRUNE_EVERY = 100

const newest = z.object({ cursor: z.int() })
const row = z.object({ cursor: z.int(), at: z.string(), event: columns.json(eventSchema) })
