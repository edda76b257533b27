// What others may try on the way from a repository to this machine: whoever owns the network, a mirror, or stolen keys.
// Each attack names its code and what is trusted afterwards; and after each of them an honest repository is followed.
import { describe, expect, test } from '@jest/globals'
import { ERROR_CODES, isUpdateError } from '@updraft/core/errors'
import fc from 'fast-check'
import { openMachine } from '../support/refreshing.ts'
import {
  ecdsaKey,
  ed25519Key,
  endlessResponse,
  keysOf,
  type Loose,
  type RepositorySimulator,
  roleOf,
  rsaKey,
  simulateRepository,
  stalledResponse,
} from '../support/repository-simulator.ts'

type Spoil = (repository: RepositorySimulator) => unknown
type Attack = readonly [
  name: string,
  code: string,
  message: RegExp,
  attack: Spoil,
  /** Versions that are trusted afterwards, where they are other than before. */
  kept?: Record<string, number>,
]

/** The machine trusts these versions before each attack; the next ones are 2 and 4. */
const BEFORE = { root: 1, timestamp: 3, snapshot: 3, targets: 3, acme: 3 }

const part = (repository: RepositorySimulator, role: string): Loose => repository.signed[role] ?? {}
const file = (repository: RepositorySimulator, name: string): Buffer =>
  repository.files.get(`metadata/${name}`) ?? Buffer.alloc(0)

/** Publishes `role`, and what has to follow so that clients come by it. */
const publish = (repository: RepositorySimulator, role: string) => {
  if (role === 'root' || role === 'timestamp') repository.publish(role)
  else repository.publish(...(role === 'snapshot' ? [role] : [role, 'snapshot']), 'timestamp')
}

/** With the real keys, as whoever stole them could. */
const sign =
  (role: string, change: (signed: Loose) => unknown): Spoil =>
  (repository) => {
    change(part(repository, role))
    publish(repository, role)
  }

const signedByStranger =
  (role: string): Spoil =>
  (repository) => {
    repository.signers[role] = [ed25519Key()]
    publish(repository, role)
  }

/** Serves something else at `name`, after everything was published anew. */
const serve =
  (name: string, bytes: (repository: RepositorySimulator) => Buffer | string): Spoil =>
  (repository) => {
    repository.publish('targets', 'snapshot', 'timestamp')
    repository.files.set(`metadata/${name}`, Buffer.from(bytes(repository)))
  }

const answer =
  (name: string, respond: (signal: AbortSignal | undefined) => Response): Spoil =>
  (repository) => {
    repository.publish('targets', 'snapshot', 'timestamp')
    repository.intercept = (path, signal) => (path === `metadata/${name}` ? respond(signal) : undefined)
  }

const without =
  (name: string): Spoil =>
  (repository) => {
    repository.publish('targets', 'snapshot', 'timestamp')
    repository.files.delete(`metadata/${name}`)
  }

const expire = (signed: Loose) => (signed.expires = '2020-02-02T02:02:02Z')
const addToRoot = (key: ReturnType<typeof ed25519Key>) => (signed: Loose) => Object.assign(signed.keys, keysOf([key]))

const ATTACKS: readonly Attack[] = [
  // Wrong signatures.
  [
    'timestamp by a stranger',
    'METADATA_UNTRUSTED',
    /0 of the 1 signatures that role timestamp/,
    signedByStranger('timestamp'),
  ],
  [
    'snapshot by a stranger',
    'METADATA_UNTRUSTED',
    /4\.snapshot\.json .* 0 of the 1/,
    signedByStranger('snapshot'),
    { timestamp: 4 },
  ],
  [
    'targets by a stranger',
    'METADATA_UNTRUSTED',
    /4\.targets\.json .* 0 of the 1/,
    signedByStranger('targets'),
    { timestamp: 4, snapshot: 4 },
  ],
  [
    'root by its new keys alone',
    'METADATA_UNTRUSTED',
    /2\.root\.json .* 0 of the 1 signatures that role root/,
    (repository) => {
      repository.rotate('root')
      repository.publish('root')
    },
  ],
  [
    'root by its old keys alone',
    'METADATA_UNTRUSTED',
    /2\.root\.json .* 0 of the 1/,
    (repository) => {
      const old = repository.signers.root ?? []
      repository.rotate('root')
      repository.signers.root = old
      repository.publish('root')
    },
  ],
  [
    'root by one of two keys',
    'METADATA_UNTRUSTED',
    /2\.root\.json .* 1 of the 2/,
    (repository) => {
      repository.rotate('root', [...(repository.signers.root ?? []), ed25519Key()])
      repository.signers.root?.splice(1)
      repository.publish('root')
    },
  ],
  [
    'root that skips a version',
    'METADATA_UNTRUSTED',
    /2\.root\.json .* version 3 instead of 2/,
    (repository) => {
      repository.publish('root', 'root')
      repository.files.set('metadata/2.root.json', repository.rootBytes(3))
    },
  ],
  ['the same root again', 'METADATA_UNTRUSTED', /version 1 instead of 2/, serve('2.root.json', (r) => r.rootBytes(1))],
  [
    'a flipped byte in a signature',
    'METADATA_UNTRUSTED',
    /0 of the 1/,
    serve('timestamp.json', (r) => String(file(r, 'timestamp.json')).replace(/("sig": ".)./, '$1g')),
  ],
  [
    'a flipped byte in what was signed',
    'METADATA_UNTRUSTED',
    /0 of the 1/,
    serve('timestamp.json', (r) => String(file(r, 'timestamp.json')).replace('2099', '2098')),
  ],

  // Something else in its place.
  [
    'other metadata',
    'METADATA_UNTRUSTED',
    /not signed, and malformed/,
    serve('timestamp.json', (r) => file(r, '4.targets.json')),
  ],
  ['a page of HTML', 'METADATA_UNTRUSTED', /not JSON/, serve('timestamp.json', () => '<html>')],
  ['an empty file', 'METADATA_UNTRUSTED', /not JSON/, serve('2.root.json', () => '')],
  ['a number', 'METADATA_UNTRUSTED', /not signed, and malformed/, serve('2.root.json', () => '1')],
  [
    'malformed UTF-8',
    'METADATA_UNTRUSTED',
    /not JSON/,
    serve('timestamp.json', (r) => Buffer.concat([file(r, 'timestamp.json'), Buffer.from([0xff])])),
  ],

  // Rollback.
  [
    'an older timestamp',
    'METADATA_ROLLBACK',
    /timestamp version 2 .* older than trusted 3/,
    sign('timestamp', (s) => (s.version = 1)),
  ],
  [
    'a timestamp of an older snapshot',
    'METADATA_ROLLBACK',
    /snapshot version 2 .* older than trusted 3/,
    sign('snapshot', (s) => (s.version = 1)),
  ],
  [
    'a snapshot of older targets',
    'METADATA_ROLLBACK',
    /4\.snapshot\.json .* targets version 2.* older than trusted 3/,
    sign('targets', (s) => (s.version = 1)),
    { timestamp: 4 },
  ],
  [
    'a snapshot of an older product',
    'METADATA_ROLLBACK',
    /lists acme version 2.* older than trusted 3/,
    sign('acme', (s) => (s.version = 1)),
    { timestamp: 4 },
  ],
  [
    'a snapshot without a product',
    'METADATA_ROLLBACK',
    /no longer lists acme\.json/,
    sign('snapshot', (s) => delete s.meta['acme.json']),
    { timestamp: 4 },
  ],

  // Freeze.
  ['an expired root', 'METADATA_EXPIRED', /root\.json .* has expired on 2020-02-02/, sign('root', expire), { root: 2 }],
  [
    'an expired timestamp',
    'METADATA_EXPIRED',
    /timestamp\.json .* has expired on 2020-02-02/,
    sign('timestamp', expire),
  ],
  [
    'an expired snapshot',
    'METADATA_EXPIRED',
    /snapshot\.json .* has expired on 2020-02-02/,
    sign('snapshot', expire),
    { timestamp: 4 },
  ],
  [
    'expired targets',
    'METADATA_EXPIRED',
    /targets\.json .* has expired on 2020-02-02/,
    sign('targets', expire),
    { timestamp: 4, snapshot: 4 },
  ],

  // Mix and match.
  [
    'an old snapshot under a new timestamp',
    'METADATA_UNTRUSTED',
    /4\.snapshot\.json .* (hash|length) .* was signed/,
    serve('4.snapshot.json', (r) => file(r, '3.snapshot.json')),
    { timestamp: 4 },
  ],
  [
    'old targets under a new snapshot',
    'METADATA_UNTRUSTED',
    /4\.targets\.json .* (hash|length) .* was signed/,
    serve('4.targets.json', (r) => file(r, '3.targets.json')),
    { timestamp: 4, snapshot: 4 },
  ],
  [
    'a snapshot of another version than its name, unhashed',
    'METADATA_UNTRUSTED',
    /another version than the timestamp says/,
    (repository) => {
      repository.publish('snapshot')
      part(repository, 'timestamp').meta['snapshot.json'] = { version: 5 }
      repository.files.set('metadata/5.snapshot.json', file(repository, '4.snapshot.json'))
      repository.publish('timestamp')
    },
    { timestamp: 4 },
  ],
  [
    'targets of another version than their name, unhashed',
    'METADATA_UNTRUSTED',
    /has version 4, but the snapshot lists 5/,
    (repository) => {
      repository.publish('targets')
      part(repository, 'snapshot').meta['targets.json'] = { version: 5 }
      repository.files.set('metadata/5.targets.json', file(repository, '4.targets.json'))
      repository.publish('snapshot', 'timestamp')
    },
    { timestamp: 4, snapshot: 4 },
  ],

  // Endless data.
  [
    'a timestamp without end',
    'LIMIT_EXCEEDED',
    /timestamp\.json has more than 16384 bytes/,
    answer('timestamp.json', () => endlessResponse()),
  ],
  [
    'a root without end',
    'LIMIT_EXCEEDED',
    /2\.root\.json has more than 524288 bytes/,
    answer('2.root.json', () => endlessResponse()),
  ],
  [
    'a snapshot beyond its signed length',
    'LIMIT_EXCEEDED',
    /4\.snapshot\.json has more than \d{3} bytes/,
    answer('4.snapshot.json', () => endlessResponse()),
    { timestamp: 4 },
  ],
  [
    'targets without end, of unsigned length',
    'LIMIT_EXCEEDED',
    /4\.targets\.json has more than 16777216 bytes/,
    (repository) => {
      repository.publish('targets')
      part(repository, 'snapshot').meta['targets.json'] = { version: 4 }
      repository.publish('snapshot', 'timestamp')
      repository.intercept = (path) => (path.endsWith('4.targets.json') ? endlessResponse() : undefined)
    },
    { timestamp: 4, snapshot: 4 },
  ],

  // Nobody there, or not for us: never a word about trust.
  [
    'a server that stalls',
    'SOURCE_UNREACHABLE',
    /timestamp\.json was not complete after/,
    answer('timestamp.json', stalledResponse),
  ],
  [
    'a server error',
    'SOURCE_UNREACHABLE',
    /answered 503/,
    answer('timestamp.json', () => new Response('', { status: 503 })),
  ],
  ['a missing timestamp', 'SOURCE_UNREACHABLE', /timestamp\.json is not there \(HTTP 404\)/, without('timestamp.json')],
  [
    'a missing snapshot',
    'SOURCE_UNREACHABLE',
    /4\.snapshot\.json is not there/,
    without('4.snapshot.json'),
    { timestamp: 4 },
  ],
  [
    'missing targets',
    'SOURCE_UNREACHABLE',
    /4\.targets\.json is not there/,
    without('4.targets.json'),
    { timestamp: 4, snapshot: 4 },
  ],
  [
    'a redirect to another server',
    'SOURCE_UNREACHABLE',
    /redirects to another server: http:\/\/127\.0\.0\.1\//,
    answer('timestamp.json', () => redirect('http://127.0.0.1/x')),
  ],
  [
    'a redirect to a file',
    'SOURCE_UNREACHABLE',
    /redirects to another server: file:\/\/\/etc\/passwd/,
    answer('timestamp.json', () => redirect('file:///etc/passwd')),
  ],
  [
    'a redirect in circles',
    'SOURCE_UNREACHABLE',
    /redirects more than 3 times/,
    answer('timestamp.json', () => redirect('timestamp.json')),
  ],
  [
    'a connection that breaks',
    'SOURCE_UNREACHABLE',
    /could not be fetched: ECONNRESET/,
    answer('timestamp.json', () => {
      throw new Error('ECONNRESET')
    }),
  ],

  // What tuf-js would accept, signed with the real keys.
  [
    'root with an RSA key labelled ed25519',
    'METADATA_POLICY',
    /64 lower-case hex/,
    (r) => sign('root', addToRoot(rsaKey(3_072, { keytype: 'ed25519', scheme: 'ed25519' })))(r),
  ],
  ['root with RSA-1024', 'METADATA_POLICY', /1024 bits/, (r) => sign('root', addToRoot(rsaKey(1_024)))(r)],
  [
    'one key under two ids for two of two',
    'METADATA_POLICY',
    /is the same key as/,
    (repository) => {
      const key = ecdsaKey()
      const twin = { ...key, keyId: 'a'.repeat(64) }
      part(repository, 'root').roles.targets = roleOf([key, twin])
      sign('root', (s) => Object.assign(s.keys, keysOf([key, twin])))(repository)
    },
  ],
  [
    'root without consistent snapshots',
    'METADATA_POLICY',
    /consistent_snapshot/,
    sign('root', (s) => (s.consistent_snapshot = false)),
  ],
  ['root with an unknown role', 'METADATA_POLICY', /mirrors/, sign('root', (s) => (s.roles.mirrors = s.roles.root))],
  ['version 0', 'METADATA_POLICY', /signed\.version/, sign('timestamp', (s) => (s.version = -1))],
  ['a version that is a string', 'METADATA_POLICY', /signed\.version/, sign('timestamp', (s) => (s.version = '4'))],
  [
    'expiry with milliseconds',
    'METADATA_POLICY',
    /signed\.expires/,
    sign('timestamp', (s) => (s.expires = '2099-01-01T00:00:00.000Z')),
  ],
  [
    'a snapshot of foreign roles',
    'METADATA_POLICY',
    /not the file of a product/,
    sign('snapshot', (s) => (s.meta['../x.json'] = { version: 1 })),
    { timestamp: 4 },
  ],
  ...(
    [
      [
        'hashes: {} ',
        /no hash at all/,
        (s: Loose) => (s.targets = { 'acme/1.0.0/any.index': { length: 1, hashes: {} } }),
      ],
      [
        'a pattern that explodes',
        /literals/,
        (s: Loose) => (s.delegations.roles[0].paths = ['acme/{1..9999999}/{1..9999999}']),
      ],
      ['a product that takes all paths', /form acme/, (s: Loose) => (s.delegations.roles[0].paths = ['*/*/*'])],
      ['a role called 1', /is a number/, (s: Loose) => (s.delegations.roles[0].name = '1')],
      ['a role called constructor', /reserve/, (s: Loose) => (s.delegations.roles[0].name = 'constructor')],
      [
        'a target called __proto__',
        /reserve/,
        (s: Loose) => (s.targets = JSON.parse('{"__proto__":{"length":1,"hashes":{}}}')),
      ],
      [
        'releases listed above the products',
        /instead of the role/,
        (s: Loose) => (s.targets = { 'acme/1.0.0/any.index': { length: 1, hashes: { sha256: 'a'.repeat(64) } } }),
      ],
    ] as const
  ).map(
    ([name, message, change]): Attack => [
      name,
      'METADATA_POLICY',
      message,
      sign('targets', change),
      { timestamp: 4, snapshot: 4 },
    ],
  ),
]

const redirect = (location: string) => new Response(null, { status: 302, headers: { location } })

/** A repository at the versions of BEFORE, and a machine that trusts them. */
const arrange = async () => {
  const repository = simulateRepository()
  for (let i = 0; i < 2; i += 1) repository.publish('acme', 'targets', 'snapshot', 'timestamp')
  const machine = await openMachine(repository)
  await machine.refresh()
  expect(machine.committed()).toEqual(BEFORE)
  return { repository, machine }
}

describe('an attack', () => {
  test.each(ATTACKS)('%s', async (_, code, message, attack, kept = {}) => {
    const { repository, machine: opened } = await arrange()
    await using machine = opened
    const honest = repository.fork()
    const floors = machine.floors.read('test')
    attack(repository)

    const refused = machine.refresh({ timeoutMs: 200 })
    await expect(refused).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
      hint: expect.any(String),
    })
    expect(machine.committed()).toEqual({ ...BEFORE, ...kept })
    expect(machine.leftovers()).toEqual([])
    if (Object.keys(kept).length === 0) expect(machine.floors.read('test')).toEqual(floors)

    if ('root' in kept) return // The publisher's own root; what it says goes.
    for (let i = 0; i < 2; i += 1) honest.publish('acme', 'targets', 'snapshot', 'timestamp')
    Object.assign(repository, { answer: honest.answer })
    await expect(machine.refresh()).resolves.toMatchObject({ failed: [], releases: [{}] })
    expect(machine.committed()).toEqual({ root: 1, timestamp: 5, snapshot: 5, targets: 5, acme: 5 })
  })
})

describe('an attack on the role of the product', () => {
  const cases: readonly Attack[] = [
    ['by a stranger', 'METADATA_UNTRUSTED', /4\.acme\.json .* 0 of the 1/, signedByStranger('acme')],
    ['expired', 'METADATA_EXPIRED', /acme\.json .* has expired on 2020-02-02/, sign('acme', expire)],
    [
      'missing',
      'SOURCE_UNREACHABLE',
      /4\.acme\.json is not there/,
      (r) => [publish(r, 'acme'), r.files.delete('metadata/4.acme.json')],
    ],
    [
      'an older one under a new snapshot',
      'METADATA_UNTRUSTED',
      /(hash|length) .* was signed/,
      (r) => [publish(r, 'acme'), r.files.set('metadata/4.acme.json', file(r, '3.acme.json'))],
    ],
    [
      'below its threshold',
      'METADATA_UNTRUSTED',
      /1 of the 2/,
      (r) => {
        r.rotate('acme', [...(r.signers.acme ?? []), ed25519Key()])
        r.signers.acme?.splice(1)
        r.publish('acme', 'targets', 'snapshot', 'timestamp')
      },
    ],
    [
      'hashes: {} for an index',
      'METADATA_POLICY',
      /no hash at all/,
      sign('acme', (s) => (s.targets['acme/1.0.0/linux-x64.index'].hashes = {})),
    ],
    [
      'a target that climbs',
      'METADATA_POLICY',
      /not of the form/,
      sign('acme', (s) => (s.targets['../x'] = { length: 1, hashes: { sha256: 'a'.repeat(64) } })),
    ],
    [
      'delegating on',
      'METADATA_POLICY',
      /delegates further/,
      (r) => sign('acme', (s) => (s.delegations = structuredClone(part(r, 'targets').delegations)))(r),
    ],
  ]

  test.each(cases)('%s', async (_, code, message, attack) => {
    const { repository, machine: opened } = await arrange()
    await using machine = opened
    attack(repository)
    const { releases, failed } = await machine.refresh()
    expect(releases).toEqual([])
    expect(failed).toMatchObject([{ product: 'acme', error: { code, message: expect.stringMatching(message) } }])
    expect(machine.committed().acme).toBe(3)
  })

  test('a product that disappeared from the repository is unknown, and nothing of its cache is used', async () => {
    const { repository, machine: opened } = await arrange()
    await using machine = opened
    part(repository, 'targets').delegations.roles = []
    publish(repository, 'targets')
    const { releases, failed } = await machine.refresh()
    expect(releases).toEqual([])
    expect(failed).toMatchObject([{ error: { code: 'PRODUCT_UNKNOWN' } }])
  })
})

test('a redirect on the same server is followed', async () => {
  const { repository, machine: opened } = await arrange()
  await using machine = opened
  repository.publish('timestamp')
  repository.intercept = (path) => (path === 'metadata/timestamp.json' ? redirect('/moved/timestamp.json') : undefined)
  repository.files.set('moved/timestamp.json', file(repository, 'timestamp.json'))
  await machine.refresh()
  expect(machine.committed()).toMatchObject({ timestamp: 4 })
})

test('an endless answer is cut off, not read', async () => {
  const { repository, machine: opened } = await arrange()
  await using machine = opened
  let cancelled = false
  repository.intercept = (path) =>
    path.endsWith('timestamp.json')
      ? endlessResponse(() => {
          cancelled = true
        })
      : undefined
  await expect(machine.refresh()).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  expect(cancelled).toBe(true)
})

describe('a fast-forward attack is recovered from by new keys', () => {
  test('timestamp and snapshot', async () => {
    const { repository, machine: opened } = await arrange()
    await using machine = opened
    for (const role of ['timestamp', 'snapshot']) part(repository, role).version = 2 ** 40
    repository.publish('snapshot', 'timestamp')
    await machine.refresh()
    expect(machine.committed()).toMatchObject({ timestamp: 2 ** 40 + 1, snapshot: 2 ** 40 + 1 })

    for (const role of ['timestamp', 'snapshot']) {
      part(repository, role).version = 3
      repository.rotate(role)
    }
    repository.publish('root', 'snapshot', 'timestamp')
    await machine.refresh()
    expect(machine.committed()).toMatchObject({ root: 2, timestamp: 4, snapshot: 4 })
  })

  test('targets and products', async () => {
    const { repository, machine: opened } = await arrange()
    await using machine = opened
    for (const role of ['targets', 'acme']) part(repository, role).version = 2 ** 40
    repository.publish('acme', 'targets', 'snapshot', 'timestamp')
    await machine.refresh()
    for (const role of ['targets', 'acme']) part(repository, role).version = 3
    repository.rotate('snapshot')
    repository.publish('root', 'acme', 'targets', 'snapshot', 'timestamp')
    await machine.refresh()
    expect(machine.committed()).toMatchObject({ root: 2, targets: 4, acme: 4 })
  })

  test('but not by the old ones', async () => {
    const { repository, machine: opened } = await arrange()
    await using machine = opened
    part(repository, 'timestamp').version = 2 ** 40
    repository.publish('timestamp')
    await machine.refresh()
    part(repository, 'timestamp').version = 3
    repository.publish('root', 'timestamp')
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'METADATA_ROLLBACK' })
  })
})

test('a flipped bit anywhere in any file is refused, or changes nothing', async () => {
  const repository = simulateRepository()
  repository.publish('root') // Pinned is the first; this one is fetched.
  const names = [...repository.files.keys()].filter((name) => name.startsWith('metadata/') && !name.includes('1.root'))
  await using clean = await openMachine(repository)
  const { releases } = await clean.refresh()
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), fc.nat(), fc.nat({ max: 7 }), async (name, place, bit) => {
      const altered = repository.fork()
      const bytes = Buffer.from(altered.files.get(name) ?? [])
      const at = place % bytes.length
      bytes[at] = (bytes[at] ?? 0) ^ (1 << bit)
      altered.files.set(name, bytes)
      await using machine = await openMachine(altered)
      const outcome = await machine.refresh().catch((error: unknown) => error)
      if (isUpdateError(outcome)) expect(['untrusted', 'unreachable']).toContain(ERROR_CODES[outcome.code].exit)
      else {
        const result = outcome as Awaited<ReturnType<typeof machine.refresh>>
        if (result.failed.length === 0) expect(result.releases).toEqual(releases)
        else expect(result.releases).toEqual([])
      }
    }),
    { numRuns: 150 },
  )
})
