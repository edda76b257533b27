// The publisher's program as people and scripts start it: a process of its own, with real arguments, to its end.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { bareEnvironment } from '../support/bare-environment.ts'

export const PUBLISHER = join(import.meta.dirname, '../../publisher/bin/updraft-publisher.mjs')

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs it in `directory`, with next to nothing of this process's environment. */
export const runPublisher = async (
  directory: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Outcome> => {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PUBLISHER, ...args], {
    cwd: directory,
    env: { ...bareEnvironment(), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  return { code, stdout, stderr }
}

/** Runs a command that must succeed with `--json`, and returns what it printed, parsed. */
export const publisherJson = async <Result>(
  directory: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Result> => {
  const at = args.indexOf('--')
  const all = at < 0 ? [...args, '--json'] : [...args.slice(0, at), '--json', ...args.slice(at)]
  const { code, stdout, stderr } = await runPublisher(directory, all, environment)
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}\n${stdout}${stderr}`)
  return JSON.parse(stdout)
}
