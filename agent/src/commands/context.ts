// What every command is given instead of reaching for the process: tests hand in their own.
import type { Environment } from '@updraft/core/control/home'
import { EXIT_CODES, systemCodeOf, UpdateError } from '@updraft/core/errors'
import { parseReleaseVersion, type ReleaseVersion } from '@updraft/core/names'
import manifest from '../../package.json' with { type: 'json' }
import type { AgentParts } from '../agent.ts'
import { type HandedOver, takeHandedOver } from '../service/handed-over.ts'
import { type StarterLink, takeStarterLink } from '../service/starter-link.ts'

export interface Context {
  readonly environment: Environment
  readonly version: ReleaseVersion
  readonly parts: AgentParts
  readonly now: () => Date
  /** What the service manager that started this process gave to it. */
  readonly handedOver?: HandedOver
  /** The starter that has started this process. */
  readonly starter?: StarterLink | undefined
  /** Aborted, with an UpdateError ABORTED as its reason, when the process is told to stop. */
  readonly signal: AbortSignal
  /** The result of the command, on standard output. */
  readonly print: (text: string) => void
  /** What a person may want to know besides, on standard error. */
  readonly note: (text: string) => void
  /** For a command that has said all it has to say and still did not find things as they should be. */
  readonly setExitCode: (code: number) => void
}

/** The context of this very process. SIGINT and SIGTERM abort its signal; a second one ends the process at once. */
export const contextOfProcess = (parts: AgentParts): Context => {
  const stopped = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      stopped.abort(new UpdateError('ABORTED', `stopped by ${name}`))
      // Does not keep the process alive: it fires only if something else still does.
      setTimeout(giveUp, STOP_DEADLINE_MS).unref()
    })
  }
  // Whoever reads the output has had enough (`events | head -1`): there is nobody left to tell.
  process.stdout.on('error', (error) => {
    if (systemCodeOf(error) !== 'EPIPE') throw error
    process.exit(EXIT_CODES.ok)
  })
  const onGone = () => stopped.abort(new UpdateError('ABORTED', 'stopped, because the starter has ended'))
  const starter = takeStarterLink(process.env, process, onGone)
  return {
    environment: process.env,
    starter,
    handedOver: takeHandedOver(process.env, process.pid, starter === undefined ? undefined : process.ppid),
    version: parseReleaseVersion(manifest.version),
    parts,
    now: () => new Date(),
    signal: stopped.signal,
    print: (text) => process.stdout.write(`${text}\n`),
    note: (text) => process.stderr.write(`${text}\n`),
    setExitCode: (code) => {
      process.exitCode = code
    },
  }
}

/** A service manager kills after 90 s (systemd) or sooner; whatever is cut off is taken up at the next start. */
const STOP_DEADLINE_MS = 15_000

const giveUp = (): void => {
  process.stderr.write(`updraft-agent: did not stop within ${STOP_DEADLINE_MS / 1000} s and ends now\n`)
  process.exit(EXIT_CODES.defect)
}
