// Runs one version of the agent as a child, until it ends: hands over what a service manager has handed to the starter, passes
// signals on, and listens for its sign of good health. One that gives none in time is killed.
import { type ChildProcess, spawn } from 'node:child_process'
import { STARTED_BELOW } from './orphans.ts'
import type { LeftVersion } from './record.ts'

/**
 * What the child is told, in the variable `UPDRAFT_STARTER`; it answers over Node's IPC channel with a StarterMessage.
 * Both ends only ever grow: the starter is not updated.
 */
export interface StarterGreeting {
  /** Folder below `products/`. */
  readonly product: string
  /** Folder below `versions/`; absent for an agent from elsewhere. */
  readonly version?: string
  readonly left: readonly LeftVersion[]
}

export type StarterMessage =
  /** Its control socket has answered, and its journal was written to. */
  | { readonly updraft: 'healthy' }
  /** It has written down that these were left. */
  | { readonly updraft: 'noted'; readonly versions: readonly string[] }

export interface AgentRun {
  readonly productFolder: string
  readonly program: string
  readonly args: readonly string[]
  readonly greeting: StarterGreeting
  /** Undefined waits for ever. */
  readonly healthTimeoutMs: number | undefined
  readonly onHealthy: () => void
  readonly onNoted: (versions: readonly string[]) => void
  /** Aborted when the starter is told to stop, with the name of the signal. */
  readonly stop: AbortSignal
}

export interface AgentEnd {
  /** Undefined if a signal ended it. */
  readonly code: number | undefined
  readonly wasHealthy: boolean
  /** As the end of a sentence. */
  readonly how: string
}

export const runAgent = (run: AgentRun): Promise<AgentEnd> =>
  new Promise((resolve) => {
    const { productFolder, program, args, greeting, healthTimeoutMs, stop } = run
    let wasHealthy = false
    let isLate = false
    const child = spawn(process.execPath, [program, ...args], {
      env: { ...process.env, UPDRAFT_STARTER: JSON.stringify(greeting), [STARTED_BELOW]: productFolder },
      // The fourth is where a service manager puts the socket that it has opened.
      stdio: ['inherit', 'inherit', 'inherit', process.env.LISTEN_FDS === undefined ? 'ignore' : 3, 'ipc'],
      // A group of its own: Ctrl-C reaches it once, through the starter.
      detached: true,
    })
    const onLate = () => {
      isLate = true
      child.kill('SIGKILL')
    }
    const late = healthTimeoutMs === undefined ? undefined : setTimeout(onLate, healthTimeoutMs)
    const onStop = () => end(child, stop.reason)
    stop.addEventListener('abort', onStop, { once: true })
    if (stop.aborted) onStop()

    const settle = (code: number | undefined, how: string) => {
      clearTimeout(late)
      stop.removeEventListener('abort', onStop)
      const silent = `gave no sign of good health within ${(healthTimeoutMs ?? 0) / 1_000} s`
      resolve({ code, wasHealthy, how: isLate ? silent : how })
    }
    child.on('message', (message: Partial<StarterMessage> | null) => {
      if (message?.updraft === 'healthy') {
        clearTimeout(late)
        wasHealthy = true
        run.onHealthy()
      } else if (message?.updraft === 'noted' && Array.isArray(message.versions)) run.onNoted(message.versions)
    })
    child.once('error', (error) => settle(undefined, `could not be started: ${error.message}`))
    child.once('exit', (code, signal) =>
      settle(code ?? undefined, code === null ? `was ended by ${signal}` : `ended with exit code ${code}`),
    )
  })

const end = (child: ChildProcess, signal: NodeJS.Signals): void => {
  child.kill(signal)
  setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS).unref()
}

/** The agent itself gives up after 15 s. */
const STOP_DEADLINE_MS = 20_000
