// What a test needs of the machine beyond Node: a program, root. Where it is missing the tests are left out, aloud, and
// `npm test` fails for it in CI; nothing is ever left out silently.
import { spawnSync } from 'node:child_process'
import { describe } from '@jest/globals'

export interface Need {
  readonly name: string
  readonly met: boolean
  readonly why: string
}

export const needsProgram = (program: string): Need => ({
  name: program,
  met: spawnSync('which', [program]).status === 0,
  why: `the program ${program} is not installed`,
})

/** A module of the system's own Python, as a Debian package brings it. */
export const needsPython = (module: string): Need => ({
  name: module,
  met: spawnSync('/usr/bin/python3', ['-c', `import ${module}`]).status === 0,
  why: `the Python module ${module} is not installed`,
})

export const needsRoot: Need = { name: 'root', met: process.getuid?.() === 0, why: 'only root can do this' }

/** `describe` if every need is met; otherwise the tests count as skipped, with why in their name and in a line of its own. */
export const describeWith = (needs: readonly Need[], name: string, tests: () => void): void => {
  const missing = needs.filter((need) => !need.met)
  if (missing.length === 0) {
    describe(name, tests)
    return
  }
  const reason = missing.map((need) => need.why).join('; ')
  process.stderr.write(`left out: ${name}: ${reason}\n`)
  describe.skip(`${name} (left out: ${reason})`, tests)
}
