// Runs a program and says what it took: wall time, and processor time and the peak of its memory as GNU time sees them.
import { spawnSync } from 'node:child_process'

export interface Measured {
  readonly output: string
  readonly seconds: number
  /** Of all its threads and children, in the program and in the kernel. */
  readonly cpuSeconds: number
  readonly peakMib: number
}

/** Whether a program is on the PATH. */
export const isInstalled = (program: string): boolean => spawnSync('which', [program]).status === 0

/** Errors: Error with the program's own last words if it fails. */
export const measure = (command: readonly string[], accepted: readonly number[] = [0]): Measured => {
  const begin = performance.now()
  const { status, stdout, stderr } = spawnSync('/usr/bin/time', ['-f', 'peak-kib %M cpu %U %S', ...command], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  const seconds = (performance.now() - begin) / 1000
  if (status === null || !accepted.includes(status)) {
    throw new Error(`${command.join(' ')} ended with ${status}: ${stderr?.slice(-500)}`)
  }
  const [, peakKib = 0, user = 0, system = 0] = /peak-kib (\d+) cpu ([\d.]+) ([\d.]+)/.exec(stderr) ?? []
  const cpuSeconds = Number(user) + Number(system)
  return { output: stdout + stderr, seconds, cpuSeconds, peakMib: Number(peakKib) / 1024 }
}
