// The end of a command that failed: one message on standard error, one exit code from the table, nothing else.
import { EXIT_CODES, exitCodeOf, isUpdateError, messageOf } from '../errors.ts'

export interface FailureReport {
  readonly code: string
  readonly message: string
  readonly hint?: string
}

/** What is told of an error. Only a defect of ours shows its stack. */
export const reportOf = (error: unknown): FailureReport => {
  if (isUpdateError(error)) {
    return { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) }
  }
  return {
    code: 'DEFECT',
    message: Error.isError(error) && error.stack !== undefined ? error.stack : messageOf(error),
    hint: 'this is a defect of Updraft: please report it with the lines above',
  }
}

/**
 * Prints why the command failed (as one JSON object on standard output with `json`) and returns the exit code.
 * A hint stands on a line of its own.
 */
export const printFailure = (program: string, error: unknown, json: boolean): number => {
  const report = reportOf(error)
  if (json) process.stdout.write(`${JSON.stringify({ error: report })}\n`)
  else {
    process.stderr.write(`${program}: ${report.message}\n`)
    if (report.hint !== undefined) process.stderr.write(`  hint: ${report.hint}\n`)
  }
  return exitCodeOf(error)
}

/** Exit code of a command line that commander itself refused; commander has printed why. */
export const exitCodeOfUsage = (commanderExitCode: number): number =>
  commanderExitCode === 0 ? EXIT_CODES.ok : EXIT_CODES.usage
