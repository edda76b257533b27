// The cache may be torn, deleted, replaced or on a full disk: it never bricks the agent, and never lets an older state in.
import { mkdir, readdir, readFile, readlink, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { type CacheDisk, realDisk } from '../../agent/src/refresh/cache.ts'
import { findBelowFloor, floorsFrom } from '../../agent/src/refresh/floors.ts'
import { type Machine, openMachine } from '../support/refreshing.ts'
import { fileOf, type Loose, type RepositorySimulator, simulateRepository } from '../support/repository-simulator.ts'

const FILES = ['2.root.json', 'timestamp.json', 'snapshot.json', 'targets.json', 'acme.json'] as const
const NOW = { root: 2, timestamp: 3, snapshot: 3, targets: 3, acme: 3 }

interface Arranged {
  readonly repository: RepositorySimulator
  /** The repository as it was: everything was valid, and still is but for its versions. */
  readonly older: RepositorySimulator
  /** The same with the root of today, as a mirror would serve it that hides only what follows the root. */
  readonly olderButRoot: RepositorySimulator
  readonly machine: Machine
}

const arrange = async (): Promise<Arranged> => {
  const repository = simulateRepository()
  repository.publish('acme', 'targets', 'snapshot', 'timestamp')
  const older = repository.fork()
  repository.publish('root')
  const olderButRoot = repository.fork()
  repository.publish('acme', 'targets', 'snapshot', 'timestamp')
  const machine = await openMachine(repository)
  await machine.refresh()
  expect(machine.committed()).toEqual(NOW)
  return { repository, older, olderButRoot, machine }
}

const serve = (repository: RepositorySimulator, { answer }: RepositorySimulator) =>
  Object.assign(repository, { answer })

type Damage = (path: string) => Promise<unknown>
const DAMAGES: readonly (readonly [string, Damage])[] = [
  ['deleted', (path) => rm(path)],
  ['torn', (path) => truncate(path, 100)],
  ['altered', async (path) => writeFile(path, (await readFile(path, 'utf8')).replace('2099', '2098'))],
]

/** Every subset, the empty one included. */
const SUBSETS = Array.from({ length: 2 ** FILES.length }, (_, bits) => FILES.filter((_file, i) => bits & (1 << i)))

test.each(DAMAGES)(
  'whichever files are %s, an older state is refused and an honest refresh mends it',
  async (_, damage) => {
    const { repository, older, olderButRoot, machine: opened } = await arrange()
    await using machine = opened
    const honest = { ...repository }
    const floors = machine.floors.read('test')
    for (const subset of SUBSETS) {
      for (const name of subset) await damage(join(machine.cache, 'current', name))
      for (const replay of [older, olderButRoot]) {
        serve(repository, replay)
        await expect(machine.refresh()).rejects.toMatchObject({ code: 'METADATA_ROLLBACK' })
        expect(machine.floors.read('test')).toEqual(floors)
      }
      serve(repository, honest)
      await machine.refresh()
      expect(machine.committed()).toEqual(NOW)
      expect(machine.leftovers()).toEqual([])
    }
  },
)

describe('whatever happens to the folder', () => {
  const disasters: readonly (readonly [string, (machine: Machine) => Promise<unknown>])[] = [
    ['the link is gone', ({ cache }) => rm(join(cache, 'current'))],
    [
      'the copy is gone',
      async ({ cache }) => rm(join(cache, await readlink(join(cache, 'current'))), { recursive: true }),
    ],
    ['everything is gone', ({ cache }) => rm(cache, { recursive: true })],
    [
      'the link leads elsewhere',
      async ({ cache }) => [await rm(join(cache, 'current')), await symlink('/etc', join(cache, 'current'))],
    ],
    [
      'the link leads up',
      async ({ cache }) => [await rm(join(cache, 'current')), await symlink('..', join(cache, 'current'))],
    ],
    [
      'a folder is in the place of the link',
      async ({ cache }) => [await rm(join(cache, 'current')), await mkdir(join(cache, 'current'))],
    ],
    [
      'a file is in the place of the link',
      async ({ cache }) => [await rm(join(cache, 'current')), await writeFile(join(cache, 'current'), '')],
    ],
    [
      'a file is in the place of the copy',
      async ({ cache }) => {
        const copy = join(cache, await readlink(join(cache, 'current')))
        await rm(copy, { recursive: true })
        await writeFile(copy, '')
      },
    ],
    [
      'a folder is in the place of a file',
      async ({ cache }) => {
        await rm(join(cache, 'current', 'timestamp.json'))
        await mkdir(join(cache, 'current', 'timestamp.json'))
      },
    ],
    [
      'a file is a link',
      async ({ cache }) => {
        await rm(join(cache, 'current', 'timestamp.json'))
        await symlink('/dev/zero', join(cache, 'current', 'timestamp.json'))
      },
    ],
    ['a file is far too long', ({ cache }) => truncate(join(cache, 'current', 'timestamp.json'), 10 * 1024 * 1024)],
    [
      'strange files lie about',
      async ({ cache }) => {
        for (const name of ['x.json', '7.root.json', '0.root.json', '%.json', '1.acme.json', 'readme']) {
          await writeFile(join(cache, 'current', name), 'strange')
        }
      },
    ],
    [
      'leftovers of killed processes lie about',
      async ({ cache }) => {
        await mkdir(join(cache, 'copy-0123456789abcdef'))
        await mkdir(join(cache, 'scratch-abcdef'))
        await symlink('copy-0123456789abcdef', join(cache, '.current.aabbcc.tmp'))
      },
    ],
  ]

  test.each(disasters)('%s: the next refresh mends it', async (_, disaster) => {
    const { machine: opened } = await arrange()
    await using machine = opened
    await disaster(machine)
    await machine.refresh()
    expect(machine.committed()).toEqual(NOW)
    expect(machine.leftovers()).toEqual([])
    expect((await readdir(join(machine.cache, 'current'))).toSorted()).toEqual([...FILES].toSorted())
  })

  test.each(disasters)('%s: an older state is refused', async (_, disaster) => {
    const { repository, older, machine: opened } = await arrange()
    await using machine = opened
    await disaster(machine)
    serve(repository, older)
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'METADATA_ROLLBACK' })
  })
})

test('a backup of the cache that is put back is brought up to date, and does not serve an older state', async () => {
  const repository = simulateRepository()
  await using machine = await openMachine(repository)
  await machine.refresh()
  const backup = await backUp(machine)
  const older = repository.fork()
  repository.publish('acme', 'targets', 'snapshot', 'timestamp')
  await machine.refresh()
  await backup()
  const honest = { ...repository }
  serve(repository, older)
  await expect(machine.refresh()).rejects.toMatchObject({ code: 'METADATA_ROLLBACK' })
  serve(repository, honest)
  await machine.refresh()
  expect(machine.committed()).toMatchObject({ timestamp: 2, acme: 2 })
})

const backUp = async ({ cache }: Machine) => {
  const names = await readdir(join(cache, 'current'))
  const saved = await Promise.all(
    names.map(async (name) => [name, await readFile(join(cache, 'current', name))] as const),
  )
  return async () => {
    for (const [name, bytes] of saved) await writeFile(join(cache, 'current', name), bytes)
  }
}

describe('pins', () => {
  test('another repository under the same name starts with floors of its own', async () => {
    const { machine: opened, repository } = await arrange()
    await using machine = opened
    const other = simulateRepository()
    machine.source = {
      ...machine.source,
      rootBytes: other.rootBytes(),
      pin: { ...machine.source.pin, fingerprint: 'sha256:other' },
    }
    serve(repository, other)
    await machine.refresh()
    expect(machine.committed()).toEqual({ root: 1, timestamp: 1, snapshot: 1, targets: 1, acme: 1 })
  })

  test('a later root of the same repository keeps the floors of the keys', async () => {
    const { machine: opened, repository, olderButRoot } = await arrange()
    await using machine = opened
    machine.source = {
      ...machine.source,
      rootBytes: repository.rootBytes(2),
      pin: { ...machine.source.pin, fingerprint: 'sha256:later' },
    }
    await rm(machine.cache, { recursive: true })
    serve(repository, olderButRoot)
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'METADATA_ROLLBACK' })
  })

  test.each([
    ['is no JSON', () => Buffer.from('{')],
    ['is other metadata', ({ files }) => files.get('metadata/timestamp.json')],
    ['nobody signed', ({ signed }) => fileOf(signed.root ?? {}, [])],
    [
      'breaks our policy',
      ({ signed, signers }) => fileOf({ ...signed.root, consistent_snapshot: false }, signers.root ?? []),
    ],
  ] as [string, (repository: RepositorySimulator) => Buffer][])(
    'a pinned root that %s is said to be damaged, and nobody is asked',
    async (_, rootOf) => {
      const { machine: opened, repository } = await arrange()
      await using machine = opened
      repository.requests.length = 0
      machine.source = { ...machine.source, rootBytes: rootOf(repository) }
      await expect(machine.refresh()).rejects.toMatchObject({ code: 'STATE_DAMAGED' })
      expect(repository.requests).toEqual([])
    },
  )
})

describe('floors', () => {
  test('unreachable is not a rollback, even without a cache', async () => {
    const { repository, machine: opened } = await arrange()
    await using machine = opened
    await rm(machine.cache, { recursive: true })
    repository.intercept = () => {
      throw new Error('ECONNREFUSED')
    }
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  })

  const parse = (repository: RepositorySimulator, name: string): Loose =>
    JSON.parse(String(repository.files.get(`metadata/${name}`)))
  const setOf = (repository: RepositorySimulator, root: number, version: number) =>
    ({
      pin: 'p',
      root: parse(repository, `${root}.root.json`),
      timestamp: parse(repository, 'timestamp.json'),
      snapshot: parse(repository, `${version}.snapshot.json`),
      products: ['acme'],
    }) as unknown as Parameters<typeof floorsFrom>[0]

  test('count a version only as far as a threshold of today’s keys vouched for it', () => {
    const repository = simulateRepository()
    const [a, b, c] = [0, 1, 2].map(() => simulateRepository().signers.root?.[0]).flatMap((key) => key ?? [])
    if (a === undefined || b === undefined || c === undefined) throw new Error('keys')
    repository.rotate('timestamp', [a, b])
    Object.assign(repository.signed.timestamp ?? {}, { version: 99 })
    repository.publish('root', 'snapshot', 'timestamp')
    const floors = floorsFrom(setOf(repository, 2, 2))
    expect(floors).toMatchObject({ 'root@p': 2, [`timestamp@${a.keyId}`]: 100, [`timestamp@${b.keyId}`]: 100 })

    Object.assign(repository.signed.timestamp ?? {}, { version: 0 })
    repository.publish('timestamp')
    expect(findBelowFloor(floors, setOf(repository, 2, 2))).toMatchObject({ role: 'timestamp', version: 1, floor: 100 })
    // With one of the two keys replaced, what both signed would not be accepted any more.
    repository.rotate('timestamp', [a, c])
    repository.publish('root', 'timestamp')
    expect(findBelowFloor(floors, setOf(repository, 3, 2))).toBeUndefined()
  })

  test('a role that the snapshot no longer lists lies below its floor', async () => {
    const repository = simulateRepository({ products: ['acme', 'beta'] })
    await using machine = await openMachine(repository)
    await machine.refresh({ products: ['beta'] })
    await rm(machine.cache, { recursive: true })
    delete repository.signed.snapshot?.meta['beta.json']
    repository.publish('snapshot', 'timestamp')
    await expect(machine.refresh()).rejects.toMatchObject({
      code: 'METADATA_ROLLBACK',
      message: expect.stringMatching(/beta no longer/),
    })
    expect(machine.committed()).toEqual({ root: 1, timestamp: 2 })
  })
})

describe('a disk that fails', () => {
  const STEPS = ['makeDirectory', 'writeFile', 'syncDirectory', 'replaceLink'] as const
  const failing = (step: keyof CacheDisk, code: string): CacheDisk => ({
    ...realDisk,
    [step]: () => Promise.reject(Object.assign(new Error(`${code}: no`), { code })),
  })

  test.each(STEPS)('at %s leaves the copy in force, and says so', async (step) => {
    const { repository, machine: opened } = await arrange()
    await using machine = opened
    repository.publish('timestamp')
    await expect(machine.refresh({ disk: failing(step, 'ENOSPC') })).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect(machine.committed()).toEqual(NOW)
    expect(machine.leftovers()).toEqual([])
    await expect(machine.refresh({ disk: failing(step, 'EACCES') })).rejects.toMatchObject({ code: 'PERMISSION' })
    await machine.refresh()
    expect(machine.committed()).toEqual({ ...NOW, timestamp: 4 })
  })

  test('nothing is written if nothing has changed', async () => {
    const { machine: opened } = await arrange()
    await using machine = opened
    for (const step of STEPS) await machine.refresh({ disk: failing(step, 'ENOSPC') })
  })

  test('a copy is flushed before the link names it, and floors are raised before that', async () => {
    const { repository, machine: opened } = await arrange()
    await using machine = opened
    repository.publish('timestamp')
    const steps: string[] = []
    const recording = Object.fromEntries(
      Object.entries(realDisk).map(([step, run]) => [
        step,
        (...args: Parameters<typeof run>) => {
          steps.push(step)
          return (run as (...all: unknown[]) => Promise<void>)(...args)
        },
      ]),
    ) as unknown as CacheDisk
    const { read, raise } = machine.floors
    const floors = {
      read,
      raise: (...args: Parameters<typeof raise>) => {
        steps.push('raise')
        raise(...args)
      },
    }
    await machine.refresh({ disk: recording, floors })
    expect(steps).toEqual([
      'raise',
      'makeDirectory',
      ...FILES.map(() => 'writeFile'),
      'syncDirectory',
      'syncDirectory',
      'replaceLink',
      'remove',
    ])
  })
})
