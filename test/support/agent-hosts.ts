// Runs of the agent's program in processes that may be killed over it: a few at once, each process used again until it is
// gone.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { RunEnd, RunOrder } from './faults.ts'

export interface AgentHosts extends AsyncDisposable {
  /** How the run ended; `killed` if its process was ended by SIGKILL. Errors: if the process ended in another way. */
  run(order: RunOrder): Promise<RunEnd | 'killed'>
}

const support = (name: string): string => join(import.meta.dirname, name)

/** `cache` is a folder in which they leave compiled sources for each other. */
export const openAgentHosts = (cache: string, count = 3): AgentHosts => {
  const all = new Set<ChildProcess>()
  const idle: ChildProcess[] = []
  const waiting: (() => void)[] = []
  let busy = 0

  const start = (): ChildProcess => {
    const host = fork(support('agent-host.ts'), {
      execArgv: ['--disable-warning=ExperimentalWarning', '--import', support('fault-disk.ts')],
      env: { ...process.env, NODE_COMPILE_CACHE: cache },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    all.add(host)
    return host
  }

  const runOn = (host: ChildProcess, order: RunOrder): Promise<RunEnd | 'killed'> =>
    new Promise((resolve, reject) => {
      const onMessage = (end: unknown) => {
        host.off('exit', onExit)
        idle.push(host)
        resolve(end as RunEnd)
      }
      const onExit = (code: number | null, signal: NodeJS.Signals | null) => {
        host.off('message', onMessage)
        all.delete(host)
        if (signal === 'SIGKILL') resolve('killed')
        else reject(new Error(`the agent's process ended with ${signal ?? code}`))
      }
      host.once('message', onMessage)
      host.once('exit', onExit)
      host.send(order)
    })

  return {
    run: async (order) => {
      if (busy === count) await new Promise<void>((resolve) => waiting.push(resolve))
      else busy += 1
      try {
        return await runOn(idle.pop() ?? start(), order)
      } finally {
        const next = waiting.shift()
        if (next === undefined) busy -= 1
        else next()
      }
    },
    [Symbol.asyncDispose]: async () => {
      const running = [...all].filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
      const ended = running.map((host) => once(host, 'exit'))
      for (const host of all) host.kill('SIGKILL')
      await Promise.all(ended)
    },
  }
}
