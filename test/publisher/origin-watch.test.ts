// How the origin notices that a repository has changed.
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { watchFile } from '../../publisher/src/origin/watch.ts'
import { untilTrue } from './origin-support.ts'

let folder: string
let file: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'origin-watch-'))
  file = join(folder, 'timestamp.json')
  await writeFile(file, '1')
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const replace = async (text: string) => {
  await writeFile(`${file}.new`, text)
  await rename(`${file}.new`, file)
}

test('calls at the beginning, then once for each replacement, also of the same length', async () => {
  let calls = 0
  const onChange = async () => {
    calls += 1
    return true
  }
  await using _watch = watchFile({ file, pollMs: 5, onChange })
  await untilTrue(() => calls === 1)
  await replace('2')
  await untilTrue(() => calls === 2)
  await rm(file)
  await untilTrue(() => calls === 3)
  await replace('2')
  await untilTrue(() => calls === 4)
})

test('never calls twice at a time, and does not miss what changes meanwhile', async () => {
  let running = 0
  let most = 0
  let calls = 0
  const gate = Promise.withResolvers<void>()
  await using _watch = watchFile({
    file,
    pollMs: 5,
    onChange: async () => {
      running += 1
      calls += 1
      most = Math.max(most, running)
      if (calls === 1) await gate.promise
      running -= 1
      return true
    },
  })
  await untilTrue(() => calls === 1)
  await replace('2')
  gate.resolve()
  await untilTrue(() => calls === 2)
  expect(most).toBe(1)
})

test('calls again later when it did not get through, though nothing changed', async () => {
  let calls = 0
  const onChange = async () => {
    calls += 1
    return calls > 2
  }
  await using _watch = watchFile({ file, pollMs: 5, retryMs: 20, onChange })
  await untilTrue(() => calls === 3)
})

test('the end aborts the call under way and waits for it', async () => {
  let ended = false
  const begun = Promise.withResolvers<void>()
  const watch = watchFile({
    file,
    onChange: async (signal) => {
      begun.resolve()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      ended = true
      return true
    },
  })
  await begun.promise
  await watch[Symbol.asyncDispose]()
  expect(ended).toBe(true)
})
