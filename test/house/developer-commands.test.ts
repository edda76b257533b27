// What developers run with options says how, and says what is wrong with an option, before it does anything.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parseOptions } from '../../scripts/options.ts'
import { PROJECT } from '../../scripts/steps.ts'

const { scripts } = JSON.parse(readFileSync(join(PROJECT, 'package.json'), 'utf8')) as {
  readonly scripts: Readonly<Record<string, string>>
}
const WITH_OPTIONS = Object.entries(scripts).flatMap(([name, command]) => {
  const [, file = ''] = /run\.mjs (\S+\.ts)$/.exec(command) ?? []
  return /^(bench|fuzz$|start$)/.test(name) ? [[name, file] as const] : []
})

describe.each(WITH_OPTIONS)('npm run %s', (_, file) => {
  const run = (...args: readonly string[]) => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(PROJECT, file), ...args], { encoding: 'utf8' })
    return { status, stdout, stderr }
  }

  test('--help has an example', () => {
    expect(run('--help')).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Example: npm (run|start)/m) })
  })

  test('an option that it does not have is an error, told in a line', () => {
    expect(run('--no-such-option')).toMatchObject({
      status: 2,
      stdout: '',
      stderr: expect.stringMatching(/^[a-z:]+: .*--no-such-option(?!.*\n {4}at )/s),
    })
  })
})

test('options are read with what holds if nothing is said', () => {
  const asked = { numbers: { size: 3 }, texts: ['only'], flags: ['once'], positionals: true } as const
  expect(parseOptions([], asked)).toEqual({ size: 3, once: false, positionals: [] })
  expect(parseOptions(['a', '--size', '0.5', '--once', '--only', 'b'], asked)).toEqual({
    size: 0.5,
    only: 'b',
    once: true,
    positionals: ['a'],
  })
  expect(parseOptions(['--size', 'many'], asked)).toEqual({ wrong: '--size takes a number, not "many"' })
  expect(parseOptions(['--size=-1'], asked)).toEqual({ wrong: '--size takes a number, not "-1"' })
})
