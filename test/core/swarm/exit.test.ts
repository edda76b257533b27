// A closed swarm leaves nothing behind: a process that opened one, used it and closed it ends by itself, and says nothing.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from '@jest/globals'

const PROGRAM = join(import.meta.dirname, 'exit-program.ts')

test('a process with a closed swarm ends by itself and prints nothing of its own', async () => {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', PROGRAM],
    { timeout: 30_000, env: { ...process.env, NODE_OPTIONS: '' } },
  )
  expect({ stdout, stderr }).toEqual({ stdout: 'closed: nothing is left\n', stderr: '' })
})
