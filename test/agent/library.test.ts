// What an agent gives to other machines: what it has verified and what it shares, under the repository's names, and nothing else.
import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { libraryOf, type OwnLibrary } from '@updraft/agent/news/library'
import type { SeedRecord } from '@updraft/agent/store/seeds'
import { simulateRepository } from '../support/repository-simulator.ts'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const PATCH = Buffer.from('the metainfo of a patch')
const INDEX = `targets/acme/1.0.0/${'ab'.repeat(32)}.linux-x64.index`

let directory: string
let library: OwnLibrary
let repository: ReturnType<typeof simulateRepository>

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'updraft-'))
  repository = simulateRepository()
  repository.publish('root', 'snapshot', 'timestamp') // The second version of each.
  const cache = join(directory, 'state/metadata/source')
  await mkdir(join(cache, 'copy-0123456789abcdef'), { recursive: true })
  await symlink('copy-0123456789abcdef', join(cache, 'current'))
  const cached = { '2.root': '2.root', timestamp: 'timestamp', snapshot: '2.snapshot', targets: '1.targets' }
  for (const [name, file] of Object.entries(cached)) {
    const bytes = repository.files.get(`metadata/${file}.json`) ?? Buffer.alloc(0)
    await writeFile(join(cache, 'copy-0123456789abcdef', `${name}.json`), bytes)
  }
  const bundles = join(directory, 'bundles')
  await mkdir(join(bundles, 'acme_1.0.0_linux-x64'), { recursive: true })
  await writeFile(join(bundles, 'acme_1.0.0_linux-x64/index'), 'an index')
  await writeFile(join(bundles, 'acme_1.0.0_linux-x64_from_0123456789abcdef.torrent'), PATCH)
  await mkdir(join(directory, 'state/trust/source'), { recursive: true })
  await writeFile(join(directory, 'state/trust/source/root.json'), repository.rootBytes(1))
  await writeFile(join(directory, 'state/agent.db'), 'secret')
  const seed = { name: 'acme_1.0.0_linux-x64' } as SeedRecord
  library = libraryOf({
    source: {
      name: 'source',
      urls: ['http://192.0.2.1/'],
      rootBytes: repository.rootBytes(1),
      pin: { urls: ['http://192.0.2.1/'], pinnedBy: 'file', fingerprint: 'sha256:', addedAt: '' },
    },
    stateDirectory: join(directory, 'state'),
    bundlesDirectory: bundles,
    store: {
      seeds: { all: () => [seed] },
      firstSeen: {
        at: (name, digest) => (name === seed.name && digest === 'ab' ? '2026-01-01T00:00:00Z' : undefined),
      },
    },
    now: () => new Date('2026-01-01T01:00:00Z'),
  })
})
afterEach(() => rm(directory, { recursive: true }))

const readAll = async (path: string): Promise<Buffer | undefined> => {
  const part = await library.read(path, 0, 1_000_000)
  return part && Buffer.from(part.bytes)
}

test('it knows what it has', async () => {
  expect(await library.edition()).toEqual({ root: 2, timestamp: 2, snapshot: 2 })
  expect(await library.roots()).toEqual([sha256(repository.rootBytes(2)), sha256(repository.rootBytes(1))])
  expect(await library.timestampKeys()).toEqual([repository.signers.timestamp?.[0]?.key.keyval.public])
  expect(await library.ageOf('acme_1.0.0_linux-x64', 'ab')).toBe(3_600)
  expect(await library.ageOf('acme_1.0.0_linux-x64', 'cd')).toBeUndefined()
})

test.each([
  'metadata/1.root.json',
  'metadata/2.root.json',
  'metadata/timestamp.json',
  'metadata/2.snapshot.json',
  'metadata/1.targets.json',
])('it gives %s as it was published', async (path) => {
  expect(await readAll(path)).toEqual(repository.files.get(path))
})

test('it gives the descriptions of what it shares, a patch by its digest, and parts of files', async () => {
  expect(String(await readAll(INDEX))).toBe('an index')
  expect(await readAll(`targets/acme/1.0.0/${sha256(PATCH)}.linux-x64.patch.torrent`)).toEqual(PATCH)
  expect(await library.read(INDEX, 3, 2)).toMatchObject({ bytes: Buffer.from('in'), totalBytes: 8 })
})

test.each([
  'metadata/3.root.json',
  'metadata/1.snapshot.json',
  'metadata/acme.json',
  'metadata/agent.db',
  'metadata/..%2f..%2fagent.db.json',
  'targets/acme/2.0.0/x.linux-x64.index',
  INDEX.replace('1.0.0', '2.0.0'),
  INDEX.replace('index', 'index-patch'),
  `targets/acme/1.0.0/${'cd'.repeat(32)}.linux-x64.patch.torrent`,
])('it has no %s', async (path) => {
  expect(await readAll(path)).toBeUndefined()
})

test('nothing lies behind the end of a file', async () => {
  expect(await library.read(INDEX, 9, 1)).toBeUndefined()
})
