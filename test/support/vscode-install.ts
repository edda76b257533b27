// Installs a real VS Code server (the one inside the npm package `code-server`) into a cache folder outside the project:
// once per version, whole or not at all, also when two test processes ask for it at the same time.
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { hasCode } from '@updraft/core/errors'
import { type Lock, takeLock } from '@updraft/core/files/lock'

/**
 * The oldest VS Code that the extension promises to run in, and the newest that could be tested. The oldest runs on the
 * Node that it shipped with (20), which lacks things that the sources use everywhere else; the newest on the project's own.
 */
const LANES = {
  floor: { codeServer: '4.100.3', node: '20.19.0' },
  latest: { codeServer: '4.139.1', node: undefined },
} as const
export type Lane = keyof typeof LANES

export interface VscodeInstallation {
  /** Contains `out/server-main.js`. */
  readonly server: string
  /** The Node to run it with. */
  readonly node: string
}

/** A cold installation takes a minute; two of them on a busy machine, and a slow registry, take several. */
export const INSTALL_TIMEOUT_MS = 900_000

/**
 * The VS Code server of a lane, installed first if it is not there yet.
 *
 * Errors: whatever npm printed, if one of its steps fails.
 */
export const installVscode = async (lane: Lane): Promise<VscodeInstallation> => {
  const { codeServer: version, node } = LANES[lane]
  const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'updraft-test', 'vscode')
  const folder = join(cache, version)
  const installation = {
    server: serverIn(folder),
    node: node === undefined ? process.execPath : join(folder, 'node_modules', NODE_PACKAGE, 'bin', 'node'),
  }
  if (existsSync(folder)) return installation

  await mkdir(cache, { recursive: true })
  using _lock = await waitForLock(cache, `${version}.lock`)
  if (existsSync(folder)) return installation // Another process was faster.

  await removeLeftovers(cache, version)
  const temporary = `${folder}.${randomBytes(4).toString('hex')}.tmp`
  await mkdir(temporary)
  await installInto(temporary, version, node)
  await rename(temporary, folder)
  return installation
}

/** Holds nothing but the binary, so it needs no install script. */
const NODE_PACKAGE = `node-${process.platform}-${process.arch}`
const serverIn = (folder: string): string => join(folder, 'node_modules', 'code-server', 'lib', 'vscode')

const installInto = async (folder: string, version: string, node: string | undefined): Promise<void> => {
  process.stderr.write(`installing the VS Code server of code-server ${version} (once; about a minute)\n`)
  await writeFile(join(folder, 'package.json'), '{ "private": true }')
  const packages = [`code-server@${version}`, ...(node === undefined ? [] : [`${NODE_PACKAGE}@${node}`])]
  // code-server's own install script compiles things that no test needs, and would find no module of VS Code afterwards.
  await npm(folder, 'install', '--ignore-scripts', '--no-audit', '--no-fund', ...packages)
  const server = serverIn(folder)
  await npm(server, 'install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund')
  // Without this native module everything else works, but every log channel stays silently empty.
  await npm(server, 'rebuild', '@vscode/spdlog')
}

const npm = (cwd: string, ...args: string[]): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn('npm', args, { cwd, env: environmentForNpm(), stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (data: Buffer) => (output += data))
    child.stderr.on('data', (data: Buffer) => (output += data))
    child.on('error', reject)
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(`npm ${args.join(' ')} ended with ${code}:\n${output.slice(-4_000)}`)),
    )
  })

/** Tests often run below an `npm test`, whose own settings (prefix, workspace) must not reach this other project. */
const environmentForNpm = (): NodeJS.ProcessEnv => {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^npm_(package|lifecycle|config_(local_)?prefix)/i.test(name),
  )
  const headers = nodeWithHeaders()
  return { ...(headers === undefined ? {} : { npm_config_nodedir: headers }), ...Object.fromEntries(own) }
}

/**
 * Prefix of an installed Node that has its headers beside it: npm's own Node has none, and node-gyp would download some.
 * spdlog uses Node-API, so the headers of any version will do.
 */
const nodeWithHeaders = (): string | undefined =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => dirname(folder))
    .find((prefix) => existsSync(join(prefix, 'bin', 'node')) && existsSync(join(prefix, 'include/node/common.gypi')))

const waitForLock = async (folder: string, name: string): Promise<Lock> => {
  const deadline = Date.now() + INSTALL_TIMEOUT_MS
  for (;;) {
    try {
      return takeLock(folder, name)
    } catch (error) {
      if (!hasCode(error, 'LOCKED') || Date.now() > deadline) throw error
      await delay(250) // Another process is installing; it cannot tell us when it has finished.
    }
  }
}

/** An installation that was killed left its temporary folder; whoever holds the lock may take it away. */
const removeLeftovers = async (cache: string, version: string): Promise<void> => {
  for (const name of await readdir(cache)) {
    if (name.startsWith(`${version}.`) && name.endsWith('.tmp')) await rm(join(cache, name), { recursive: true })
  }
}
