// What a plan is given besides the releases: the machine, the clock and the owner's wishes as plain data, and what each rule
// answers. Types only; nothing here reads anything.
import type { ReleaseVersion } from '@updraft/core/names'
import type { Release } from '@updraft/core/release'
import type { Urgency } from '../refresh.ts'
import type { ProductSettings } from '../settings.ts'
import type { BadMark } from '../store/bad-marks.ts'

/** The machine at one moment. Undefined is what this system does not tell. */
export interface MachineFacts {
  readonly now: Date
  /** IANA name, such as `Europe/Berlin`. */
  readonly timeZone: string
  /** Random, and never told to anyone. */
  readonly machineId: string
  readonly onBattery: boolean | undefined
  /** Only known if a product asks for it. */
  readonly metered: boolean | undefined
  /** Load average over a minute, per processor. */
  readonly load: number | undefined
  /** For the agent, where it puts releases. */
  readonly freeBytes: number | undefined
  /** What is on the disk already of releases that are being fetched, by the names of their bundles. */
  readonly stagedBytes: ReadonlyMap<string, number>
}

export interface Hold {
  readonly since: string
  /** Undefined is for ever. */
  readonly until: string | undefined
}

export interface OwnerWishes {
  readonly hold: Hold | undefined
  readonly verdicts: ReadonlyMap<ReleaseVersion, 'approved' | 'skipped'>
}

/** What a rule answers. */
export interface Verdict {
  readonly passed: boolean
  /** What was asked and what was found, with the values, as a sentence without a full stop. */
  readonly detail: string
  /** When a rule that did not pass is worth asking again, where time decides. */
  readonly recheckAt?: Date
}

/** What rules about the machine and its owner are asked. */
export interface Moment {
  readonly product: ProductSettings
  readonly machine: MachineFacts
  readonly wishes: OwnerWishes
}

/** What rules about one release are asked. */
export interface Question extends Moment {
  readonly release: Release
  /** Whose signed word it is that it need not wait for its age. */
  readonly urgency?: Urgency | undefined
  readonly installed: ReleaseVersion | undefined
  readonly agentVersion: ReleaseVersion
  /** When this machine first saw each release, by the name of its bundle. */
  readonly firstSeen: ReadonlyMap<string, string>
  /** By when most of the machines that the owner asks had seen a release, if they say so; by the same names. */
  readonly seenElsewhere?: ReadonlyMap<string, string> | undefined
  readonly badMarks: readonly BadMark[]
  /** Other people sign now than signed the version in use. */
  readonly identityChange?: { readonly detail: string; readonly isEnforced: boolean } | undefined
  /** The installed release was yanked, and this is where its publisher sends the machines that have it. */
  readonly isWayOut: boolean
}

/** Undefined if the rule has nothing to say, because nobody asked for it. */
export type Rule<Asked> = (asked: Asked) => Verdict | undefined
