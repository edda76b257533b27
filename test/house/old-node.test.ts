// A program that is started by hand on a Node too old for it says so in one line, instead of a page of syntax errors.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { EXIT_CODES } from '@updraft/core/errors'
import { PROJECT } from '../../scripts/steps.ts'

/** This Node, as it would be if it were an old one. */
const OLD = "data:text/javascript,Object.defineProperty(process,'versions',{value:{...process.versions,node:'20.1.0'}})"

test.each([['publisher'], ['agent']])('updraft-%s on Node 20', (name) => {
  const file = join(PROJECT, name, 'bin', `updraft-${name}.mjs`)
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', OLD, file, '--help'], {
    encoding: 'utf8',
  })
  expect({ status, stdout }).toEqual({ status: EXIT_CODES.local, stdout: '' })
  expect(stderr).toMatch(/^updraft-\w+: needs Node 24 or newer, this is v[\d.]+; .*\n$/)
})
