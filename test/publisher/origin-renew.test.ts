// The origin's renewal on real repositories, with a clock that the test moves.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { fileKeys } from '../../publisher/src/keys/key-file.ts'
import type { KeySource } from '../../publisher/src/keys/signer.ts'
import { startRenewal } from '../../publisher/src/origin/renew.ts'
import { lockRepository, openRepository, type Repository } from '../../publisher/src/repository.ts'
import { makeRepository, recordingLog, untilTrue } from './origin-support.ts'

const BEGIN = new Date('2026-01-01T00:00:00Z')
const HOUR_MS = 60 * 60 * 1_000
const DAY_MS = 24 * HOUR_MS

let folder: string
let now: Date
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'origin-renew-'))
  now = BEGIN
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const later = (ms: number): void => {
  now = new Date(now.getTime() + ms)
}

const versionsIn = async (directory: string) => {
  const { roles } = await openRepository(directory)
  return Object.fromEntries(roles.map(({ role, metadataVersion }) => [role, metadataVersion]))
}

const start = async (repository: Repository, keys: KeySource | undefined) => {
  const { log, lines } = recordingLog()
  const renewal = await startRenewal({
    repository: () => repository,
    keys,
    now: () => now,
    log,
    checkEveryMs: 15,
    retryMs: 15,
  })
  return Object.assign(renewal, { lines })
}

describe('with the online keys', () => {
  test('each role is signed anew once half of its life is over, and not before', async () => {
    const { directory, keys } = await makeRepository(folder, BEGIN)
    await using renewal = await start(await openRepository(directory), keys)
    later(11 * HOUR_MS)
    later(2 * HOUR_MS)
    await untilTrue(async () => (await versionsIn(directory)).timestamp === 2)
    expect(await versionsIn(directory)).toMatchObject({ root: 1, targets: 1, acme: 1, snapshot: 1, timestamp: 2 })
    later(4 * DAY_MS)
    await untilTrue(async () => (await versionsIn(directory)).snapshot === 2)
    expect(await versionsIn(directory)).toMatchObject({ snapshot: 2, timestamp: 3, root: 1, targets: 1, acme: 1 })
    // What was done is written before it is said.
    const said = () => renewal.lines.filter(({ text }) => text.startsWith('renewed'))
    await untilTrue(() => said().length >= 2)
    expect(said()).toHaveLength(2)
  })

  test('before its half nothing is signed', async () => {
    const { directory, keys } = await makeRepository(folder, BEGIN)
    later(11 * HOUR_MS)
    const before = await readFile(join(directory, 'metadata/timestamp.json'))
    {
      await using _renewal = await start(await openRepository(directory), keys)
    }
    expect((await readFile(join(directory, 'metadata/timestamp.json'))).equals(before)).toBe(true)
  })

  test('what has expired while nobody served is renewed before anything else', async () => {
    const { directory, keys } = await makeRepository(folder, BEGIN)
    later(30 * DAY_MS)
    await using _renewal = await start(await openRepository(directory), keys)
    expect(await versionsIn(directory)).toMatchObject({ snapshot: 2, timestamp: 2 })
  })

  test('while somebody publishes it waits, without a word of failure', async () => {
    const { directory, keys } = await makeRepository(folder, BEGIN)
    const lock = await lockRepository(directory)
    later(13 * HOUR_MS)
    await using renewal = await start(await openRepository(directory), keys)
    await untilTrue(() => renewal.lines.filter(({ text }) => text.includes('renewing later')).length > 2)
    expect(await versionsIn(directory)).toMatchObject({ timestamp: 1 })
    expect(renewal.problems()).toEqual([])
    lock[Symbol.dispose]()
    await untilTrue(async () => (await versionsIn(directory)).timestamp === 2)
  })

  test('a failure is told, and over when the next attempt succeeds', async () => {
    const { directory, keys } = await makeRepository(folder, BEGIN)
    const repository = await openRepository(directory)
    const file = join(directory, 'metadata/timestamp.json')
    const intact = await readFile(file)
    await writeFile(file, 'torn')
    later(13 * HOUR_MS)
    await using renewal = await start(repository, keys)
    expect(renewal.problems()).toEqual([
      { summary: 'renewing failed', detail: expect.stringContaining('timestamp.json') },
    ])
    expect(await readFile(file, 'utf8')).toBe('torn')
    await writeFile(file, intact)
    await untilTrue(() => renewal.problems().length === 0)
    expect(await versionsIn(directory)).toMatchObject({ timestamp: 2 })
  })

  test('encrypted keys are opened with the passphrase; a wrong one ends the start', async () => {
    const { directory, keys, keysDirectory } = await makeRepository(folder, BEGIN, 'correct horse')
    const repository = await openRepository(directory)
    await expect(
      start(
        repository,
        fileKeys(keysDirectory, async () => 'wrong'),
      ),
    ).rejects.toMatchObject({
      code: 'PASSPHRASE_WRONG',
    })
    later(13 * HOUR_MS)
    await using _renewal = await start(repository, keys)
    expect(await versionsIn(directory)).toMatchObject({ timestamp: 2 })
  })
})

describe('without the online keys', () => {
  test.each<[string, (keysDirectory: string) => Promise<KeySource>]>([
    ['no key files', async () => fileKeys(join(folder, 'elsewhere'), async () => undefined)],
    ['no passphrase', async (keysDirectory) => fileKeys(keysDirectory, async () => undefined)],
  ])('%s: it says so at the start, and again every day, and nothing is signed', async (_, keysFor) => {
    const { directory, keysDirectory } = await makeRepository(folder, BEGIN, 'correct horse')
    await using renewal = await start(await openRepository(directory), await keysFor(keysDirectory))
    const warnings = (part: string) =>
      renewal.lines.filter(({ level, text }) => level === 'warn' && text.includes(part)).length
    const ABSENT =
      'this origin renews nothing, and without that will expire: snapshot at 2026-01-08T00:00:00.000Z, timestamp'
    expect([warnings(ABSENT), warnings('so updates have stopped')]).toEqual([1, 0])
    later(DAY_MS)
    await untilTrue(() => warnings(ABSENT) === 2)
    expect(warnings('timestamp metadata expired at 2026-01-02T00:00:00.000Z, so updates have stopped')).toBe(1)
    expect(renewal.problems()).toHaveLength(2)
    expect(await versionsIn(directory)).toMatchObject({ snapshot: 1, timestamp: 1 })
  })
})

test('whoever renews from outside is reminded when three quarters of a life are over', async () => {
  const { directory } = await makeRepository(folder, BEGIN)
  await using renewal = await start(await openRepository(directory), undefined)
  later(17 * HOUR_MS)
  expect(renewal.problems()).toEqual([])
  later(2 * HOUR_MS)
  expect(renewal.problems()).toEqual([
    {
      summary: 'the timestamp metadata expires at 2026-01-02T00:00:00.000Z',
      detail: expect.stringContaining('renew'),
      expired: false,
    },
  ])
})

test('a role that only people can sign is mentioned a month before', async () => {
  const { directory, keys } = await makeRepository(folder, BEGIN)
  await using renewal = await start(await openRepository(directory), keys)
  const mentioned = () =>
    renewal.problems().filter(({ summary }) => /the (root|targets|acme) metadata expires/.test(summary))
  expect(mentioned()).toEqual([])
  later(340 * DAY_MS)
  expect(mentioned()).toHaveLength(3)
  expect(mentioned()[0]?.detail).toContain(`updraft-publisher renew ${directory} --role root`)
})

test('the end waits for a renewal under way', async () => {
  const { directory, keys } = await makeRepository(folder, BEGIN)
  const renewal = await start(await openRepository(directory), keys)
  later(13 * HOUR_MS)
  await renewal[Symbol.asyncDispose]()
  using _lock = await lockRepository(directory)
})
