// `doctor DIR`: what will break soon in a repository, or is wrong already.
import { resolve } from 'node:path'
import { EXIT_CODES, UpdateError } from '@updraft/core/errors'
import { sarifOf, uriOfPath } from '@updraft/core/terminal/sarif'
import type { Command } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import type { Context } from '../context.ts'
import { CHECKS, type Check } from '../doctor/diagnosis.ts'
import { examine } from '../doctor.ts'
import { keysDirectoryOf } from '../keys/keys-directory.ts'

interface DoctorCommandOptions {
  readonly keys?: string
  readonly network: boolean
  readonly deep?: true
  readonly json?: true
  readonly sarif?: true
}

const HELP = `
Examples:
  $ updraft-publisher doctor r
  $ updraft-publisher doctor r --no-network --sarif > doctor.sarif

Changes nothing and needs no passphrase. Exits 0 if nothing is wrong (a warning is not), else with the code of the first error.
The JSON is {"healthy": ..., "checks": [{"code", "level", "detail", "hint", "path"}]}, where level is ok, warning or error.`

export const addDoctorCommand = (program: Command, context: Context): void => {
  program
    .command('doctor')
    .description('look for what is wrong with a repository or soon will be, and say what to do')
    .argument('<dir>', 'the repository')
    .option('--keys <dir>', 'folder of the signing keys (or UPDRAFT_KEYS; default: DIR.keys beside the repository)')
    .option('--no-network', 'do not ask the public address and the trackers')
    .option('--deep', 'read every byte of every bundle, and not only look whether it is there')
    .option('--json', 'print one JSON object')
    .option('--sarif', 'print SARIF 2.1.0, for CI')
    .addHelpText('after', HELP)
    .action(async (directory: string, options: DoctorCommandOptions) => {
      if (options.json && options.sarif) throw new UpdateError('USAGE', 'choose one of --json and --sarif')
      const checks = await examine(directory, {
        now: context.now(),
        keysDirectory: keysDirectoryOf(directory, options.keys, context.environment),
        network: options.network,
        deep: options.deep === true,
        signal: context.signal,
      })
      const fault = checks.find(({ level }) => level === 'error')
      context.print(printed(directory, checks, options))
      if (fault !== undefined) process.exitCode = EXIT_CODES[CHECKS[fault.code].exit]
    })
}

const printed = (directory: string, checks: readonly Check[], { json, sarif }: DoctorCommandOptions): string => {
  if (json) return JSON.stringify({ healthy: checks.every(({ level }) => level !== 'error'), checks })
  return sarif ? JSON.stringify(sarifOfChecks(resolve(directory), checks)) : checks.map(textOf).join('\n')
}

const MARKS = { ok: 'ok     ', warning: 'warning', error: 'ERROR  ' } as const

const textOf = ({ code, level, detail, hint }: Check): string =>
  `${MARKS[level]} ${code}: ${detail}${hint === '' ? '' : `\n        hint: ${hint}`}`

const sarifOfChecks = (directory: string, checks: readonly Check[]): object => {
  const faults = checks.flatMap(({ level, ...check }) => (level === 'ok' ? [] : [{ ...check, severity: level }]))
  return sarifOf({
    tool: 'updraft-publisher doctor',
    version: manifest.version,
    artifact: { uri: uriOfPath(directory), role: 'directory' },
    rules: new Map(faults.map(({ code }) => [code, CHECKS[code].title])),
    results: faults.map(({ code, severity, detail, hint, path = directory }) => ({
      rule: code,
      severity,
      message: hint === '' ? detail : `${detail}; ${hint}`,
      uri: uriOfPath(path),
    })),
  })
}
