// A repository that several people found together, through the real program: keys of three kinds that never meet, a first root
// that two of the three sign, and every way in which the file between them may be bent before anybody knows the repository.
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { readCeremony } from '../../publisher/src/ceremony/ceremony-file.ts'
import type { Review } from '../../publisher/src/ceremony/review.ts'
import { createKeyFile } from '../../publisher/src/keys/key-file.ts'
import { openRepository } from '../../publisher/src/repository.ts'
import { publisherJson, runPublisher } from './program.ts'
import { writeTree } from './workspace.ts'

let directory: string
let founded: Review
const people = { alice: 'ed25519', bob: 'ecdsa-p256', carol: 'rsa-3072' } as const
const inDirectory = (file: string) => join(directory, file)

const who = [
  ...['--root-key', 'alice.pub', 'bob.pub', 'carol.pub', '--root-threshold', '2'],
  ...['--targets-key', 'alice.pub', 'bob.pub', 'carol.pub', '--targets-threshold', '2'],
  ...['--product', 'acme', '--product-key', 'ci.pub', '--urgent-key', 'alice.pub', 'bob.pub'],
  ...['--snapshot-key', 'snapshot.pub', '--timestamp-key', 'timestamp.pub'],
]

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'updraft-founding-'))
  const key = async (folder: string, name: string, type?: (typeof people)[keyof typeof people]) => {
    const { path } = await createKeyFile(inDirectory(folder), name, undefined, type)
    await cp(path.replace(/pem$/, 'pub'), inDirectory(`${name}.pub`))
  }
  for (const [name, type] of Object.entries(people)) await key(`${name}-pc`, name, type)
  await key('ci', 'ci')
  for (const role of ['snapshot', 'timestamp']) await key('r.keys', role)
  founded = await publisherJson(directory, ['sign', 'prepare', 'init', '--out', 'new.json', ...who])
}, 60_000)

afterAll(() => rm(directory, { recursive: true, force: true }))

const add = (keys: string, file: string, ...fingerprint: readonly string[]) =>
  runPublisher(directory, ['sign', 'add', file, '--keys', keys, '--yes', ...fingerprint])

const isThere = (file: string) =>
  stat(inDirectory(file)).then(
    () => true,
    () => false,
  )

test('the review says who will sign what, and what to compare', async () => {
  const { stdout } = await runPublisher(directory, ['sign', 'review', 'new.json'])
  expect(founded.founds).toBe(true)
  expect(stdout).toContain(`a new repository, whose first root will be ${founded.fingerprint}`)
  expect(stdout).toMatch(
    / root is signed by 2 of [0-9a-f]{8} \(Ed25519\), [0-9a-f]{8} \(ECDSA P-256\), [0-9a-f]{8} \(RSA 3072\)\n/,
  )
  expect(stdout).toMatch(/ snapshot is signed by 1 of [0-9a-f]{8} \(Ed25519\)\n/)
  expect(stdout).toMatch(/ a new product acme, signed by 1 of [0-9a-f]{8} \(Ed25519\)\n/)
  expect(stdout).toMatch(/! a new role urgent, .* signed by 1 of/)
  expect(stdout).not.toContain('no words for')
  expect(await readFile(inDirectory('new.json'), 'utf8')).not.toContain('PRIVATE')
})

test('nobody signs what they have not compared; below the threshold there is no repository; above it, releases', async () => {
  await cp(inDirectory('new.json'), inDirectory('mine.json'))
  await cp(inDirectory('new.json'), inDirectory('carols.json'))
  const right = ['--fingerprint', founded.fingerprint]
  expect(await add('alice-pc', 'mine.json')).toMatchObject({
    code: 6,
    stderr: expect.stringMatching(/would found a new repository, sha256:.*\n.*compare/s),
  })
  expect((await add('alice-pc', 'mine.json', '--fingerprint', `sha256:${'0'.repeat(64)}`)).code).toBe(6)
  expect((await add('alice-pc', 'mine.json', ...right)).stdout).toMatch(/signed root by .*, targets by .*, urgent by/)
  expect((await add('alice-pc', 'mine.json', ...right)).stdout).toContain('had signed it already')
  expect((await add('ci', 'mine.json', ...right)).stdout).toMatch(/signed acme by/)

  const finish = ['sign', 'finish', '--repo', 'r', '--url', 'https://updates.example.com']
  expect(await runPublisher(directory, [...finish, 'mine.json'])).toMatchObject({
    code: 5,
    stderr: expect.stringMatching(/root has 1 of 2 signatures.*; targets has 1 of 2/s),
  })
  expect(await isThere('r')).toBe(false)
  await add('carol-pc', 'carols.json', ...right)
  // Somewhere else, without the keys of snapshot and timestamp, it cannot begin.
  expect(
    await runPublisher(directory, ['sign', 'finish', 'mine.json', 'carols.json', '--repo', 'elsewhere']),
  ).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('role snapshot needs 1'),
  })
  expect([await isThere('elsewhere'), await isThere('elsewhere.keys')]).toEqual([false, false])

  const { stdout } = await runPublisher(directory, [...finish, 'mine.json', 'carols.json'])
  const repository = await openRepository(inDirectory('r'))
  expect(stdout).toContain(repository.fingerprint)
  expect(repository.settings.url).toBe('https://updates.example.com/')
  expect(repository.roles.map(({ role, threshold, metadataVersion }) => [role, threshold, metadataVersion])).toEqual([
    ['root', 2, 1],
    ['targets', 2, 1],
    ['snapshot', 1, 1],
    ['timestamp', 1, 1],
    ['acme', 1, 1],
    ['urgent', 1, 1],
  ])
  expect(await readFile(inDirectory('r.keys/root.fingerprints'), 'utf8')).toBe(`${repository.fingerprint}\n`)
  expect(await runPublisher(directory, [...finish, 'mine.json', 'carols.json'])).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('is a repository already'),
  })

  // What was founded works like any other: a release, and the next ceremony.
  await writeTree(inDirectory('build'), { 'bin/acme': 'the program' })
  for (const file of await readdir(inDirectory('ci')))
    await cp(inDirectory(`ci/${file}`), inDirectory(`r.keys/${file}`))
  await publisherJson(directory, ['publish', 'build', '--repo', 'r', '--product', 'acme', '--version', '1.0.0'])
  await publisherJson(directory, ['sign', 'prepare', 'renew', 'root', '--repo', 'r', '--out', 'next.json'])
  expect((await add('bob-pc', 'next.json', ...right)).code).toBe(6) // It has a root of its own now.
  expect((await add('bob-pc', 'next.json', '--fingerprint', repository.fingerprint)).code).toBe(0)
  expect((await add('carol-pc', 'next.json', '--fingerprint', repository.fingerprint)).code).toBe(0)
  expect(
    await runPublisher(directory, ['sign', 'finish', 'next.json', '--repo', 'r', '--tracker', 'udp://t.example.com:1']),
  ).toMatchObject({ code: 2, stderr: expect.stringContaining('--url and --tracker are for a ceremony that founds') })
  expect((await runPublisher(directory, ['sign', 'finish', 'next.json', '--repo', 'r'])).code).toBe(0)
}, 120_000)

describe('a file that was altered before anybody signed is another repository, or none', () => {
  // biome-ignore lint/suspicious/noExplicitAny: a file that may be bent in any way.
  type Bent = any
  const bent = async (bend: (file: Bent) => void): Promise<string> => {
    const file = JSON.parse(await readFile(inDirectory('new.json'), 'utf8'))
    bend(file)
    const path = inDirectory(`bent-${Math.random()}.json`)
    await writeFile(path, JSON.stringify(file))
    return path
  }

  const cases: readonly (readonly [string, (file: Bent) => void, RegExp])[] = [
    ['no targets', (file) => delete file.documents.targets, /no root and targets to begin with/],
    ['no root', (file) => delete file.documents.root, /no root and targets to begin with/],
    ['no first version of the product', (file) => delete file.documents.acme, /lacks the first version of acme/],
    [
      'a product that nobody delegates to',
      (file) => (file.documents.zeta = file.documents.acme),
      /nobody delegates to zeta/,
    ],
    ['a second version', (file) => (file.documents.root.signed.version = 2), /root would go from version 0 to 2/],
    ['a timestamp', (file) => (file.documents.timestamp = file.documents.acme), /timestamp is not signed by people/],
    ['half a base', (file) => (file.base['1.targets.json'] = '{}'), /lacks 1\.root\.json/],
  ]
  test.each(cases)('%s', async (_, bend, says) => {
    await expect(readCeremony(await bent(bend))).rejects.toMatchObject({
      code: 'CEREMONY_INVALID',
      message: expect.stringMatching(says),
    })
  })

  test("another threshold, or another's key, has another fingerprint than the one that was compared", async () => {
    const weaker = await bent((file) => (file.documents.root.signed.roles.root.threshold = 1))
    expect(await add('bob-pc', weaker, '--fingerprint', founded.fingerprint)).toMatchObject({
      code: 6,
      stderr: expect.stringContaining(`not ${founded.fingerprint}`),
    })
    expect((await runPublisher(directory, ['sign', 'review', weaker])).stdout).toMatch(/! root is signed by 1 of/)
  })
})

test.each([
  ['a threshold that cannot be met', ['--root-threshold', '4'], /the threshold 4 of root cannot be met by 3 keys/],
  [
    'a key that is there twice',
    ['--urgent-key', 'bob.pub', 'bob.pub'],
    /the role urgent has the key [0-9a-f]{8} twice/,
  ],
  ['a product that is there twice', ['--product', 'acme', 'acme'], /the product acme is named twice/],
])('%s', async (_, options, says) => {
  const prepared = await runPublisher(directory, ['sign', 'prepare', 'init', '--out', 'not.json', ...who, ...options])
  expect(prepared).toMatchObject({ code: 2, stderr: expect.stringMatching(says) })
  expect(await isThere('not.json')).toBe(false)
})
