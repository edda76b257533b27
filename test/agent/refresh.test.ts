import { describe, expect, test } from '@jest/globals'
import { MIRROR, openMachine } from '../support/refreshing.ts'
import { askFrom, simulateRepository } from '../support/repository-simulator.ts'

const SECOND = 'http://second.test/'

describe('a first refresh', () => {
  test('lists the releases with what was signed about them', async () => {
    const repository = simulateRepository()
    await using machine = await openMachine(repository)
    const result = await machine.refresh()
    expect(result).toMatchObject({ rejected: [], failed: [], skipped: [], rootVersion: 1, changed: true })
    expect(result.releases).toEqual([
      {
        source: 'test',
        repositoryUrl: MIRROR,
        isFromPeer: false,
        release: expect.objectContaining({ product: 'acme', version: '1.0.0', platform: 'linux-x64' }),
        index: { path: 'acme/1.0.0/linux-x64.index', lengthBytes: 19, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
        metainfo: {
          path: 'acme/1.0.0/linux-x64.torrent',
          lengthBytes: 22,
          sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
        },
        signers: [{ keyId: repository.signers.acme?.[0]?.keyId }],
        threshold: 1,
      },
    ])
    expect(machine.committed()).toEqual({ root: 1, timestamp: 1, snapshot: 1, targets: 1, acme: 1 })
    expect(machine.leftovers()).toEqual([])
  })

  test('asks for exactly the files of the client workflow, in its order', async () => {
    const repository = simulateRepository()
    await using machine = await openMachine(repository)
    await machine.refresh()
    expect(repository.requests).toEqual([
      'metadata/2.root.json',
      'metadata/timestamp.json',
      'metadata/1.snapshot.json',
      'metadata/1.targets.json',
      'metadata/1.acme.json',
    ])
  })
})

describe('a later refresh', () => {
  test('asks only for what may have changed, and changes nothing', async () => {
    const repository = simulateRepository()
    await using machine = await openMachine(repository)
    await machine.refresh()
    repository.requests.length = 0
    const result = await machine.refresh()
    expect(result).toMatchObject({ changed: false, releases: [{ release: { version: '1.0.0' } }] })
    expect(repository.requests).toEqual(['metadata/2.root.json', 'metadata/timestamp.json'])
  })

  test('follows a chain of roots and keeps every link of it', async () => {
    const repository = simulateRepository()
    await using machine = await openMachine(repository)
    await machine.refresh()
    for (let i = 0; i < 3; i += 1) {
      const old = [...(repository.signers.root ?? [])]
      repository.rotate('root')
      repository.signers.root?.push(...old)
      repository.publish('root')
      repository.signers.root?.splice(1)
    }
    repository.addRelease('acme', '1.1.0')
    repository.publish('acme', 'snapshot', 'timestamp')
    const result = await machine.refresh()
    expect(result).toMatchObject({ rootVersion: 4, changed: true })
    expect(result.releases.map(({ release }) => release.version)).toEqual(['1.0.0', '1.1.0'])
    expect(machine.committed()).toEqual({ root: 4, timestamp: 2, snapshot: 2, targets: 1, acme: 2 })

    repository.requests.length = 0
    await machine.refresh()
    expect(repository.requests).toEqual(['metadata/5.root.json', 'metadata/timestamp.json'])
  })
})

test('a release that is signed and malformed is reported and the others are listed', async () => {
  const repository = simulateRepository()
  repository.addRelease('acme', '1.1.0', (custom) => (custom.schema = 99))
  repository.addRelease('acme', '1.2.0', (custom) => (custom.version = '1.0.0'))
  repository.addRelease('acme', '1.3.0', (custom) => (custom.sizes.indexBytes += 1))
  repository.addRelease('acme', '1.4.0')
  delete repository.signed.acme?.targets['acme/1.4.0/linux-x64.torrent']
  repository.publish('acme', 'snapshot', 'timestamp')
  await using machine = await openMachine(repository)
  const { releases, rejected } = await machine.refresh()
  expect(releases.map(({ release }) => release.version)).toEqual(['1.0.0'])
  expect(rejected.map(({ path, error }) => [path, error.code])).toEqual([
    ['acme/1.1.0/linux-x64.index', 'RELEASE_INVALID'],
    ['acme/1.2.0/linux-x64.index', 'RELEASE_INVALID'],
    ['acme/1.3.0/linux-x64.index', 'RELEASE_INVALID'],
    ['acme/1.4.0/linux-x64.index', 'RELEASE_INVALID'],
  ])
})

describe('several products', () => {
  test('only the roles of those asked for are fetched', async () => {
    const repository = simulateRepository({ products: ['acme', 'beta'] })
    await using machine = await openMachine(repository)
    const { releases } = await machine.refresh({ products: ['beta'] })
    expect(releases.map(({ release }) => release.product)).toEqual(['beta'])
    expect(repository.requests).not.toContain('metadata/1.acme.json')
  })

  test('files of products that are not asked for stay cached', async () => {
    const repository = simulateRepository({ products: ['acme', 'beta'] })
    await using machine = await openMachine(repository)
    await machine.refresh({ products: ['acme', 'beta'] })
    repository.publish('timestamp')
    await machine.refresh({ products: ['acme'] })
    expect(machine.committed()).toMatchObject({ acme: 1, beta: 1, timestamp: 2 })
  })

  test('a product that the source does not have fails alone', async () => {
    await using machine = await openMachine(simulateRepository())
    const { releases, failed, skipped } = await machine.refresh({ products: ['acme', 'ghost'] })
    expect(releases).toHaveLength(1)
    expect(skipped).toEqual([])
    expect(failed).toMatchObject([{ product: 'ghost', error: { code: 'PRODUCT_UNKNOWN' } }])
  })

  test.each([
    ['signed by a stranger', 'METADATA_UNTRUSTED', (r) => (r.signers.beta = r.signers.acme ?? [])],
    ['expired', 'METADATA_EXPIRED', (r) => Object.assign(r.signed.beta ?? {}, { expires: '2020-01-01T00:00:00Z' })],
    ['breaking our policy', 'METADATA_POLICY', (r) => Object.assign(r.signed.beta?.targets, { 'x/y': {} })],
  ] as [string, string, (repository: ReturnType<typeof simulateRepository>) => unknown][])(
    'a product whose role is %s fails alone',
    async (_, code, spoil) => {
      const repository = simulateRepository({ products: ['acme', 'beta'] })
      spoil(repository)
      repository.publish('beta', 'snapshot', 'timestamp')
      await using machine = await openMachine(repository)
      const { releases, failed } = await machine.refresh({ products: ['beta', 'acme'] })
      expect(releases.map(({ release }) => release.product)).toEqual(['acme'])
      expect(failed).toMatchObject([{ product: 'beta', error: { code } }])
      expect(machine.committed()).toEqual({ root: 1, timestamp: 2, snapshot: 2, targets: 1, acme: 1 })
    },
  )

  test('the product of a stolen key cannot list releases of another', async () => {
    const repository = simulateRepository({ products: ['acme', 'beta'] })
    Object.assign(repository.signed.beta?.targets, repository.signed.acme?.targets)
    repository.publish('beta', 'snapshot', 'timestamp')
    await using machine = await openMachine(repository)
    const { releases, failed } = await machine.refresh({ products: ['acme', 'beta'] })
    expect(releases.map(({ release }) => release.product)).toEqual(['acme'])
    expect(failed).toMatchObject([{ product: 'beta', error: { code: 'METADATA_POLICY' } }])
  })
})

test('says which role expires first', async () => {
  const repository = simulateRepository()
  Object.assign(repository.signed.acme ?? {}, { expires: '2098-01-01T00:00:00Z' })
  repository.publish('acme', 'snapshot', 'timestamp')
  await using machine = await openMachine(repository)
  await expect(machine.refresh()).resolves.toMatchObject({ expires: { role: 'acme', at: '2098-01-01T00:00:00Z' } })
})

describe('the clock is the one that is passed in', () => {
  test('a date after the expiry finds it expired', async () => {
    await using machine = await openMachine(simulateRepository())
    const now = () => new Date('2099-01-01T00:00:00Z')
    await expect(machine.refresh({ now })).rejects.toMatchObject({ code: 'METADATA_EXPIRED' })
  })

  test('a date before the expiry finds it valid, whatever the machine says', async () => {
    await using machine = await openMachine(simulateRepository({ expires: '2020-01-01T00:00:00Z' }))
    const now = () => new Date('2019-12-31T23:59:59Z')
    await expect(machine.refresh({ now })).resolves.toMatchObject({ failed: [] })
  })
})

describe('mirrors', () => {
  const urls = [MIRROR, SECOND] as const
  const both = (first: ReturnType<typeof simulateRepository>, second = first) =>
    askFrom({ [MIRROR]: first, [SECOND]: second })

  test('the second is used if the first does not answer', async () => {
    const repository = simulateRepository()
    await using machine = await openMachine(repository, { urls, ask: askFrom({ [SECOND]: repository }) })
    const result = await machine.refresh()
    expect(result.releases).toMatchObject([{ repositoryUrl: SECOND }])
    expect(result.skipped).toMatchObject([{ url: MIRROR, error: { code: 'SOURCE_UNREACHABLE' } }])
  })

  test.each([
    ['is older than what was trusted', 'METADATA_ROLLBACK', () => {}],
    ['was tampered with', 'METADATA_UNTRUSTED', (r) => r.files.set('metadata/timestamp.json', Buffer.from('{}'))],
    ['lacks a file', 'SOURCE_UNREACHABLE', (r) => r.files.delete('metadata/timestamp.json')],
  ] as [string, string, (repository: ReturnType<typeof simulateRepository>) => unknown][])(
    'the second is used if the first %s',
    async (_, code, spoil) => {
      const repository = simulateRepository()
      const stale = repository.fork()
      repository.publish('snapshot', 'timestamp')
      await using machine = await openMachine(repository, { urls, ask: both(repository) })
      await machine.refresh()
      spoil(stale)
      repository.publish('timestamp')
      const result = await machine.refresh({ ask: both(stale, repository) })
      expect(result.skipped).toMatchObject([{ url: MIRROR, error: { code } }])
      expect(machine.committed()).toMatchObject({ timestamp: 3 })
    },
  )

  test('a product that only the second has whole is taken from there', async () => {
    const repository = simulateRepository()
    const broken = repository.fork()
    broken.files.delete('metadata/1.acme.json')
    await using machine = await openMachine(repository, { urls, ask: both(broken, repository) })
    const result = await machine.refresh()
    expect(result).toMatchObject({ failed: [], releases: [{ repositoryUrl: SECOND }] })
  })

  test('a first one that is sound and lags behind gives way to the second', async () => {
    const repository = simulateRepository()
    const lagging = repository.fork()
    repository.addRelease('acme', '1.1.0')
    repository.publish('acme', 'snapshot', 'timestamp')
    await using machine = await openMachine(repository, { urls, ask: both(lagging, repository) })
    const result = await machine.refresh()
    expect(result.releases).toMatchObject([{ repositoryUrl: SECOND }, { repositoryUrl: SECOND }])
    expect(result.skipped).toEqual([])
    expect(machine.committed()).toMatchObject({ timestamp: 2 })
    await machine.refresh({ ask: both(repository, lagging) })
    expect(machine.committed()).toMatchObject({ timestamp: 2 })
  })

  test('a second one that only claims to be newer is told, and the first is used', async () => {
    const repository = simulateRepository()
    const lying = repository.fork()
    lying.files.set('metadata/timestamp.json', Buffer.from('{"signed":{"version":9007199254740991}}'))
    await using machine = await openMachine(repository, { urls, ask: both(repository, lying) })
    const result = await machine.refresh()
    expect(result.releases).toMatchObject([{ repositoryUrl: MIRROR }])
    expect(result.skipped).toMatchObject([{ url: SECOND, error: { code: 'METADATA_UNTRUSTED' } }])
    expect(machine.committed()).toMatchObject({ timestamp: 1 })
  })

  test.each(['nonsense', '{"signed":{"version":"2"}}', '{}', 'null', '{"signed":{"version":1e400}}'])(
    'a second one that answers with %s has no claim',
    async (text) => {
      const repository = simulateRepository()
      const strange = repository.fork()
      strange.files.set('metadata/timestamp.json', Buffer.from(text))
      await using machine = await openMachine(repository, { urls, ask: both(repository, strange) })
      await expect(machine.refresh()).resolves.toMatchObject({ skipped: [], releases: [{ repositoryUrl: MIRROR }] })
    },
  )

  test('a new root that the first hides is learnt from the second', async () => {
    const repository = simulateRepository()
    const hiding = repository.fork()
    const old = [...(repository.signers.timestamp ?? [])]
    repository.rotate('timestamp')
    repository.publish('root', 'timestamp')
    expect(old).not.toEqual(repository.signers.timestamp)
    await using machine = await openMachine(repository, { urls, ask: both(hiding, repository) })
    const result = await machine.refresh()
    // The first one's timestamp is signed by the key that the new root took away.
    expect(result.skipped).toMatchObject([{ url: MIRROR, error: { code: 'METADATA_UNTRUSTED' } }])
    expect(machine.committed()).toMatchObject({ root: 2, timestamp: 2 })
  })

  test('that there is no new root is believed if whoever answers says so', async () => {
    const repository = simulateRepository()
    await using machine = await openMachine(repository, { urls, ask: askFrom({ [MIRROR]: repository }) })
    await expect(machine.refresh()).resolves.toMatchObject({ skipped: [], rootVersion: 1 })
  })

  test('a forged root from the second does not keep the first from being used', async () => {
    const repository = simulateRepository()
    const forging = repository.fork()
    forging.rotate('root')
    forging.publish('root')
    await using machine = await openMachine(repository, { urls, ask: both(repository, forging) })
    const result = await machine.refresh()
    expect(result.releases).toMatchObject([{ repositoryUrl: MIRROR }])
    expect(result.skipped).toMatchObject([{ url: SECOND, error: { code: 'METADATA_UNTRUSTED' } }])
    expect(machine.committed()).toMatchObject({ root: 1, timestamp: 1 })
  })

  test('if all fail, refused metadata is the worse news than silence', async () => {
    const repository = simulateRepository()
    const forging = repository.fork()
    forging.files.set('metadata/timestamp.json', Buffer.from('{}'))
    await using machine = await openMachine(repository, { urls, ask: askFrom({ [SECOND]: forging }) })
    await expect(machine.refresh()).rejects.toMatchObject({ code: 'METADATA_UNTRUSTED' })
    expect(machine.committed()).toEqual({ root: 1 })
  })
})

test('an interruption is neither unreachable nor untrusted, and keeps what was verified', async () => {
  const repository = simulateRepository()
  await using machine = await openMachine(repository)
  const controller = new AbortController()
  repository.intercept = (path) => {
    if (path.endsWith('targets.json')) controller.abort()
    return undefined
  }
  await expect(machine.refresh({ signal: controller.signal })).rejects.toMatchObject({ code: 'ABORTED' })
  expect(machine.committed()).toEqual({ root: 1, timestamp: 1, snapshot: 1 })
})

test('a temporary folder that is full, or not there, does not matter', async () => {
  const repository = simulateRepository()
  await using machine = await openMachine(repository)
  const { TMPDIR } = process.env
  process.env.TMPDIR = '/nonexistent'
  try {
    await expect(machine.refresh()).resolves.toMatchObject({ releases: [{}] })
  } finally {
    if (TMPDIR === undefined) delete process.env.TMPDIR
    else process.env.TMPDIR = TMPDIR
  }
})
