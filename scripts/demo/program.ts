// Runs the two programs as they are run by hand: separate processes, real arguments, exit codes. Shared by `npm start` and
// by the system tests.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { PROJECT } from '../steps.ts'

export type ProgramName = 'updraft-publisher' | 'updraft-agent'

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>
  /** Where the program's standard error goes: shown as it comes, or kept for the error. */
  readonly errors?: 'show' | 'keep'
  readonly signal?: AbortSignal
  /** The folder that it is started in. */
  readonly cwd?: string
  /** A command that runs another one, in front of it: `ip netns exec NAME`. */
  readonly within?: readonly string[]
}

export interface Finished {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

const pathOf = (program: ProgramName): string =>
  join(PROJECT, program === 'updraft-agent' ? 'agent' : 'publisher', 'bin', `${program}.mjs`)

const start = (program: ProgramName, args: readonly string[], options: RunOptions): ChildProcess => {
  const command = [process.execPath, '--disable-warning=ExperimentalWarning', pathOf(program), ...args]
  const [file = '', ...rest] = [...(options.within ?? []), ...command]
  return spawn(file, rest, {
    env: { ...process.env, ...options.environment },
    stdio: ['ignore', 'pipe', options.errors === 'show' ? 'inherit' : 'pipe'],
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  })
}

/** Runs a command to its end, whatever its exit code. */
export const runProgram = async (
  program: ProgramName,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> => {
  const child = start(program, args, options)
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (data: Buffer) => {
    stdout += data
  })
  child.stderr?.on('data', (data: Buffer) => {
    stderr += data
  })
  const [code] = (await once(child, 'close')) as [number | null]
  return { exitCode: code ?? 1, stdout, stderr }
}

/** Runs a command with `--json` that must succeed, and returns its last line, parsed. */
export const runForJson = async (
  program: ProgramName,
  args: readonly string[],
  options: RunOptions = {},
): Promise<unknown> => {
  const finished = await runProgram(program, [...args, '--json'], options)
  if (finished.exitCode !== 0) {
    throw new Error(
      `${program} ${args.join(' ')} ended with ${finished.exitCode}\n${finished.stdout}${finished.stderr}`,
    )
  }
  return JSON.parse(finished.stdout.trim().split('\n').at(-1) ?? '')
}

/** A program that stays up. */
export interface Running {
  readonly pid: number
  /** What it has written to standard error so far (empty with `errors: 'show'`). */
  readonly stderr: () => string
  readonly exited: Promise<number>
  /** Asks it to end, and waits; after ten seconds it is killed, which counts as a failure. */
  stop(): Promise<void>
  kill(): Promise<void>
}

/**
 * Starts a program that stays up, and waits until it is ready: until `isReady` says so, or, without one, until its first line
 * on standard output, which is the answer's `firstLine`.
 */
export const startProgram = async (
  program: ProgramName,
  args: readonly string[],
  options: RunOptions & { readonly isReady?: () => Promise<boolean> } = {},
): Promise<Running & { readonly firstLine: string }> => {
  const child = start(program, args, options)
  let stderr = ''
  child.stderr?.on('data', (data: Buffer) => {
    stderr += data
  })
  let ended = false
  const exited = once(child, 'close').then(([code, signal]) => {
    ended = true
    return (code as number | null) ?? (signal === null ? 1 : 128)
  })
  const lines = createInterface({ input: child.stdout ?? process.stdin })
  // A program may speak before anybody asks; lines that nobody reads are drained so that a full pipe never stops it.
  const line = new Promise<string>((resolve) => lines.on('line', resolve))
  const poll = async (isReady: () => Promise<boolean>): Promise<string> => {
    while (!ended && !(await isReady())) await setTimeout(20)
    return ''
  }
  const firstLine = await Promise.race([
    options.isReady === undefined ? line : poll(options.isReady),
    exited.then((code) => {
      throw new Error(`${program} ${args.join(' ')} ended with ${code} before it was ready\n${stderr}`)
    }),
  ])
  return {
    firstLine,
    pid: child.pid ?? 0,
    stderr: () => stderr,
    exited,
    kill: async () => {
      child.kill('SIGKILL')
      await exited
    },
    stop: async () => {
      child.kill('SIGTERM')
      const late = new AbortController()
      const kill = setTimeout(10_000, undefined, { signal: late.signal }).then(() => child.kill('SIGKILL'))
      kill.catch(() => {}) // Stopped in time.
      const code = await exited
      late.abort()
      if (code !== 0) throw new Error(`${program} ${args[0]} did not end cleanly (${code})\n${stderr}`)
    },
  }
}
