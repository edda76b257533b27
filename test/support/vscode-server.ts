// Starts a real VS Code server with one packaged extension installed, in folders of its own, and ends it with everything
// that it started. What is opened in it is the business of workbench.ts (the screen) and extension-host.ts (the API).
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { installVscode, type Lane } from './vscode-install.ts'

/** Generous, because two VS Codes, their browsers and other tests share two cores. */
const START_TIMEOUT_MS = 60_000
const END_TIMEOUT_MS = 10_000

export interface VscodeServer extends AsyncDisposable {
  readonly port: number
  /** A new, empty folder of this server's own, for workspaces and reports; removed at the end. */
  readonly folder: string
  readonly extensionsFolder: string
  /** Replaces the settings of the machine that the server runs on; VS Code notices. */
  readonly writeMachineSettings: (settings: Readonly<Record<string, unknown>>) => Promise<void>
}

export interface VscodeServerOptions {
  readonly lane: Lane
  /** The packaged extension to install. */
  readonly vsix: string
  /** User settings. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** The user's own keys. */
  readonly keybindings?: readonly { readonly key: string; readonly command: string }[]
  /** Reaches the extension host. */
  readonly environment?: Readonly<Record<string, string>>
}

export const startVscode = async (options: VscodeServerOptions): Promise<VscodeServer> => {
  const { server, node } = await installVscode(options.lane)
  const folder = await mkdtemp(join(tmpdir(), `updraft-vscode-${options.lane}-`))
  try {
    const args = await prepare(folder, server, options)
    const environment = environmentFor(folder, options.environment ?? {})
    const installing = startGroup(node, [...args, '--install-extension', options.vsix, '--force'], environment)
    await installing.ended
    await installing.end()
    if (!installing.output().includes('was successfully installed')) {
      throw new Error(`VS Code did not install the extension:\n${installing.output()}`)
    }

    const running = startGroup(node, [...args, '--host', '127.0.0.1', '--port', '0'], environment)
    try {
      const port = await portOf(running)
      return {
        port,
        folder,
        extensionsFolder: join(folder, 'ext'),
        writeMachineSettings: (settings) =>
          writeFile(join(folder, 'data', 'Machine', 'settings.json'), JSON.stringify(settings)),
        [Symbol.asyncDispose]: async () => {
          await running.end()
          await removeFolder(folder)
        },
      }
    } catch (error) {
      await running.end()
      throw error
    }
  } catch (error) {
    await removeFolder(folder)
    throw error
  }
}

const prepare = async (
  folder: string,
  server: string,
  { lane, settings = {}, keybindings = [] }: VscodeServerOptions,
): Promise<readonly string[]> => {
  await mkdir(join(folder, 'data', 'User'), { recursive: true })
  await mkdir(join(folder, 'data', 'Machine'), { recursive: true })
  await writeFile(join(folder, 'data', 'User', 'settings.json'), JSON.stringify(settings))
  await writeFile(join(folder, 'data', 'User', 'keybindings.json'), JSON.stringify(keybindings))
  return [
    join(server, 'out', 'server-main.js'),
    '--accept-server-license-terms',
    '--without-connection-token',
    '--disable-telemetry',
    // 1.139 ignores without it that tests are to be run; 1.100 shows no dialog with it.
    ...(lane === 'latest' ? ['--enable-smoke-test-driver'] : []),
    ...['--server-data-dir', join(folder, 'sd')],
    ...['--user-data-dir', join(folder, 'data')],
    ...['--extensions-dir', join(folder, 'ext')],
  ]
}

/** Nothing of the machine's own VS Code may reach this one, nor may this one ask a marketplace for anything. */
const environmentFor = (folder: string, added: Readonly<Record<string, string>>): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(VSCODE_|NODE_OPTIONS$|XDG_|UPDRAFT_)/.test(name)),
  ),
  HOME: folder,
  EXTENSIONS_GALLERY: '{}',
  ...added,
})

interface Group {
  readonly child: ChildProcess
  readonly output: () => string
  readonly ended: Promise<void>
  /** Ends the whole group: VS Code's extension host outlives its parent otherwise. */
  readonly end: () => Promise<void>
}

/**
 * Becomes the command that follows, beside a guard that ends the whole group once our end of standard input is closed:
 * also when the tests are killed, nothing of VS Code is left behind.
 */
const GUARDED = 'exec 3<&0; (cat <&3; kill -TERM 0) >/dev/null 2>&1 & exec "$@"'

const startGroup = (node: string, args: readonly string[], env: NodeJS.ProcessEnv): Group => {
  const child = spawn('sh', ['-c', GUARDED, 'sh', node, ...args], { env, detached: true })
  let output = ''
  child.stdout?.on('data', (data: Buffer) => (output += data))
  child.stderr?.on('data', (data: Buffer) => (output += data))
  const ended = new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', () => resolve())
  })
  return { child, output: () => output, ended, end: () => endGroup(child) }
}

const endGroup = async (child: ChildProcess): Promise<void> => {
  if (child.pid === undefined) return
  const deadline = Date.now() + END_TIMEOUT_MS
  let signal: NodeJS.Signals = 'SIGTERM'
  while (signalGroup(child.pid, signal)) {
    if (Date.now() > deadline) signal = 'SIGKILL'
    await delay(50) // Only the first of the group is our child; the others' ends cannot be waited for.
  }
}

/** False if nobody is left in the group. */
const signalGroup = (pid: number, signal: NodeJS.Signals): boolean => {
  try {
    return process.kill(-pid, signal)
  } catch {
    return false // ESRCH: the group is gone.
  }
}

const portOf = async (group: Group): Promise<number> => {
  const ready = new Promise<number>((resolve) => {
    group.child.stdout?.on('data', () => {
      const port = /Extension host agent listening on (\d+)/.exec(group.output())?.[1]
      if (port !== undefined) resolve(Number(port))
    })
  })
  const early = group.ended.then(() => {
    throw new Error(`the VS Code server ended at once:\n${group.output()}`)
  })
  const late = delay(START_TIMEOUT_MS, undefined, { ref: false }).then(() => {
    throw new Error(`the VS Code server did not start within ${START_TIMEOUT_MS} ms:\n${group.output()}`)
  })
  return await Promise.race([ready, early, late])
}

const removeFolder = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true, maxRetries: 5 })
