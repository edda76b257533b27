// A real agent as a process of its own, on a home of the test's.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { controlClient } from '@updraft/core/control/client'
import { homeOf } from '@updraft/core/control/home'

const PROGRAM = join(import.meta.dirname, '../../agent/bin/updraft-agent.mjs')
const START_TIMEOUT_MS = 30_000

/** Starts the agent and waits until it answers. Ends with it, and fails if it does not end cleanly. */
export const startAgent = async (home: string): Promise<AsyncDisposable> => {
  const environment = { ...process.env, UPDRAFT_HOME: home }
  const child = spawn(process.execPath, [PROGRAM, 'run'], { env: environment, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (data: Buffer) => (output += data))
  child.stderr.on('data', (data: Buffer) => (output += data))
  const exited = once(child, 'exit') as Promise<[code: number | null]>

  const client = controlClient(homeOf({ UPDRAFT_HOME: home }).socketPath)
  const deadline = Date.now() + START_TIMEOUT_MS
  while (
    !(await client.status().then(
      () => true,
      () => false,
    ))
  ) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`the agent did not start:\n${output}`)
    await delay(50) // It tells nobody when it listens.
  }
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      const [code] = await exited
      if (code !== 0 && code !== 130 && code !== null) throw new Error(`the agent ended with ${code}:\n${output}`)
    },
  }
}
