// How long work tells how far it is. Rooms call a listener; who shows it (bar, plain line, event) is not their business.

export interface ProgressEvent {
  /** What is being done, in one or two words: `pack`, `download`. */
  readonly phase: string
  readonly doneBytes: number
  readonly totalBytes: number
}

/** Called often: several hundred times a second is normal. Must not throw and must not wait. */
export type ProgressListener = (event: ProgressEvent) => void
