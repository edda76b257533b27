// What every command is given instead of reaching for the process: tests hand in their own.
import type { Environment } from '@updraft/core/control/home'
import type { ReleaseVersion } from '@updraft/core/names'
import type { AgentParts } from '../agent.ts'

export interface Context {
  readonly environment: Environment
  readonly version: ReleaseVersion
  readonly parts: AgentParts
  readonly now: () => Date
  /** Aborted when the process is told to stop. */
  readonly signal: AbortSignal
  /** The result of the command, on standard output. */
  readonly print: (text: string) => void
  /** What a person may want to know besides, on standard error. */
  readonly note: (text: string) => void
  /** For a command that says all it has to say and still did not find things as they should be. */
  readonly setExitCode: (code: number) => void
}
