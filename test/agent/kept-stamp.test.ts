// What tells at a start whether the files of a kept bundle have to be hashed again.
import { appendFile, link, mkdir, mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { stampOf } from '@updraft/agent/kept-stamp'

let directory: string
let frame: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  await mkdir(join(directory, 'pack.frames'))
  await writeFile(join(directory, 'index'), 'index')
  frame = join(directory, 'pack.frames', 'a')
  await writeFile(frame, 'frame')
  await utimes(frame, 1, 1)
})
afterEach(() => rm(directory, { recursive: true }))

test('is the same when another release links a frame', async () => {
  const before = await stampOf([directory])
  const other = await mkdtemp(join(tmpdir(), 'ud-'))
  await link(frame, join(other, 'a'))
  await rm(other, { recursive: true })
  expect(await stampOf([directory])).toBe(before)
})

test.each([
  ['a frame is longer', () => appendFile(frame, '!')],
  ['a frame was written to', () => writeFile(frame, 'gone!')],
  [
    'a frame was replaced, with the same length and date',
    async () => {
      await writeFile(`${directory}.new`, 'gone!')
      await utimes(`${directory}.new`, 1, 1)
      await rename(`${directory}.new`, frame)
    },
  ],
  ['a frame is gone', () => rm(frame)],
  ['there is one more', () => writeFile(`${frame}b`, '')],
])('is another when %s', async (_, change) => {
  const before = await stampOf([directory])
  await change()
  expect(await stampOf([directory])).not.toBe(before)
})

test('is unknown when a folder is not there', async () => {
  expect(await stampOf([directory, join(directory, 'patch')])).toBeUndefined()
})
