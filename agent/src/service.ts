// Makes the agent a service of systemd, removes it again, and says how it is. Touches the files of the service only where
// they are ours; settings, state and what is installed stay whatever happens here.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Environment } from '@updraft/core/control/home'
import { fromFileSystem, systemCodeOf, UpdateError } from '@updraft/core/errors'
import { makeDirectory, readFileIfThere, syncDirectory, writeFileAtomic } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import {
  type Scope,
  SERVICE_UNIT,
  type ServiceFile,
  SOCKET_UNIT,
  serviceFiles,
  WRITTEN_BY,
} from './service/systemd-units.ts'

/** The machine, as far as services are concerned. */
export interface ServiceHost {
  readonly uid: number
  /** Where its files are: `/`. */
  readonly root: string
  /** Whether systemd runs this machine. */
  readonly hasSystemd: boolean
  /** Runs a program to its end. Errors: SERVICE_FAILED if it is not there. */
  readonly run: (program: string, args: readonly string[]) => Promise<Ran>
}

export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface ServiceOptions {
  readonly host: ServiceHost
  readonly scope: Scope
  readonly command: readonly string[]
  /** Files that the service must be able to read; without it every path in the command. */
  readonly files?: readonly string[] | undefined
  readonly userUnitDirectory: string
  /** Below this folder, for another system than the running one: nothing is started. */
  readonly root: string | undefined
  /** Also over, or away with, a file of somebody else. */
  readonly replace: boolean
}

export interface Installed {
  readonly written: readonly string[]
  readonly unchanged: readonly string[]
  readonly started: boolean
}

/**
 * Writes the files of the service and starts it. Doing so again changes nothing, and restarts only what has changed.
 *
 * Errors: PERMISSION if this is not root's to do, or the service could not read the program; SERVICE_CONFLICT if a file is
 *         there that is not ours, before anything was written; SERVICE_FAILED, DISK_FULL, IO.
 */
export const installService = async (options: ServiceOptions): Promise<Installed> => {
  const { scope, host, root, command, replace, files: needed = command } = options
  if (root === undefined) {
    assertMay(options, 'install')
    if (scope === 'system') await assertEveryoneReads(needed)
  }
  const files = await readFiles(options)
  const foreign = files.find(({ found }) => found !== undefined && !isOurs(found))
  if (foreign !== undefined && !replace) throw conflict(foreign.path, 'written')
  const changed = files.filter(({ found, text }) => found !== text)
  for (const { path, text } of changed) {
    await makeDirectory(dirname(path))
    await writeFileAtomic(path, text)
  }
  if (root === undefined) await start(host, scope, changed.length > 0)
  return {
    written: changed.map(({ path }) => path),
    unchanged: files.filter((file) => !changed.includes(file)).map(({ path }) => path),
    started: root === undefined,
  }
}

/**
 * Stops the service and removes its files, and says which. No service is nothing to do.
 *
 * Errors: PERMISSION, SERVICE_CONFLICT (nothing was done then), SERVICE_FAILED, IO.
 */
export const uninstallService = async (options: ServiceOptions): Promise<readonly string[]> => {
  const { host, scope, root, replace } = options
  if (root === undefined) assertMay(options, 'uninstall')
  const files = (await readFiles(options)).filter(({ found }) => found !== undefined)
  const foreign = files.find(({ found }) => found !== undefined && !isOurs(found))
  if (foreign !== undefined && !replace) throw conflict(foreign.path, 'removed')
  const units = files.filter(({ path }) => path.endsWith(SERVICE_UNIT) || path.endsWith(SOCKET_UNIT))
  if (root === undefined && units.length > 0) {
    await systemctl(host, scope, 'disable', '--now', SOCKET_UNIT, SERVICE_UNIT)
  }
  for (const { path } of files.toReversed()) {
    try {
      await rm(path)
      await syncDirectory(dirname(path))
    } catch (error) {
      throw fromFileSystem(error, `cannot remove ${path}`)
    }
  }
  if (root === undefined && units.length > 0) await systemctl(host, scope, 'daemon-reload')
  return files.map(({ path }) => path)
}

export interface FileState {
  readonly path: string
  /** `other` is a file of ours with other content, as of another version; `foreign` is somebody else's. */
  readonly state: 'current' | 'other' | 'foreign' | 'absent'
}

export interface ServiceState {
  readonly files: readonly FileState[]
  /** What systemd says; undefined if it could not be asked, or is not to be (below a root). */
  readonly unit: Readonly<Record<(typeof PROPERTIES)[number], string>> | undefined
}

/** `systemctl show` has more than a hundred properties; these are the ones that answer questions. */
const PROPERTIES = [
  'LoadState',
  'UnitFileState',
  'ActiveState',
  'SubState',
  'StatusText',
  'MainPID',
  'NRestarts',
  'Result',
] as const

/** Errors: PERMISSION, IO. */
export const stateOfService = async (options: ServiceOptions): Promise<ServiceState> => ({
  files: (await readFiles(options)).map(({ path, text, found }) => ({
    path,
    state: found === undefined ? 'absent' : !isOurs(found) ? 'foreign' : isSame(found, text) ? 'current' : 'other',
  })),
  unit: options.root === undefined && options.host.hasSystemd ? await show(options.host, options.scope) : undefined,
})

/** This very machine. */
export const thisHost = (uid: number, environment: Environment): ServiceHost => ({
  uid,
  root: '/',
  hasSystemd: existsSync('/run/systemd/system'), // sd_booted(3)
  run: (program, args) =>
    new Promise((resolve, reject) => {
      execFile(program, args, { env: { ...environment, SYSTEMD_PAGER: '' } }, (error, stdout, stderr) => {
        if (systemCodeOf(error) === 'ENOENT') {
          reject(new UpdateError('SERVICE_FAILED', `there is no program ${program}`, { cause: error }))
        } else resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr })
      })
    }),
})

interface FoundFile extends ServiceFile {
  /** What is there now. */
  readonly found: string | undefined
}

const readFiles = ({
  host,
  scope,
  command,
  userUnitDirectory,
  root = host.root,
}: ServiceOptions): Promise<readonly FoundFile[]> =>
  Promise.all(
    serviceFiles({ scope, command, userUnitDirectory }).map(async ({ path, text }) => {
      const place = join(root, path)
      return { path: place, text, found: (await readFileIfThere(place, LIMITS.settingsLengthBytes))?.toString('utf8') }
    }),
  )

const isOurs = (text: string): boolean => text.startsWith(WRITTEN_BY)

/** Which program is run is the choice of whoever installed it. */
const isSame = (a: string, b: string): boolean => withoutProgram(a) === withoutProgram(b)
const withoutProgram = (text: string): string => text.replace(/^ExecStart=.*$/m, '')

const conflict = (path: string, what: string): UpdateError =>
  new UpdateError('SERVICE_CONFLICT', `${path} was not written by this program, so nothing is ${what}`, {
    hint: 'look at it; --replace goes ahead all the same',
  })

const assertMay = ({ host, scope }: ServiceOptions, what: string): void => {
  if (!host.hasSystemd) {
    throw new UpdateError('SERVICE_FAILED', 'systemd does not run this machine', {
      hint: 'updraft-agent service install --print shows the files; --root DIR writes them below a folder',
    })
  }
  if (scope === 'system' && host.uid !== 0) {
    throw new UpdateError('PERMISSION', `only root can ${what} the service of this machine`, {
      hint: `use sudo, or --user for a service of your own`,
    })
  }
}

/** A program in somebody's home is the usual reason why a service does not start, and systemd says only 203/EXEC. */
const assertEveryoneReads = async (command: readonly string[]): Promise<void> => {
  for (const file of command.filter((word) => word.startsWith('/'))) {
    const closed = /^\/(home|root|run\/user)(?=\/)/.exec(file)?.[0] ?? (await firstClosed(file))
    if (closed === undefined) continue
    throw new UpdateError(
      'PERMISSION',
      `the user of the service cannot read ${file}, because ${closed} is closed to it`,
      {
        hint: 'put Node and the agent where everyone can read them, such as /usr/local; or use --user',
      },
    )
  }
}

/** The file, or the first folder on the way to it, that is closed to others. */
const firstClosed = async (file: string): Promise<string | undefined> => {
  const parents = file.split('/').map((_, index, names) => names.slice(0, index + 1).join('/') || '/')
  for (const path of parents) {
    const { mode } = await stat(path).catch((error: unknown) => {
      throw fromFileSystem(error, `cannot look at ${file}`)
    })
    const needed = path === file ? 0o004 : 0o001
    if ((mode & needed) === 0) return path
  }
  return undefined
}

const start = async (host: ServiceHost, scope: Scope, isChanged: boolean): Promise<void> => {
  if (scope === 'system') {
    await runOrFail(host, 'systemd-sysusers', ['updraft.conf'])
    await runOrFail(host, 'systemd-tmpfiles', ['--create', 'updraft.conf'])
  }
  await systemctl(host, scope, 'daemon-reload')
  await systemctl(host, scope, 'enable', SOCKET_UNIT, SERVICE_UNIT)
  await systemctl(host, scope, 'start', SOCKET_UNIT)
  await systemctl(host, scope, isChanged ? 'restart' : 'start', SERVICE_UNIT)
}

const show = async (host: ServiceHost, scope: Scope): Promise<ServiceState['unit']> => {
  const { code, stdout } = await host.run('systemctl', [
    ...(scope === 'user' ? ['--user'] : []),
    'show',
    SERVICE_UNIT,
    `--property=${PROPERTIES.join(',')}`,
  ])
  if (code !== 0) return undefined
  const values = new Map(stdout.split('\n').map((line) => [line.split('=', 1)[0], line.slice(line.indexOf('=') + 1)]))
  return Object.fromEntries(PROPERTIES.map((name) => [name, values.get(name) ?? ''])) as ServiceState['unit']
}

const systemctl = (host: ServiceHost, scope: Scope, ...args: string[]): Promise<void> =>
  runOrFail(host, 'systemctl', [...(scope === 'user' ? ['--user'] : []), ...args])

const runOrFail = async (host: ServiceHost, program: string, args: readonly string[]): Promise<void> => {
  const { code, stderr } = await host.run(program, args)
  if (code === 0) return
  const why = stderr.trim().split('\n')[0] ?? ''
  throw new UpdateError('SERVICE_FAILED', `${program} ${args.join(' ')} ended with ${code}: ${why}`, {
    hint: `see: journalctl ${args.includes('--user') ? '--user ' : ''}-u ${SERVICE_UNIT}`,
  })
}
