// `run`: the agent itself, in the foreground, until it is told to stop. A service manager puts it into the background.
import { fstatSync } from 'node:fs'
import { homeOf } from '@updraft/core/control/home'
import { EXIT_CODES } from '@updraft/core/errors'
import type { Command } from 'commander'
import type { Context } from './context.ts'

const HELP = `
Examples:
  $ updraft-agent run
  $ updraft-agent run --once        (from a timer: looks once at every product; exits 0 if all went well)

Runs until SIGINT or SIGTERM, and then ends with 0. What was under way is taken up at the next start. Changes of agent.json
are taken over as they happen. Started by updraft-starter, it ends with 10 when another version of itself is in place. A service manager that speaks sd_notify is told of both; see: updraft-agent service install.`

export const addRunCommand = (program: Command, context: Context): void => {
  program
    .command('run')
    .description('look for updates, install them and share them, until told to stop')
    .option('--once', 'look once at every product, then end')
    .option('--log-json', 'log one JSON object per line')
    .addHelpText('after', HELP)
    .action(async ({ once = false, logJson = false }: { readonly once?: boolean; readonly logJson?: boolean }) => {
      const { environment, parts, version, handedOver, starter, now, signal } = context
      const home = homeOf(environment)
      // Loaded here, so that the other commands start without it.
      const [{ runAgent }, { openLog, isJournal }] = await Promise.all([import('../agent.ts'), import('../log.ts')])
      const log = openLog({ json: logJson, journal: isJournal(environment, fstatSync(2)) })
      const failures = await runAgent({
        home,
        parts,
        version,
        once,
        log,
        now,
        signal,
        starter,
        onReplaced: () => context.setExitCode(EXIT_CODES.replaced),
        ...(handedOver === undefined ? {} : { handedOver }),
      })
      if (!once) return
      signal.throwIfAborted()
      for (const error of failures.values()) throw error // The first one; the log has told of all.
    })
}
