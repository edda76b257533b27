// What a program takes of the machine, with all the processes that it has started, as the kernel counts it. Linux only: it
// reads /proc.
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

export interface Memory {
  readonly rssMib: number
  /** What is shared with others counts in part: the fair share of this program. */
  readonly pssMib: number
}

export const memoryOf = (pid: number): Memory => {
  let [rssMib, pssMib] = [0, 0]
  for (const member of familyOf(pid)) {
    const text = read(`/proc/${member}/smaps_rollup`)
    rssMib += mibIn(text, 'Rss')
    pssMib += mibIn(text, 'Pss')
  }
  return { rssMib, pssMib }
}

/** CPU time spent so far by all threads, in milliseconds, to the nanosecond where /proc/PID/stat has ticks of 10 ms. */
export const cpuMsOf = (pid: number): number => {
  let nanoseconds = 0
  for (const member of familyOf(pid)) {
    for (const task of list(`/proc/${member}/task`)) {
      nanoseconds += Number(read(`/proc/${member}/task/${task}/schedstat`).split(' ')[0] ?? 0)
    }
  }
  return nanoseconds / 1e6
}

/** Share of one core, in percent, over the next `seconds`. */
export const cpuPercentOver = async (pid: number, seconds: number): Promise<number> => {
  const [before, begin] = [cpuMsOf(pid), performance.now()]
  await setTimeout(seconds * 1_000)
  return ((cpuMsOf(pid) - before) / (performance.now() - begin)) * 100
}

/**
 * Waits until the program has come to rest: half a minute in which no second takes 2 % of a core. Less was not enough: what an agent
 * does about its start ends with giving memory back, some 20 s after its last work, and that was taken for what it does at rest.
 */
export const whenAtRest = async (pid: number, timeoutSeconds: number): Promise<void> => {
  const deadline = performance.now() + timeoutSeconds * 1_000
  for (let calm = 0; calm < 30; ) {
    calm = (await cpuPercentOver(pid, 1)) < 2 ? calm + 1 : 0
    if (performance.now() > deadline) throw new Error(`process ${pid} did not come to rest in ${timeoutSeconds} s`)
  }
}

/** The process and whatever descends from it. */
const familyOf = (pid: number): readonly number[] =>
  [pid].concat(
    list(`/proc/${pid}/task`).flatMap((task) =>
      read(`/proc/${pid}/task/${task}/children`)
        .split(' ')
        .filter((child) => child.trim() !== '')
        .flatMap((child) => [...familyOf(Number(child))]),
    ),
  )

const mibIn = (text: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) / 1_024

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return '' // It has just ended.
  }
}

const list = (directory: string): readonly string[] => {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}
