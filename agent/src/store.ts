// The agent's memory: one SQLite file, opened by one agent, divided by concern. What must survive a kill is here; what can
// be fetched again is not.
import { join } from 'node:path'
import type { UpdateError } from '@updraft/core/errors'
import type { VersionFloors } from './refresh.ts'
import { type Activations, openActivations } from './store/activations.ts'
import { type BadMarks, openBadMarks } from './store/bad-marks.ts'
import { type Bans, openBans } from './store/bans.ts'
import { type Checks, openChecks } from './store/checks.ts'
import { type OpenOptions, openDatabase } from './store/database.ts'
import { type EventLog, type EventLogOptions, openEvents } from './store/events.ts'
import { type Findings, openFindings } from './store/findings.ts'
import { type FirstSeen, openFirstSeen } from './store/first-seen.ts'
import { openFloors } from './store/floors.ts'
import { type InstalledVersions, openInstalled } from './store/installed.ts'
import { type Journal, openJournal } from './store/journal.ts'
import { openWithSecondCopy } from './store/second-copy.ts'
import { openSeeds, type Seeds } from './store/seeds.ts'
import { openUploads, type Uploads } from './store/uploads.ts'
import { openWishes, type Wishes } from './store/wishes.ts'

export interface Store extends Disposable {
  /** Why most of what was known is not any more, if that was found when the store was opened. */
  readonly lost: UpdateError | undefined
  readonly floors: VersionFloors
  readonly installed: InstalledVersions
  readonly journal: Journal
  readonly findings: Findings
  readonly events: EventLog
  readonly seeds: Seeds
  readonly checks: Checks
  readonly activations: Activations
  readonly badMarks: BadMarks
  readonly bans: Bans
  readonly wishes: Wishes
  readonly firstSeen: FirstSeen
  readonly uploads: Uploads
  /** Everything that `work` writes, or nothing of it. `work` does not wait for anything. */
  transaction<T>(work: () => T): T
}

/**
 * Opens `agent.db` in the agent's state folder, and creates it if there is none. A damaged one is made anew from its second copy,
 * unless it is only to be read.
 *
 * Errors: STATE_DAMAGED (there is no second copy, or it is damaged as well), DISK_FULL, PERMISSION, LOCKED, IO.
 */
export const openStore = (stateDirectory: string, options: OpenOptions & EventLogOptions = {}): Store => {
  const path = databasePathOf(stateDirectory)
  const { database, lost } = options.readOnly
    ? { database: openDatabase(path, options), lost: undefined }
    : openWithSecondCopy(path, options)
  return {
    lost,
    floors: openFloors(database),
    installed: openInstalled(database),
    journal: openJournal(database),
    findings: openFindings(database),
    events: openEvents(database, options),
    seeds: openSeeds(database),
    checks: openChecks(database),
    activations: openActivations(database),
    badMarks: openBadMarks(database),
    bans: openBans(database),
    wishes: openWishes(database),
    firstSeen: openFirstSeen(database),
    uploads: openUploads(database),
    transaction: (work) => database.transaction(work),
    [Symbol.dispose]: () => database[Symbol.dispose](),
  }
}

export const databasePathOf = (stateDirectory: string): string => join(stateDirectory, 'agent.db')
