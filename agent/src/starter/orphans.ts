// Ends agents whose starter was killed: they end by themselves when they notice, but one that hangs would keep the home for
// ever. Linux only, from /proc; elsewhere a service manager has to see to it.
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'

/** In the environment of every agent that is started; its value is the product's folder. */
export const STARTED_BELOW = 'UPDRAFT_STARTED_BELOW'

/** Waits for their end for as long as an agent may take to stop, then ends them at once. */
export const endOrphans = async (productFolder: string): Promise<void> => {
  if (process.platform !== 'linux') return
  const deadlineMs = Date.now() + GRACE_MS
  for (;;) {
    const pids = orphansOf(`\0${STARTED_BELOW}=${productFolder}\0`)
    if (pids.length === 0) return
    if (Date.now() > deadlineMs) for (const pid of pids) kill(pid)
    await wait(100)
  }
}

const GRACE_MS = 20_000

const orphansOf = (entry: string): readonly number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter(
      (pid) => pid > 1 && pid !== process.pid && `\0${textOf(pid, 'environ')}`.includes(entry) && !hasStarter(pid),
    )

/** The agent of another starter, which runs, is no orphan: it says itself that the home is taken. */
const hasStarter = (pid: number): boolean => {
  const parent = Number(/^PPid:\s+(\d+)$/m.exec(textOf(pid, 'status'))?.[1])
  return textOf(parent, 'cmdline').includes('updraft-starter')
}

const textOf = (pid: number, name: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return '' // It has ended, or belongs to somebody else.
  }
}

const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}
