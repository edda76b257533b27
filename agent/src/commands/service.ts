// `service install|uninstall|status`: the agent as a service of this machine or of one user. What the files say is in
// service/, and what is done with them in service.ts.
import { realpathSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { dirname, isAbsolute, join } from 'node:path'
import { type Environment, homeOf } from '@updraft/core/control/home'
import { EXIT_CODES, UpdateError } from '@updraft/core/errors'
import { parseProduct } from '@updraft/core/names'
import { type Command, Option } from 'commander'
import { launchdPlist, windowsService } from '../service/other-systems.ts'
import { type Scope, serviceFiles } from '../service/systemd-units.ts'
import {
  installService,
  type ServiceOptions,
  type ServiceState,
  stateOfService,
  thisHost,
  uninstallService,
} from '../service.ts'
import type { Context } from './context.ts'

interface Options {
  readonly user?: true
  readonly root?: string
  readonly replace?: true
  readonly print?: true
  readonly system?: 'systemd' | 'launchd' | 'windows'
  readonly program?: string
  readonly selfUpdate?: string
  readonly json?: true
}

const INSTALL_HELP = `
Examples:
  $ sudo updraft-agent service install                     (the machine's agent, as the user "updraft")
  $ updraft-agent service install --user                   (your own)
  $ updraft-agent service install --print                  (shows the files and changes nothing)
  $ updraft-agent service install --root build --program /usr/bin/updraft-agent            (for a package)
  $ updraft-agent service install --print --system launchd
  $ sudo updraft-agent service install --self-update updraft-agent   (the agent then updates itself)

Doing it again takes over what a newer version writes. Your own changes belong into drop-ins: systemctl edit updraft-agent.`

const UNINSTALL_HELP = `
Examples:
  $ sudo updraft-agent service uninstall
  $ updraft-agent service uninstall --user

Settings, state and installed products stay.`

const STATUS_HELP = `
Examples:
  $ updraft-agent service status
  $ updraft-agent service status --user --json

Exits 0 if the service runs, else 9.`

export const addServiceCommand = (program: Command, context: Context): void => {
  const service = program.command('service').description('let systemd run the agent')
  const withPlace = (command: Command) =>
    command
      .option('--user', 'the service of this user instead of that of the machine')
      .option('--root <dir>', 'the system below this folder, which does not run')
  withPlace(service.command('install'))
    .description('write the units, and start the service')
    .option('--program <file>', 'the updraft-agent that is to run (default: this one)')
    .option('--self-update <product>', 'the agent updates itself, as this product, and is started by updraft-starter')
    .option('--replace', 'also over files that are not from here')
    .option('--print', 'print the files and change nothing')
    .addOption(
      new Option('--system <name>', 'with --print: what they are for')
        .choices(['systemd', 'launchd', 'windows'])
        .default('systemd'),
    )
    .addHelpText('after', INSTALL_HELP)
    .action((options: Options) => install(options, context))
  withPlace(service.command('uninstall'))
    .description('stop the service, and remove its units')
    .option('--replace', 'also files that are not from here')
    .addHelpText('after', UNINSTALL_HELP)
    .action((options: Options) => uninstall(options, context))
  withPlace(service.command('status'))
    .description('show what is installed, and whether it runs')
    .option('--json', 'print one JSON object')
    .addHelpText('after', STATUS_HELP)
    .action((options: Options) => status(options, context))
}

const install = async (options: Options, context: Context): Promise<void> => {
  const { system = 'systemd', print = false } = options
  const service = serviceOptionsOf(options, context.environment)
  if (print) {
    context.print(textOf(system, service))
    return
  }
  if (system !== 'systemd') {
    throw new UpdateError('USAGE', `a service of ${system} can only be printed`, { hint: 'add --print' })
  }
  const { written, unchanged, started } = await installService(service)
  for (const path of written) context.print(`wrote ${path}`)
  for (const path of unchanged) context.print(`kept ${path}`)
  if (started) context.print(`the agent runs; see: updraft-agent service status${options.user ? ' --user' : ''}`)
}

const uninstall = async (options: Options, context: Context): Promise<void> => {
  const removed = await uninstallService(serviceOptionsOf(options, context.environment))
  for (const path of removed) context.print(`removed ${path}`)
  if (removed.length === 0) context.print('there is no service to remove')
  else context.note('settings, state and installed products stay; docs/operating.md says how to remove them')
}

const status = async (options: Options, context: Context): Promise<void> => {
  const state = await stateOfService(serviceOptionsOf(options, context.environment))
  context.print(options.json ? JSON.stringify(state) : textOfState(state))
  if (options.root === undefined && state.unit?.ActiveState !== 'active') context.setExitCode(EXIT_CODES.notRunning)
}

const textOf = (system: 'systemd' | 'launchd' | 'windows', service: ServiceOptions): string => {
  switch (system) {
    case 'launchd':
      return launchdPlist(service)
    case 'windows':
      return windowsService(service)
    case 'systemd':
      return serviceFiles(service)
        .map(({ path, text }) => `# ${path}\n${text}`)
        .join('\n')
        .trimEnd()
  }
}

const serviceOptionsOf = (options: Options, environment: Environment): ServiceOptions => {
  const { root, replace = false, user = false } = options
  const scope: Scope = user ? 'user' : 'system'
  const program = programOf(options.program)
  const starter =
    options.selfUpdate === undefined ? undefined : starterOf(options.selfUpdate, program, scope, environment)
  return {
    host: thisHost(userInfo().uid, environment),
    scope,
    root,
    replace,
    command: starter?.command ?? [...program, 'run'],
    files: starter?.files,
    userUnitDirectory: join(environment.XDG_CONFIG_HOME ?? join(environment.HOME ?? homedir(), '.config'), USER_UNITS),
  }
}

const USER_UNITS = 'systemd/user'

/** The starter runs what is installed as the product, and `program` while nothing is, or if nothing that is comes up. */
const starterOf = (name: string, program: readonly string[], scope: Scope, environment: Environment) => {
  const [node, agent] = program.length === 2 ? program : [process.execPath, program[0]]
  if (node === undefined || agent === undefined) throw new UpdateError('USAGE', 'there is no program to fall back to')
  const starter = join(dirname(agent), 'updraft-starter.mjs')
  const home = scope === 'system' ? homeOf({}, 0) : homeOf(environment)
  const productFolder = join(home.dataDirectory, 'products', parseProduct(name))
  return {
    command: [node, starter, '--fallback', agent, productFolder, '--', 'run'],
    files: [node, starter, agent],
  }
}

/** This very program, unless told otherwise. */
const programOf = (program: string | undefined): readonly string[] => {
  if (program === undefined) return [process.execPath, realpathSync(process.argv[1] ?? '')]
  if (!isAbsolute(program) || /[\n\r]/.test(program)) {
    throw new UpdateError('USAGE', `${JSON.stringify(program)} is not an absolute path`)
  }
  return [program]
}

const textOfState = ({ files, unit }: ServiceState): string =>
  [
    ...files.map(({ path, state }) => `${FILE_WORDS[state].padEnd(9)} ${path}`),
    ...(unit === undefined
      ? ['systemd was not asked: it does not run here, or this is another system']
      : [
          `service   ${unit.ActiveState} (${unit.SubState}), ${unit.UnitFileState || 'not enabled'}`,
          ...(unit.MainPID === '0' ? [] : [`process   ${unit.MainPID}, started again ${unit.NRestarts} times`]),
          ...(unit.StatusText === '' ? [] : [`says      ${unit.StatusText}`]),
          ...(unit.Result === '' || unit.Result === 'success' ? [] : [`ended     ${unit.Result}`]),
        ]),
  ].join('\n')

const FILE_WORDS = { current: 'installed', other: 'outdated', foreign: 'not ours', absent: 'absent' } as const
