// Runs a program and says what it took: wall time, and the peak of its memory as GNU time sees it.
import { spawnSync } from 'node:child_process'

export interface Measured {
  readonly output: string
  readonly seconds: number
  readonly peakMib: number
}

/** Whether a program is on the PATH. */
export const isInstalled = (program: string): boolean => spawnSync('which', [program]).status === 0

/** Errors: Error with the program's own last words if it fails. */
export const measure = (command: readonly string[], accepted: readonly number[] = [0]): Measured => {
  const begin = performance.now()
  const { status, stdout, stderr } = spawnSync('/usr/bin/time', ['-f', 'peak-kib %M', ...command], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  const seconds = (performance.now() - begin) / 1000
  if (status === null || !accepted.includes(status)) {
    throw new Error(`${command.join(' ')} ended with ${status}: ${stderr?.slice(-500)}`)
  }
  return { output: stdout + stderr, seconds, peakMib: Number(/peak-kib (\d+)/.exec(stderr)?.[1] ?? 0) / 1024 }
}
