// What every command gets from the process that it runs in, and nothing else.
import type { Terminal } from './passphrase.ts'

export interface Context {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Undefined when nobody sits in front of it. */
  readonly terminal: Terminal | undefined
  readonly now: () => Date
  /** Aborted, with an UpdateError ABORTED as its reason, when the process is told to stop. */
  readonly signal: AbortSignal
  /** Results only; progress and warnings go to standard error. */
  readonly print: (text: string) => void
}
