// Ends what a hook has left behind. A process that makes itself a session of its own escapes the group that it was started
// in, but it inherits an environment: so each hook carries a mark there, and whoever has it is found. Linux only, from /proc.
// Source: Jenkins does the same (ProcessTreeKiller and its cookie).
import { readdir, readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'

/** Variable of the environment that every process of a hook inherits. */
export const MARK = 'UPDRAFT_HOOK'

/** Ends all processes of this user that carry `mark`, however they were started, also by an agent that was killed since. */
export const endLeftovers = async (mark: string): Promise<void> => {
  const ended = new Set<number>()
  for (let round = 0; round < ROUNDS_MAX; round += 1) {
    const found = await processesWith(`\0${MARK}=${mark}\0`)
    if (found.length === 0) return
    for (const pid of found) endNow(pid)
    // On a busy machine it takes its time until one that was killed gets its turn to die.
    if (found.every((pid) => ended.has(pid))) await wait(DYING_MS)
    for (const pid of found) ended.add(pid)
  }
}

const DYING_MS = 50

/** One that forks faster than it is looked at is met again in the next round; this is no place to fight for ever. */
const ROUNDS_MAX = 50

/** Ends a process at once; for a negative number the whole process group. */
export const endNow = (pid: number, signal: NodeJS.Signals = 'SIGKILL'): void => {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended by itself.
  }
}

const processesWith = async (entry: string): Promise<readonly number[]> => {
  if (process.platform !== 'linux') return []
  const pids = (await readdir('/proc')).map(Number).filter((pid) => pid > 1 && pid !== process.pid)
  const found = await Promise.all(
    pids.map(async (pid) => ((await environmentOf(pid)).includes(entry) ? [pid] : ([] as number[]))),
  )
  return found.flat()
}

const environmentOf = async (pid: number): Promise<string> => {
  try {
    return `\0${await readFile(`/proc/${pid}/environ`, 'utf8')}`
  } catch {
    return '' // It has ended, or belongs to somebody else.
  }
}
