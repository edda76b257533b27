// An agent as a process of its own, started as its systemd unit starts it or as a person does, and how long it took until it said what
// it does.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { serviceFiles } from '@updraft/agent/service/systemd-units'
import { controlClient } from '@updraft/core/control/client'
import { homeOf } from '@updraft/core/control/home'
import type { Daemon } from './competitors.ts'

export interface Way {
  readonly name: string
  readonly program: string
  /** What the system is told in the unit about memory and the compiled program holds here too. */
  readonly asService: boolean
}

export const startAgent = async ({ program, asService }: Way, home: string): Promise<Daemon> => {
  const environment = { UPDRAFT_HOME: home, ...(asService ? environmentOfUnit(join(home, 'cache')) : {}) }
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

const environmentOfUnit = (cacheDirectory: string): Readonly<Record<string, string>> => {
  const units = serviceFiles({ scope: 'system', command: [], userUnitDirectory: '' }).map(({ text }) => text)
  const lines = [...units.join('\n').matchAll(/^Environment=(.*)$/gm)].flatMap(([, line = '']) => line.split(' '))
  return Object.fromEntries(
    lines
      .filter((variable) => /^(MALLOC|NODE)_/.test(variable))
      .map((variable) => {
        const at = variable.indexOf('=')
        return [variable.slice(0, at), variable.slice(at + 1).replace('%C', cacheDirectory)]
      }),
  )
}

const isAnswering = (client: ReturnType<typeof controlClient>): Promise<boolean> =>
  client.status().then(
    () => true,
    () => false, // Not yet.
  )
