// `doctor`: looks at everything that the agent of this machine needs, and says what to do about what is wrong.
import { userInfo } from 'node:os'
import { homeOf } from '@updraft/core/control/home'
import { EXIT_CODES } from '@updraft/core/errors'
import type { Command } from 'commander'
import type { Check } from '../doctor/diagnosis.ts'
import { examine } from '../doctor.ts'
import type { Context } from './context.ts'

const HELP = `
Examples:
  $ updraft-agent doctor
  $ updraft-agent doctor --json

Changes nothing. Exits 0 if nothing is wrong (a warning is not), else with the code of the first error. The JSON is
{"healthy": ..., "checks": [{"name", "level", "detail", "hint"}]}, where level is ok, warning or error.`

export const addDoctorCommand = (program: Command, context: Context): void => {
  program
    .command('doctor')
    .description('look for what is wrong with the agent of this machine, and say what to do')
    .option('--json', 'print one JSON object')
    .addHelpText('after', HELP)
    .action(async ({ json = false }: { readonly json?: boolean }) => {
      const { environment, parts, signal, now } = context
      const uid = userInfo().uid
      const checks = await examine({ home: homeOf(environment, uid), parts, now: now(), uid, signal })
      const fault = checks.find(({ level }) => level === 'error')
      context.print(json ? jsonOf(checks, fault === undefined) : checks.map(textOf).join('\n'))
      if (fault !== undefined) context.setExitCode(EXIT_CODES[fault.exit])
    })
}

const jsonOf = (checks: readonly Check[], healthy: boolean): string =>
  JSON.stringify({ healthy, checks: checks.map(({ name, level, detail, hint }) => ({ name, level, detail, hint })) })

const textOf = ({ name, level, detail, hint }: Check): string =>
  `${MARKS[level]} ${name}: ${detail}${hint === '' ? '' : `\n        hint: ${hint}`}`

const MARKS = { ok: 'ok     ', warning: 'warning', error: 'ERROR  ' } as const
