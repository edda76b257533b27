import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import {
  describeSources,
  fingerprintOf,
  type NewPin,
  parseSourceUrl,
  pinRoot,
  readTrustedSource,
  readTrustedSources,
  removeTrustedSource,
  sourceNameOf,
} from '../../agent/src/trust-store.ts'
import { fileOf, sha256, simulateRepository } from '../support/repository-simulator.ts'

const repository = simulateRepository()
const rootBytes = repository.rootBytes()
const otherRoot = simulateRepository().rootBytes()
const addedAt = new Date('2026-02-03T04:05:06Z')

let state: string
beforeEach(async () => {
  state = join(await mkdtemp(join(tmpdir(), 'updraft-trust-')), 'state')
})
afterEach(() => rm(join(state, '..'), { recursive: true, force: true }))

const pin = (change: Partial<NewPin> = {}) =>
  pinRoot(state, { name: 'acme', url: 'https://a.test/r', rootBytes, pinnedBy: 'file', addedAt, ...change })

const modeOf = async (path: string) => (await stat(path)).mode & 0o777

test('keeps the exact bytes of the root and how they were trusted, readable by their owner only', async () => {
  await pin({ pinnedBy: 'fingerprint' })
  const directory = join(state, 'trust', 'acme')
  expect(await readFile(join(directory, 'root.json'))).toEqual(rootBytes)
  expect(JSON.parse(await readFile(join(directory, 'pin.json'), 'utf8'))).toEqual({
    urls: ['https://a.test/r/'],
    pinnedBy: 'fingerprint',
    fingerprint: `sha256:${sha256(rootBytes)}`,
    addedAt: '2026-02-03T04:05:06.000Z',
  })
  for (const name of ['root.json', 'pin.json']) expect(await modeOf(join(directory, name))).toBe(0o600)
  for (const path of [directory, join(state, 'trust')]) expect(await modeOf(path)).toBe(0o700)
  expect(await readdir(join(state, 'trust'))).toEqual(['acme'])
})

test('the folder that the state is in, where others find what is installed, stays open to them', async () => {
  state = join(state, 'lib', 'state')
  await pin()
  expect([await modeOf(join(state, '..')), await modeOf(state)]).toEqual([0o755, 0o700])
  state = join(state, '..', '..')
})

test('what was pinned is read back as it was', async () => {
  const source = await pin()
  expect(await readTrustedSource(state, 'acme')).toEqual(source)
  expect(source).toMatchObject({ name: 'acme', urls: ['https://a.test/r/'], rootBytes })
  await pin({ name: 'beta', rootBytes: otherRoot })
  expect((await readTrustedSources(state)).map(({ name }) => name)).toEqual(['acme', 'beta'])
  expect(await describeSources({ stateDirectory: state })).toMatchObject([
    { name: 'acme', url: 'https://a.test/r/', root: { version: 1, pinnedBy: 'file' } },
    { name: 'beta' },
  ])
})

test('another root under the same name is refused, and the first stays', async () => {
  await pin()
  await expect(pin({ rootBytes: otherRoot })).rejects.toMatchObject({
    code: 'TRUST_CONFLICT',
    message: expect.stringContaining(fingerprintOf(otherRoot)),
  })
  expect((await readTrustedSource(state, 'acme')).rootBytes).toEqual(rootBytes)
})

describe('the same root again', () => {
  test('adds its address as a mirror, once', async () => {
    await pin()
    await pin({ url: 'https://b.test/' })
    await pin({ url: 'https://a.test/r/' })
    await pin({ url: 'https://b.test' })
    expect((await readTrustedSource(state, 'acme')).urls).toEqual(['https://a.test/r/', 'https://b.test/'])
  })

  test('remembers the stronger reason and the first date', async () => {
    await pin({ pinnedBy: 'first-use' })
    await pin({ pinnedBy: 'fingerprint', addedAt: new Date() })
    await pin({ pinnedBy: 'first-use' })
    expect((await readTrustedSource(state, 'acme')).pin).toMatchObject({
      pinnedBy: 'fingerprint',
      addedAt: '2026-02-03T04:05:06.000Z',
    })
  })
})

describe('refuses to pin', () => {
  const signed = JSON.parse(rootBytes.toString()).signed
  test.each([
    ['what is no JSON', 'ROOT_UNKNOWN', Buffer.from('root')],
    ['another kind of metadata', 'METADATA_POLICY', repository.files.get('metadata/timestamp.json') ?? Buffer.alloc(0)],
    ['a root that nobody signed', 'ROOT_UNKNOWN', fileOf(signed, [])],
    ['a root that a stranger signed', 'ROOT_UNKNOWN', fileOf(signed, simulateRepository().signers.root ?? [])],
    [
      'a root that breaks our policy',
      'METADATA_POLICY',
      fileOf({ ...signed, version: 0 }, repository.signers.root ?? []),
    ],
  ])('%s', async (_, code, bytes) => {
    await expect(pin({ rootBytes: bytes })).rejects.toMatchObject({ code })
    expect(await readTrustedSources(state)).toEqual([])
  })

  test.each(['', '../x', 'A', 'a b', '-a', '.', 'a/b', 'x'.repeat(65)])('under the name %j', async (name) => {
    await expect(pin({ name })).rejects.toMatchObject({ code: 'USAGE' })
    await expect(readTrustedSource(state, name)).rejects.toMatchObject({ code: 'USAGE' })
    await expect(removeTrustedSource(state, name)).rejects.toMatchObject({ code: 'USAGE' })
  })

  test.each(['a.test', 'file:///etc', 'ftp://a.test/', 'https://me:secret@a.test/', ''])('from %j', async (url) => {
    await expect(pin({ url })).rejects.toMatchObject({ code: 'USAGE', message: expect.not.stringContaining('secret@') })
  })
})

describe('a damaged folder is said to be damaged, never taken for empty', () => {
  const file = (name: string) => join(state, 'trust', 'acme', name)
  test.each([
    ['a root without its pin', () => rm(file('pin.json'))],
    ['a pin without its root', () => rm(file('root.json'))],
    ['another root in its place', () => writeFile(file('root.json'), otherRoot)],
    ['a torn root', () => writeFile(file('root.json'), rootBytes.subarray(0, 100))],
    ['a torn pin', () => writeFile(file('pin.json'), '{"urls":[')],
    [
      'a pin with an address of another kind',
      async () =>
        writeFile(file('pin.json'), (await readFile(file('pin.json'), 'utf8')).replace('https://a.test', 'file://a')),
    ],
  ])('%s', async (_, damage) => {
    await pin()
    await damage()
    await expect(readTrustedSource(state, 'acme')).rejects.toMatchObject({ code: 'STATE_DAMAGED' })
    await expect(readTrustedSources(state)).rejects.toMatchObject({ code: 'STATE_DAMAGED' })
    await expect(pin()).rejects.toMatchObject({ code: 'STATE_DAMAGED' })
    await removeTrustedSource(state, 'acme')
    expect(await pin()).toMatchObject({ name: 'acme' })
  })
})

test('a source that was never pinned is unknown', async () => {
  await expect(readTrustedSource(state, 'acme')).rejects.toMatchObject({ code: 'ROOT_UNKNOWN' })
  await expect(removeTrustedSource(state, 'acme')).rejects.toMatchObject({ code: 'ROOT_UNKNOWN' })
  expect(await readTrustedSources(state)).toEqual([])
})

test('a removed source is forgotten', async () => {
  await pin()
  await removeTrustedSource(state, 'acme')
  expect(await readTrustedSources(state)).toEqual([])
  expect(await pin({ rootBytes: otherRoot })).toMatchObject({ rootBytes: otherRoot })
})

test('a source that is removed while an agent reads it is there as a whole, or not at all', async () => {
  for (let round = 0; round < 40; round += 1) {
    await pin()
    const removal = { isOver: false }
    const reading = async () => {
      const seen: (readonly string[])[] = []
      while (!removal.isOver) seen.push((await readTrustedSources(state)).map(({ name }) => name))
      return seen
    }
    const readers = [reading(), reading(), reading()]
    await removeTrustedSource(state, 'acme').finally(() => {
      removal.isOver = true
    })
    for (const names of (await Promise.all(readers)).flat()) expect([[], ['acme']]).toContainEqual(names)
    expect(await readdir(join(state, 'trust'))).toEqual([])
  }
})

test.each([
  ['http://localhost:8080/', 'localhost-8080'],
  ['https://Updates.Example.COM/acme/', 'updates-example-com'],
  ['http://[::1]:80/', '1'],
  ['http://127.0.0.1:9/', '127-0-0-1-9'],
])('the name of %s is %s', (url, name) => {
  expect(sourceNameOf(url)).toBe(name)
})

test.each([
  ['https://a.test', 'https://a.test/'],
  ['https://a.test/x?y#z', 'https://a.test/x/'],
  ['HTTP://A.test:80/x/', 'http://a.test/x/'],
])('the address %s is kept as %s', (text, url) => {
  expect(parseSourceUrl(text)).toBe(url)
})
