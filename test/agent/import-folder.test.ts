// The import folder: which files are taken, when, in which order and how often; and that they are left as they are.
import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import type { Ended } from '@updraft/agent/imports'
import { type ImportFolder, openImportFolder } from '@updraft/agent/imports/folder'
import { openExport } from '@updraft/core/archive/export-file'
import { UpdateError } from '@updraft/core/errors'
import { archiveOf, plausibleEntries } from '../support/archives.ts'

const whole = archiveOf(plausibleEntries())

let directory: string
let folder: string
let watching: ImportFolder
let seen: string[]
let warnings: string[]
/** How an import ends that was begun. */
let ending: Ended
let listeners: (() => void)[]

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  folder = join(directory, 'drop')
  await mkdir(folder)
  await mkdir(join(directory, 'state'))
  ;[seen, warnings, listeners, ending] = [[], [], [], 'settled']
  watching = openFolder()
})
afterEach(async () => {
  await watching[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

const say = (what: string): void => {
  seen.push(what)
  for (const listen of listeners) listen()
}

const openFolder = (): ImportFolder =>
  openImportFolder({
    stateDirectory: join(directory, 'state'),
    imports: {
      add: async (path) => {
        await using file = await openExport(path)
        if (basename(path) === 'unknown.tar') throw new UpdateError('PRODUCT_UNKNOWN', 'nobody subscribed to it')
        return file.product
      },
      whenDone: async (path) => {
        say(`imported ${basename(path)}`)
        return ending
      },
      refused: (path, error) => say(`${(error as UpdateError).code} ${basename(path)}`),
    },
    onWarning: (message) => {
      warnings.push(message)
      say('warning')
    },
    stableMs: 200,
  })

const watch = (checkIntervalSeconds = 3_600) => watching.apply({ importFolder: folder, checkIntervalSeconds })

/** Resolves once so many things were said. */
const said = async (count: number): Promise<readonly string[]> => {
  await new Promise<void>((resolve) => {
    const listen = () => {
      if (seen.length >= count) resolve()
    }
    listeners.push(listen)
    listen()
  })
  return seen
}

/** Everything that was there before has been dealt with once this one is. */
const marker = async (): Promise<void> => {
  await writeFile(join(folder, 'zzz.tar'), whole)
  const count = seen.length
  while (!seen.slice(count).includes('imported zzz.tar')) await said(seen.length + 1)
}

test('a file is imported once, stays as it is, and is not looked at again after a restart', async () => {
  await writeFile(join(folder, 'acme.tar'), whole)
  await watch()
  expect(await said(1)).toEqual(['imported acme.tar'])
  expect(await readFile(join(folder, 'acme.tar'))).toEqual(whole)
  await watching[Symbol.asyncDispose]()
  watching = openFolder()
  await watch()
  await marker()
  expect(seen).toEqual(['imported acme.tar', 'imported zzz.tar'])
  expect(await readdir(folder)).toEqual(['acme.tar', 'zzz.tar'])
})

test('a file that is still being copied is not taken for a whole one, and is imported once it is whole', async () => {
  await watch()
  const path = join(folder, 'acme.tar')
  await writeFile(path, whole.subarray(0, 5_000))
  expect(await said(1)).toEqual(['EXPORT_INVALID acme.tar'])
  await appendFile(path, whole.subarray(5_000))
  expect(await said(2)).toEqual(['EXPORT_INVALID acme.tar', 'imported acme.tar'])
})

test('a file that is written in small steps is imported once, when it is whole', async () => {
  await watch()
  const path = join(folder, 'acme.tar')
  for (let at = 0; at < whole.length; at += 1_024) {
    await appendFile(path, whole.subarray(at, at + 1_024))
    await new Promise((resolve) => setImmediate(resolve))
  }
  // On a busy machine a step may take longer than a file has to rest: then it is refused as cut off, and taken later.
  while (!seen.includes('imported acme.tar')) await said(seen.length + 1)
  await marker()
  expect(seen.filter((what) => what === 'imported acme.tar')).toHaveLength(1)
})

test('the oldest file comes first, whatever it is called', async () => {
  for (const [name, day] of [
    ['a.tar', 3],
    ['b.tar', 1],
    ['c.tar', 2],
  ] as const) {
    await writeFile(join(directory, name), whole)
    await utimes(join(directory, name), day * 86_400, day * 86_400)
    await rename(join(directory, name), join(folder, name))
  }
  await watch()
  expect(await said(3)).toEqual(['imported b.tar', 'imported c.tar', 'imported a.tar'])
})

test('other files, hidden ones, folders and links are left alone', async () => {
  await writeFile(join(directory, 'elsewhere.tar'), whole)
  await symlink(join(directory, 'elsewhere.tar'), join(folder, 'link.tar'))
  await writeFile(join(folder, 'notes.txt'), 'x')
  await mkdir(join(folder, 'folder.tar'))
  await writeFile(join(folder, 'folder.tar', 'inner.tar'), whole)
  await watch()
  await marker()
  expect({ seen, warnings }).toEqual({ seen: ['imported zzz.tar'], warnings: [] })
})

test('what could not be imported yet is tried again, what was refused for good is not', async () => {
  await writeFile(join(folder, 'unknown.tar'), whole)
  await writeFile(join(folder, 'damaged.tar'), whole.subarray(512))
  await watch(1)
  while (seen.filter((what) => what === 'PRODUCT_UNKNOWN unknown.tar').length < 3) await said(seen.length + 1)
  expect(seen.filter((what) => what.endsWith('damaged.tar'))).toEqual(['EXPORT_INVALID damaged.tar'])
})

test('a release that waits for policy is tried again', async () => {
  ending = 'open'
  await writeFile(join(folder, 'acme.tar'), whole)
  await watch(1)
  expect(await said(2)).toEqual(['imported acme.tar', 'imported acme.tar'])
})

test('another folder takes the place of the one before; one that is not there is told', async () => {
  await watch()
  await watching.apply({ importFolder: join(directory, 'none'), checkIntervalSeconds: 3_600 })
  expect(warnings).toEqual([expect.stringContaining('is not there')])
  await writeFile(join(folder, 'acme.tar'), whole)
  await watch()
  while (!seen.includes('imported acme.tar')) await said(seen.length + 1)
})

test('a folder that comes later is found, and goes without harm', async () => {
  await rm(folder, { recursive: true })
  await watch(1)
  expect(warnings).toEqual([expect.stringContaining('is not there')])
  await mkdir(folder)
  await writeFile(join(folder, 'acme.tar'), whole)
  while (!seen.includes('imported acme.tar')) await said(seen.length + 1)
  await rm(folder, { recursive: true })
  await mkdir(folder)
  await marker()
  expect(warnings).toHaveLength(1)
})

test('a damaged memory costs one more look', async () => {
  await writeFile(join(directory, 'state/imported.json'), '[["x"')
  await writeFile(join(folder, 'acme.tar'), whole)
  await watch()
  expect(await said(1)).toEqual(['imported acme.tar'])
})
