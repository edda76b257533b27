// An agent as a process of its own, and how long it took until it said what it does.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { controlClient } from '@updraft/core/control/client'
import { homeOf } from '@updraft/core/control/home'
import type { Daemon } from './competitors.ts'

export const startAgent = async (program: string, home: string): Promise<Daemon> => {
  const environment = { UPDRAFT_HOME: home }
  const client = controlClient(homeOf(environment).socketPath)
  const log = openSync(join(home, 'agent.log'), 'w')
  const begin = performance.now()
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, 'run'], {
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'ignore', log],
  })
  closeSync(log)
  const ended = once(child, 'exit')
  while (!(await isAnswering(client))) {
    if (child.exitCode !== null) throw new Error(`the agent ended with ${child.exitCode} before it answered`)
    await setTimeout(2)
  }
  return {
    pid: child.pid ?? 0,
    toFirstAnswerMs: performance.now() - begin,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

const isAnswering = (client: ReturnType<typeof controlClient>): Promise<boolean> =>
  client.status().then(
    () => true,
    () => false, // Not yet.
  )
