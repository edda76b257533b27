// The queue of files that bring a release: which look gets which file, what is told, and what is tried again.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { type Imports, openImports } from '@updraft/agent/imports'
import { type ProductSettings, parseSettings } from '@updraft/agent/settings'
import type { AgentEvent } from '@updraft/core/control/api'
import { UpdateError } from '@updraft/core/errors'
import { archiveOf, plausibleEntries } from '../support/archives.ts'

let directory: string
let looks: string[]
let told: AgentEvent[]
let checks: number
let isBehind: boolean
let fails: Error | undefined
let imports: Imports

const settings = parseSettings('{ "products": { "acme": { "source": "main" } } }', 'agent.json')
const [acme] = settings.products as readonly [ProductSettings]
const signal = new AbortController().signal

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  for (const name of ['a', 'b']) await writeFile(join(directory, name), archiveOf(plausibleEntries()))
  ;[looks, told, checks, isBehind, fails] = [[], [], 0, false, undefined]
  imports = openImports({
    home: { dataDirectory: directory },
    settings: () => settings,
    look: async (_product, { aborted }, carrier) => {
      looks.push(carrier === undefined ? 'source' : carrier.url.replace(/^.*\/(.)\/$/, '$1'))
      if (aborted) throw new UpdateError('ABORTED', 'broken off')
      if (carrier !== undefined && fails !== undefined) throw fails
    },
    isBehind: () => isBehind,
    check: () => {
      checks += 1
    },
    tell: (event) => told.push(event),
  })
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const path = (name: string): string => join(directory, name)

test('each file is for one look, in order; then the source is looked at again', async () => {
  await imports.add(path('a'))
  await imports.add(path('b'))
  await imports.add(path('a')) // It waits already.
  for (let look = 0; look < 3; look += 1) await imports.look(acme, signal)
  expect(looks).toEqual(['a', 'b', 'source'])
  expect(told).toEqual([
    { kind: 'import', file: path('a'), product: 'acme' },
    { kind: 'import', file: path('b'), product: 'acme' },
  ])
  expect(checks).toBe(4) // One for each call, and one because another file was waiting.
})

test('a file that was refused is told with why, is not tried again, and leaves nothing staged', async () => {
  fails = new UpdateError('METADATA_ROLLBACK', 'too old')
  await mkdir(path('staging/acme_1.0.0_any'), { recursive: true })
  await imports.add(path('a'))
  const done = imports.whenDone(path('a'))
  await expect(imports.look(acme, signal)).rejects.toBe(fails)
  expect(await done).toBe('settled')
  expect(told).toMatchObject([{ kind: 'import', error: { code: 'METADATA_ROLLBACK' } }])
  await imports.look(acme, signal)
  expect(looks).toEqual(['a', 'source'])
  await expect(rm(path('staging/acme_1.0.0_any'))).rejects.toThrow('ENOENT')
})

test('a full disk is no verdict about the file', async () => {
  fails = new UpdateError('DISK_FULL', 'no space left')
  await imports.add(path('a'))
  const done = imports.whenDone(path('a'))
  await expect(imports.look(acme, signal)).rejects.toBe(fails)
  expect(await done).toBe('open')
})

test('a release that policy holds up is looked at again by every look, until it is in', async () => {
  isBehind = true
  await imports.add(path('a'))
  const done = imports.whenDone(path('a'))
  await imports.look(acme, signal)
  expect(await done).toBe('open')
  await imports.look(acme, signal)
  isBehind = false
  await imports.look(acme, signal)
  await imports.look(acme, signal)
  expect(looks).toEqual(['a', 'a', 'source', 'a', 'source', 'source'])
})

test('a held up file that is gone is told, and the source is looked at all the same', async () => {
  isBehind = true
  await imports.add(path('a'))
  await imports.look(acme, signal)
  await rm(path('a'))
  await imports.look(acme, signal)
  await imports.look(acme, signal)
  expect(looks).toEqual(['a', 'source', 'source'])
  expect(told.at(-1)).toMatchObject({ kind: 'import', error: { code: 'IO' } })
})

test('a look that is broken off leaves the file to the next one', async () => {
  await imports.add(path('a'))
  const stopped = new AbortController()
  stopped.abort()
  await expect(imports.look(acme, stopped.signal)).rejects.toThrow()
  expect(told).toEqual([])
  await imports.look(acme, signal)
  expect(looks.at(-1)).toBe('a')
})

test('a file that is another one by its turn is refused, and so is one that nobody subscribed to', async () => {
  await imports.add(path('a'))
  await writeFile(path('a'), 'other')
  await expect(imports.look(acme, signal)).rejects.toMatchObject({ code: 'EXPORT_INVALID' })
  const other = plausibleEntries().map(({ name, bytes }) => ({ name: name.replaceAll('acme', 'other'), bytes }))
  await writeFile(path('b'), archiveOf(other))
  await expect(imports.add(path('b'))).rejects.toMatchObject({ code: 'PRODUCT_UNKNOWN' })
  expect(looks).toEqual([])
})
