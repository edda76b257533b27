// Whose word it is that a release is urgent: of a repository with the role `urgent` that role's, and nobody else's.
import { describe, expect, test } from '@jest/globals'
import { MIRROR, openMachine } from '../support/refreshing.ts'
import {
  askFrom,
  EVERYTHING,
  ed25519Key,
  type RepositorySimulator,
  roleOf,
  simulateRepository,
} from '../support/repository-simulator.ts'
import { addUrgentRole, callUrgent } from '../support/urgent-role.ts'

/** With three releases, of which the product's own role calls 1.1.0 urgent, and the role `urgent` calls 1.2.0 so. */
const simulateUrgent = (spoil: (repository: RepositorySimulator) => void = () => {}): RepositorySimulator => {
  const repository = simulateRepository()
  repository.addRelease('acme', '1.1.0', (custom) => Object.assign(custom, { urgent: true }))
  repository.addRelease('acme', '1.2.0')
  addUrgentRole(repository)
  callUrgent(repository, '1.2.0')
  spoil(repository)
  repository.publish('acme', 'urgent', 'targets', 'snapshot', 'timestamp')
  return repository
}

const urgentIn = ({ releases }: Awaited<ReturnType<Awaited<ReturnType<typeof openMachine>>['refresh']>>) =>
  Object.fromEntries(
    releases.flatMap(({ release, urgency }) => (urgency === undefined ? [] : [[release.version, urgency]])),
  )

test('the role says it, and by whom; the word of the product does not count beside it', async () => {
  const repository = simulateUrgent()
  await using machine = await openMachine(repository)
  const result = await machine.refresh({ urgency: true })
  const signers = repository.signers.urgent?.map(({ keyId }) => ({ keyId }))
  expect(urgentIn(result)).toEqual({ '1.2.0': { role: 'urgent', signers } })
  expect(result).toMatchObject({ failed: [], rejected: [], urgentRole: { role: 'urgent', threshold: 1 } })
})

test('a repository without the role goes by what the product says', async () => {
  const repository = simulateRepository()
  repository.addRelease('acme', '1.1.0', (custom) => Object.assign(custom, { urgent: true }))
  repository.publish('acme', 'snapshot', 'timestamp')
  await using machine = await openMachine(repository)
  const result = await machine.refresh({ urgency: true })
  const signers = repository.signers.acme?.map(({ keyId }) => ({ keyId }))
  expect(urgentIn(result)).toEqual({ '1.1.0': { role: 'acme', signers } })
  expect(result.urgentRole).toBeUndefined()
})

test('who asks for no age fetches nothing for it, and who does fetches one file, once', async () => {
  const repository = simulateUrgent()
  await using machine = await openMachine(repository)
  const { releases } = await machine.refresh()
  expect(releases.map(({ urgency }) => urgency)).toEqual([undefined, undefined, undefined])
  expect(repository.requests).not.toContain('metadata/1.urgent.json')
  const before = repository.requests.length
  await machine.refresh()
  const without = repository.requests.length - before
  await machine.refresh({ urgency: true })
  await machine.refresh({ urgency: true })
  expect(repository.requests.filter((path) => path === 'metadata/1.urgent.json')).toHaveLength(1)
  expect(repository.requests.length - before - without).toBe(2 * without + 1)
})

describe('another content, or another release, under an urgent name is not urgent', () => {
  test.each([
    ['content', { index: 'a'.repeat(64) }],
    ['version', { version: '1.1.0' }],
    ['platform', { platform: 'any' }],
    ['product', { product: 'beta' }],
  ])('another %s', async (_, change) => {
    const repository = simulateUrgent(({ signed }) => Object.assign(signed.urgent?.urgent.releases[0], change))
    await using machine = await openMachine(repository)
    expect(urgentIn(await machine.refresh({ urgency: true }))).toEqual({})
  })
})

describe('a role that does not hold calls nothing urgent, is told, and stops nothing', () => {
  test.each([
    ['signed by the product', 'METADATA_UNTRUSTED', (r) => (r.signers.urgent = r.signers.acme ?? [])],
    ['signed by the online keys', 'METADATA_UNTRUSTED', (r) => (r.signers.urgent = r.signers.snapshot ?? [])],
    [
      'signed by one of two',
      'METADATA_UNTRUSTED',
      (r) => {
        const keys = [ed25519Key(), ed25519Key()]
        r.rotate('urgent', keys)
        r.signers.urgent = keys.slice(1)
        expect(roleOf(keys).threshold).toBe(2)
      },
    ],
    ['expired', 'METADATA_EXPIRED', (r) => Object.assign(r.signed.urgent ?? {}, { expires: '2020-01-01T00:00:00Z' })],
    ['of another schema', 'METADATA_POLICY', (r) => (r.signed.urgent?.urgent as { schema: number }).schema++],
    ['listing targets', 'METADATA_POLICY', (r) => Object.assign(r.signed.urgent?.targets, r.signed.acme?.targets)],
    [
      'not there',
      'SOURCE_UNREACHABLE',
      (r) => {
        r.intercept = (path) => (path.endsWith('.urgent.json') ? new Response('', { status: 404 }) : undefined)
      },
    ],
  ] as [string, string, (repository: RepositorySimulator) => unknown][])('%s', async (_, code, spoil) => {
    const repository = simulateUrgent(spoil)
    await using machine = await openMachine(repository)
    const result = await machine.refresh({ urgency: true })
    expect(urgentIn(result)).toEqual({})
    expect(result).toMatchObject({ failed: [], urgentRole: { code } })
    expect(result.releases).toHaveLength(3)
    expect(machine.committed()).not.toHaveProperty('urgent')
  })

  test('another mirror that has it is asked', async () => {
    const repository = simulateUrgent()
    const lacking = repository.fork()
    lacking.intercept = (path) => (path.endsWith('.urgent.json') ? new Response('', { status: 404 }) : undefined)
    const urls = ['http://lacking.test/', MIRROR] as const
    await using machine = await openMachine(repository, {
      urls,
      ask: askFrom({ 'http://lacking.test/': lacking, [MIRROR]: repository }),
    })
    const result = await machine.refresh({ urgency: true })
    expect(Object.keys(urgentIn(result))).toEqual(['1.2.0'])
    expect(result.skipped).toMatchObject([{ url: 'http://lacking.test/', error: { code: 'SOURCE_UNREACHABLE' } }])
  })

  test('an older list than was seen is a rollback of the source', async () => {
    const repository = simulateUrgent()
    await using machine = await openMachine(repository)
    const old = repository.fork()
    repository.publish('urgent', 'snapshot', 'timestamp')
    await machine.refresh({ urgency: true })
    expect(machine.committed()).toMatchObject({ urgent: 2 })
    for (let times = 0; times < 2; times += 1) old.publish('snapshot', 'timestamp')
    const replayed = machine.refresh({ urgency: true, ask: askFrom({ [MIRROR]: old }) })
    await expect(replayed).rejects.toMatchObject({ code: 'METADATA_ROLLBACK' })
  })
})

test('a role that comes later takes the word from the product', async () => {
  const repository = simulateRepository()
  repository.addRelease('acme', '1.1.0', (custom) => Object.assign(custom, { urgent: true }))
  repository.publish('acme', 'snapshot', 'timestamp')
  await using machine = await openMachine(repository)
  expect(Object.keys(urgentIn(await machine.refresh({ urgency: true })))).toEqual(['1.1.0'])
  addUrgentRole(repository)
  repository.publish('urgent', ...EVERYTHING)
  expect(urgentIn(await machine.refresh({ urgency: true }))).toEqual({})
})
