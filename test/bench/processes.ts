// The processes that benchmarks start and measure: one line of JSON for each thing that they say, and what the kernel
// counts of them.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

/** This Node, without lines about experiments. */
export const NODE = [process.execPath, '--disable-warning=ExperimentalWarning'] as const

/** Debian's Python is the one that has Debian's libtorrent. */
export const PYTHON = '/usr/bin/python3'

export interface Speaker {
  readonly child: ChildProcess
  /** The next line. Errors: throws if the process ended instead. */
  next<T>(): Promise<T>
  tell(line: string): void
  /** Closes its input, which asks it to end, and waits until it has; a while later it is killed. */
  stop(): Promise<void>
}

const GRACE_MS = 10_000

/** Starts a process that says what it has to say in JSON lines, and ends when its input is closed. */
export const startSpeaker = (command: readonly string[]): Speaker => {
  const [program = '', ...args] = command
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.on('error', () => {}) // It ended before it was told to; `next` says so.
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    child,
    next: async <T>() => {
      const { value, done } = await lines.next()
      if (done === true) throw new Error(`${command.join(' ')} ended too early`)
      return JSON.parse(value) as T
    },
    tell: (line) => void child.stdin.write(`${line}\n`),
    stop: async () => {
      child.stdin.end()
      if (child.exitCode !== null || child.signalCode !== null) return
      const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS)
      await once(child, 'exit')
      clearTimeout(timer)
    },
  }
}

export interface ProcessFigures {
  /** User and system time so far. */
  readonly cpuSeconds: number
  /** The most memory that it had at once. */
  readonly peakBytes: number
}

/** Of a running process, from /proc (clock ticks of 10 ms); undefined if it has just ended. */
export const figuresOf = (pid: number | undefined): ProcessFigures | undefined => {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ')
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100,
      peakBytes: Number(peak?.[1] ?? 0) * 1024,
    }
  } catch {
    return undefined
  }
}
