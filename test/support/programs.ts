// Starting a program of the project as a process of its own, and waiting for what it says and how it ends.
import { type ChildProcess, spawn } from 'node:child_process'
import { bareEnvironment } from './bare-environment.ts'

export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Program extends AsyncDisposable {
  readonly child: ChildProcess
  /** Resolves once standard error has said `text`; rejects if the program ends without. */
  said(text: string): Promise<void>
  readonly ended: Promise<Ended>
}

export interface ProgramOptions {
  readonly environment?: Readonly<Record<string, string>>
  readonly uid?: number
}

/** Runs `file` on this Node. Disposing kills it if it still runs, and waits for its end. */
export const startProgram = (file: string, args: readonly string[], options?: ProgramOptions): Program =>
  startCommand(process.execPath, ['--disable-warning=ExperimentalWarning', file, ...args], options)

/** The same with any command. */
export const startCommand = (
  command: string,
  args: readonly string[],
  { environment = {}, uid }: ProgramOptions = {},
): Program => {
  const child = spawn(command, args, {
    env: { ...bareEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  let [stdout, stderr] = ['', '']
  const heard = new Set<() => void>()
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
    for (const listen of heard) listen()
  })
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
  return {
    child,
    ended,
    said: (text) =>
      new Promise((resolve, reject) => {
        const listen = () => {
          if (stderr.includes(text)) resolve()
        }
        heard.add(listen)
        listen()
        ended.then(({ code }) => reject(new Error(`ended with ${code} before it said ${text}: ${stderr}`)), reject)
      }),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}

/** Runs the program to its end. */
export const runToEnd = (file: string, args: readonly string[], options?: ProgramOptions): Promise<Ended> =>
  startProgram(file, args, options).ended
