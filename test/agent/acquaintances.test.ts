// Machines that were met before: who was of use stays, strangers go, and the file is a convenience.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { openAcquaintances } from '@updraft/agent/news/acquaintances'

let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'updraft-'))
  path = join(directory, 'peers.json')
})
afterEach(() => rm(directory, { recursive: true }))

const open = () => openAcquaintances(path, () => 0.5)

test('who was of use comes first, and outlives a flood of strangers and a restart', async () => {
  const before = await open()
  before.met('192.0.2.1:1')
  before.met('192.0.2.2:2', true)
  expect(before.all()).toEqual(['192.0.2.2:2', '192.0.2.1:1'])
  for (let port = 1; port < 1_000; port += 1) before.met(`198.51.100.1:${port}`)
  expect(before.all()).toHaveLength(64)
  await before.save()
  const after = await open()
  expect(after.all()[0]).toBe('192.0.2.2:2')
  expect(after.all()).not.toContain('192.0.2.1:1')
})

test('who does not answer is forgotten in the end, and who gave something wrong at once', async () => {
  const known = await open()
  known.met('192.0.2.1:1', true)
  known.met('192.0.2.2:2')
  for (let times = 0; times < 8; times += 1) known.missed('192.0.2.1:1')
  known.forget('192.0.2.2:2')
  known.met('no address')
  expect(known.all()).toEqual([])
})

test('nothing is written until something has changed', async () => {
  await (await open()).save()
  await expect(readFile(path)).rejects.toMatchObject({ code: 'ENOENT' })
})

test.each([
  '',
  '{',
  '{"version":2,"peers":[]}',
  `{"version":1,"peers":[${'{"address":"a","wasOfUse":true},'.repeat(65)}0]}`,
])('a file that is damaged counts as none: %#', async (text) => {
  await writeFile(path, text)
  expect((await open()).all()).toEqual([])
})
