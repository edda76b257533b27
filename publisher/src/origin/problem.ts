// Something that a person has to care about while an origin runs, for two readers: everyone who can see its page, and
// its owner, who reads the log.

export interface Problem {
  /** For everyone: one sentence without a full stop, and without a path of this machine. */
  readonly summary: string
  /** For the log only: why, and what to do. */
  readonly detail: string
}
