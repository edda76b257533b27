// Agents in mount namespaces of their own, in which a test may mount what it likes: a disk that is too small, one that can only
// be read. Nothing of it is seen outside, and all of it is gone with the agent.
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { type ControlClient, controlClient } from '@updraft/core/control/client'
import { PROJECT } from '../../scripts/steps.ts'
import type { Need } from './needs.ts'

export const needsMounts: Need = {
  name: 'mounts',
  met: spawnSync('unshare', ['-m', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0,
  why: 'no file system can be mounted here, not even in a namespace',
}

export interface MountedAgent extends AsyncDisposable {
  /** Copies its home, as it is in there, to a folder that is not there yet. */
  copyHome(to: string): void
  readonly client: ControlClient
  /** A shell line, with `$HOME_DIR`, among the agent's mounts. */
  mount(script: string): void
  readonly exited: Promise<number | null>
  readonly stderr: () => string
}

/** Runs `script` in a namespace of its own, and then the agent on `home`. */
export const startMounted = (home: string, script: string): MountedAgent => {
  const agent = join(PROJECT, 'agent/bin/updraft-agent.mjs')
  const node = `exec "${process.execPath}" --disable-warning=ExperimentalWarning "${agent}" run`
  const environment = { ...process.env, UPDRAFT_HOME: home, HOME_DIR: home }
  const child: ChildProcess = spawn('unshare', ['-m', 'sh', '-e', '-c', `${script}\n${node}`], {
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr?.on('data', (data: Buffer) => {
    stderr += data
  })
  const exited = once(child, 'exit').then(([code]) => code as number | null)
  const mount = (line: string): void => {
    execFileSync('nsenter', ['-t', String(child.pid), '-m', 'sh', '-e', '-c', line], { env: environment })
  }
  return {
    // Whoever resolves such a path ends outside again, as SQLite does: so files are looked at in a copy.
    client: controlClient(join('/proc', String(child.pid), 'root', home, 'agent.sock')),
    copyHome: (to) => mount(`cp -a "$HOME_DIR" "${to}"`),
    mount,
    exited,
    stderr: () => stderr,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await exited
    },
  }
}
