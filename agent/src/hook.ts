// Runs a program that the owner of this machine has named, for a probe or to put a version into use: without a shell, for a
// bounded time, with bounded output, and leaves no process behind. Does not decide what an ending means.
import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import type { Readable } from 'node:stream'
import { messageOf } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import { endLeftovers, endNow, MARK } from './hook/leftovers.ts'
import { foreignerOf } from './settings/foreign.ts'
import type { ProgramCommand } from './settings/program.ts'

export interface HookOptions {
  /** A relative program is looked for in here, and only in here. */
  readonly directory: string
  /** Added to a minimal environment. */
  readonly environment: Readonly<Record<string, string>>
  /** The same for all programs that must not meet; what carries it is ended with the program. */
  readonly mark: string
  readonly timeMs: number
  /** What happens to a program that still runs then: asked to end, or ended at once. */
  readonly atTheEnd: 'ask' | 'kill'
  readonly signal: AbortSignal
}

/** How the program ended, by itself or not. */
export type Ending =
  | { readonly kind: 'exit'; readonly code: number }
  | { readonly kind: 'signal'; readonly name: string }
  /** It still ran when its time was over. */
  | { readonly kind: 'ran' }
  | { readonly kind: 'flooded' }
  | { readonly kind: 'not-started'; readonly why: string }

export interface Ended {
  readonly ending: Ending
  /** The last line of its output with something in it, without control characters; empty if there was none. */
  readonly lastLine: string
  /** The end of its standard output. */
  readonly stdout: string
}

/** Runs the program, and whatever it starts, to its end. Errors: ABORTED (the reason of the signal); then it is gone as well. */
export const runHook = async ([program, ...args]: ProgramCommand, options: HookOptions): Promise<Ended> => {
  const { directory, mark, signal } = options
  signal.throwIfAborted()
  try {
    const file = isAbsolute(program) ? program : join(directory, program)
    // As when the settings were read: it may have come, or changed hands, since.
    const foreigner = isAbsolute(program) ? await foreignerOf(program) : undefined
    if (foreigner !== undefined) return { ending: { kind: 'not-started', why: foreigner }, lastLine: '', stdout: '' }
    const child = spawn(file, args, {
      cwd: directory,
      env: { ...minimalEnvironment(), ...options.environment, [MARK]: mark },
      stdio: ['ignore', 'pipe', 'pipe'],
      shell: false,
      // A process group of its own, so that it can be ended with its children.
      detached: true,
    })
    const ended = await watch(child, options)
    signal.throwIfAborted()
    return ended
  } catch (error) {
    signal.throwIfAborted()
    return { ending: { kind: 'not-started', why: messageOf(error) }, lastLine: '', stdout: '' }
  } finally {
    await endLeftovers(mark)
  }
}

/** Nothing of the agent's own: what works only with what this agent was started with would fail after a reboot. */
const minimalEnvironment = (): Record<string, string> => ({
  PATH: '/usr/local/bin:/usr/bin:/bin',
  HOME: homedir(),
  LANG: 'C.UTF-8',
})

/** How it ended, as the end of a sentence. `ran` is for one that still ran when its time was over. */
export const wordsOfEnding = ({ ending, lastLine }: Ended, ran: string): string => {
  const said = lastLine === '' ? '' : `, and said last: ${lastLine}`
  switch (ending.kind) {
    case 'exit':
      return `ended with exit code ${ending.code}${said}`
    case 'signal':
      return `was ended by ${ending.name}${said}`
    case 'ran':
      return `${ran}${said}`
    case 'flooded':
      return `wrote more than ${LIMITS.hookOutputBytes} bytes and was killed${said}`
    case 'not-started':
      return `could not be started: ${ending.why}`
  }
}

const watch = async (
  child: ChildProcessByStdio<null, Readable, Readable>,
  { mark, timeMs, atTheEnd, signal }: HookOptions,
): Promise<Ended> => {
  let cut: Ending | undefined
  let impatient: NodeJS.Timeout | undefined
  const kill = () => endGroup(child, 'SIGKILL')
  const onFlood = () => {
    cut ??= { kind: 'flooded' }
    kill()
  }
  const output = keepTail(child, onFlood)
  const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const own = new Promise<Ending>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, name) =>
      resolve(name === null ? { kind: 'exit', code: code ?? 0 } : { kind: 'signal', name }),
    )
  })
  const timer = setTimeout(() => {
    cut ??= { kind: 'ran' }
    if (atTheEnd === 'kill') return kill()
    endGroup(child, 'SIGTERM')
    impatient = setTimeout(kill, LIMITS.hookEndGraceMs)
  }, timeMs)
  signal.addEventListener('abort', kill, { once: true })
  try {
    const ending = await own
    // Its children may hold its output open: only when they are gone as well, the last line is there.
    kill()
    await endLeftovers(mark)
    await Promise.race([closed, late(DRAIN_MS)])
    return { ending: cut ?? ending, lastLine: output.lastLine(), stdout: output.stdout() }
  } finally {
    clearTimeout(timer)
    clearTimeout(impatient)
    signal.removeEventListener('abort', kill)
    child.stdout.destroy()
    child.stderr.destroy()
  }
}

/** Where no process can be found by its mark, one may hold the output open for ever. */
const DRAIN_MS = 1_000

const late = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref())

const endGroup = (child: ChildProcess, signal: NodeJS.Signals): void => {
  if (child.pid === undefined) return
  if (process.platform === 'win32') child.kill(signal)
  else endNow(-child.pid, signal)
}

/** Keeps the end of what is written to each of both streams, and calls `onFlood` once if it is too much together. */
const keepTail = ({ stdout, stderr }: ChildProcessByStdio<null, Readable, Readable>, onFlood: () => void) => {
  const tails = new Map<Readable, Buffer>()
  let latest = stderr
  let lengthBytes = 0
  for (const stream of [stdout, stderr]) {
    stream.on('error', () => {}) // A broken pipe is the end of the output.
    stream.on('data', (data: Buffer) => {
      latest = stream
      lengthBytes += data.length
      tails.set(stream, Buffer.concat([tails.get(stream) ?? Buffer.alloc(0), data]).subarray(-TAIL_BYTES))
      if (lengthBytes <= LIMITS.hookOutputBytes) return
      for (const flooded of [stdout, stderr]) flooded.destroy()
      onFlood()
    })
  }
  const textOf = (stream: Readable) => (tails.get(stream) ?? Buffer.alloc(0)).toString('utf8')
  const lineOf = (stream: Readable) => lastLineOf(textOf(stream))
  return {
    lastLine: () => lineOf(latest) || lineOf(latest === stdout ? stderr : stdout),
    stdout: () => textOf(stdout),
  }
}

/** The names of a few thousand extensions, or of what else a program lists. */
const TAIL_BYTES = 128 * 1_024
const LINE_LENGTH_MAX = 200

const lastLineOf = (text: string): string =>
  text
    .split(/[\r\n]/)
    .map((line) => line.replaceAll(/[\p{Cc}\p{Cf}]/gu, ' ').trim())
    .findLast((line) => line !== '')
    ?.slice(0, LINE_LENGTH_MAX) ?? ''
