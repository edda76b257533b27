// What can be made to go wrong in an agent's process: the words that tests, the process that is to fail and the module that
// does it have in common.

/** One run of the agent's program. */
export interface RunOrder {
  readonly home: string
  /** As on a command line. */
  readonly args: readonly string[]
  readonly fault?: Fault | undefined
  /** What somebody else does to the agent's database when the point is met. */
  readonly meanwhile?: { readonly point: string; readonly sql: string } | undefined
  /** A file to which every point is appended, as JSON, one a line. */
  readonly record?: string | undefined
}

export interface Fault {
  readonly point: string
  /** `during` leaves half of a write, a part of a folder, a transaction without its end. */
  readonly when: When
  /** The error that the operation fails with: ENOSPC for all that takes space from then on, others whenever the point is met. */
  readonly action: 'kill' | FaultCode
}

export type When = 'before' | 'during' | 'after'
export type FaultCode = 'ENOSPC' | 'EACCES' | 'EIO'

/**
 * One operation on the disk, or one transaction: `<state of the update> <operation> <place>`, with the state that was last
 * committed to the journal (`fetching` is both downloading and verifying), and the place below the agent's home, in which `*` is what is random, a digest, or one of many.
 */
export interface Point {
  readonly name: string
  /** What the disk holds is other than before. */
  readonly changes: boolean
  /** It fails when the disk is full. */
  readonly takesSpace: boolean
  /** It can be done by half. */
  readonly hasHalf: boolean
}

/** How a run ended that was not killed. */
export interface RunEnd {
  readonly exitCode: number
  /** Whether the fault that was ordered has come to pass. */
  readonly isFaultMet: boolean
  readonly stderr: string
}
