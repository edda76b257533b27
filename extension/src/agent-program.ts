// The agent's own program, which ships inside the extension: finds a Node that can run it, starts it in the background, and
// runs its commands. Always with a list of arguments, never through a shell; never knows VS Code.
import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { delimiter, isAbsolute, join } from 'node:path'
import { EXIT_CODES, UpdateError } from '@updraft/core/errors'

export interface AgentProgramOptions {
  /** `updraft-agent.mjs`. */
  readonly file: string
  /** What the setting says; empty to look for one. */
  readonly nodePath: string
  readonly environment: NodeJS.ProcessEnv
  /** The runtime that VS Code itself runs on, which may be new enough. */
  readonly ownRuntime?: string
}

export interface Finished {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** What the agent needs: `node:sqlite` without a flag, zstd, and a Node that its authors have tried. */
const PROBE = `
if (+process.versions.node.split('.')[0] < 24) process.exit(3)
require('node:sqlite'); require('node:zlib').zstdCompressSync('x')
`
const PROBE_TIMEOUT_MS = 10_000
/** Enough for any answer of a command; what is more is a mistake. */
const OUTPUT_LENGTH_MAX = 4 * 1024 * 1024
/** An installation waits for its bytes; the agent goes on with it even when nobody waits any more. */
const COMMAND_TIMEOUT_MS = 15 * 60_000

/**
 * The first Node that can run the agent: the one of the setting alone; else VS Code's own runtime, then those on the PATH and
 * in the usual places.
 *
 * Errors: USAGE if there is none, with what was tried.
 */
export const findNode = async ({ nodePath, environment, ownRuntime }: AgentProgramOptions): Promise<string> => {
  if (nodePath !== '' && !isAbsolute(nodePath)) {
    throw new UpdateError('USAGE', `the setting updraft.nodePath is not an absolute path: ${nodePath}`)
  }
  const candidates =
    nodePath === '' ? [...(ownRuntime === undefined ? [] : [ownRuntime]), ...nodesOf(environment)] : [nodePath]
  for (const candidate of candidates) {
    if (await canRunAgent(candidate, environment)) return candidate
  }
  throw new UpdateError('USAGE', `no Node.js 24 or newer was found; tried ${candidates.join(', ') || 'nothing'}`, {
    hint: 'install Node.js 24 or newer, or set updraft.nodePath to one',
  })
}

const nodesOf = ({ PATH = '', HOME = '' }: NodeJS.ProcessEnv): readonly string[] => {
  const name = process.platform === 'win32' ? 'node.exe' : 'node'
  const folders = [
    ...PATH.split(delimiter).filter(isAbsolute),
    '/usr/local/bin',
    '/opt/homebrew/bin',
    ...(HOME === '' ? [] : [join(HOME, '.volta/bin'), join(HOME, '.local/bin')]),
  ]
  return [...new Set(folders.map((folder) => join(folder, name)))].filter((path) => existsSync(path))
}

const canRunAgent = async (node: string, environment: NodeJS.ProcessEnv): Promise<boolean> => {
  try {
    const { exitCode } = await run(node, ['-e', PROBE], environment, PROBE_TIMEOUT_MS)
    return exitCode === 0
  } catch {
    return false // It is not there, or not a program: the next one may be.
  }
}

/**
 * Runs a command of the agent's program to its end.
 *
 * Errors: USAGE if there is no Node for it; IO if it cannot be started or does not end.
 */
export const runAgentCommand = async (options: AgentProgramOptions, args: readonly string[]): Promise<Finished> =>
  run(await findNode(options), [options.file, ...args], options.environment, COMMAND_TIMEOUT_MS)

/**
 * Starts the agent in the background. It stays when VS Code is closed, and writes its log to `logFile`.
 *
 * Errors: USAGE if there is no Node for it; IO if it ended at once, with its last lines.
 */
export const startAgent = async (
  options: AgentProgramOptions,
  { logFile, isReady }: { readonly logFile: string; readonly isReady: () => Promise<boolean> },
): Promise<void> => {
  const node = await findNode(options)
  const log = openSync(logFile, 'a', 0o600)
  const child = spawn(node, [options.file, 'run'], {
    env: environmentFor(options.environment),
    detached: true,
    stdio: ['ignore', log, log],
  })
  closeSync(log)
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code) =>
      reject(new UpdateError('IO', `the agent ended at once with ${code ?? 'a signal'}`, { hint: `see ${logFile}` })),
    )
  })
  ended.catch(() => {}) // Once it runs, its end is seen by whoever follows its socket.
  const over = new AbortController()
  try {
    await Promise.race([ended, untilReady(isReady, over.signal)])
  } finally {
    over.abort()
    child.unref()
  }
}

const READY_POLL_MS = 100
const READY_TIMEOUT_MS = 30_000

const untilReady = async (isReady: () => Promise<boolean>, signal: AbortSignal): Promise<void> => {
  const deadline = Date.now() + READY_TIMEOUT_MS
  while (!signal.aborted && !(await isReady())) {
    if (Date.now() > deadline) throw new UpdateError('IO', 'the agent was started and does not answer')
    await new Promise((resolve) => setTimeout(resolve, READY_POLL_MS))
  }
}

const run = (
  program: string,
  args: readonly string[],
  environment: NodeJS.ProcessEnv,
  timeoutMs: number,
): Promise<Finished> =>
  new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      env: environmentFor(environment),
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: timeoutMs,
    })
    const output = { stdout: '', stderr: '' }
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (text: string) => {
        if (output[name].length < OUTPUT_LENGTH_MAX) output[name] += text
      })
    }
    child.once('error', (error) => reject(new UpdateError('IO', `cannot run ${program}`, { cause: error })))
    child.once('close', (code) => resolve({ exitCode: code ?? EXIT_CODES.interrupted, ...output }))
  })

/** Nothing of VS Code's own; its runtime is a Node only when it is told to be one. */
const environmentFor = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(
    Object.entries(environment).filter(([name]) => !/^(VSCODE_|ELECTRON_|NODE_OPTIONS$)/.test(name)),
  ),
  ELECTRON_RUN_AS_NODE: '1',
})
