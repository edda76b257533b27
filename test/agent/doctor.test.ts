// What facts about a machine amount to: each fault alone in a machine that is otherwise well, with what to do about it.
import { describe, expect, test } from '@jest/globals'
import { diagnose, type Facts, type Knowledge } from '@updraft/agent/doctor/diagnosis'
import { parseSettings } from '@updraft/agent/settings'
import type { ProductStatus, SourceStatus, Status } from '@updraft/core/control/api'
import { UpdateError } from '@updraft/core/errors'

const NOW = new Date('2026-01-10T12:00:00.000Z')
const problem = {
  type: 't',
  title: 't',
  status: 502,
  detail: 'nobody is there',
  code: 'SOURCE_UNREACHABLE',
  hint: 'wait',
}
const source: SourceStatus = {
  name: 'main',
  url: 'https://updates.example.com/',
  root: { version: 3, fingerprint: 'sha256:00', pinnedBy: 'file' },
  expires: { role: 'timestamp', at: '2026-01-11T08:00:00.000Z' },
  lastCheck: { at: '2026-01-10T11:00:00.000Z' },
}
const product: ProductStatus = {
  name: 'acme',
  source: 'main',
  channel: 'stable',
  platform: 'any',
  installed: { version: '1.0.0', path: '/p', installedAt: '2026-01-02T00:00:00.000Z', signers: [], threshold: 1 },
  available: { version: '1.0.0', published: '2026-01-01T00:00:00.000Z' },
  decision: [],
  trust: { level: 'trusted', signers: [], threshold: 1, findings: [] },
  seeding: { releases: 0, peers: 0, uploadedBytes: 0 },
}
const knowing = (sources: readonly SourceStatus[], products: readonly ProductStatus[], more: Partial<Knowledge> = {}) =>
  ({
    kind: 'read',
    value: {
      state: { apiVersion: 1, sources, products, cursor: 1 },
      bundleBytes: [100, 50],
      missingPaths: [],
      ...more,
    },
  }) as const
const running = (swarmPort: number): Facts['agent'] => {
  const agent = { version: '1.2.3', pid: 7, hostname: 'h', home: '/h', startedAt: 't', swarmPort }
  return { kind: 'read', value: { apiVersion: 1, agent, sources: [], products: [], cursor: 0 } satisfies Status }
}
const settingsOf = (text: string): Facts['settings'] => ({ kind: 'read', value: parseSettings(text, 'agent.json') })
const failing = (error: unknown) => ({ kind: 'failed', error }) as const

const well: Facts = {
  now: NOW,
  uid: 1_000,
  settingsPath: '/home/a/agent.json',
  settings: settingsOf('{"products": {"acme": {"source": "main"}}}'),
  sources: { kind: 'read', value: [{ name: 'main' }] },
  knowledge: knowing([source], [product]),
  agent: running(6_881),
  uses: [],
  socket: { path: '/home/a/agent.sock', uid: 1_000, mode: 0o600 },
  authorities: { kind: 'read', value: [] },
  homeFaults: { kind: 'read', value: [] },
  disk: { kind: 'read', value: { path: '/home/a', freeBytes: 1_000_000 } },
  port: { kind: 'read', value: undefined },
}
const stopped: Partial<Facts> = { agent: { kind: 'read', value: undefined }, socket: undefined }

test('a machine that is well has nothing but good news', () => {
  expect(diagnose(well).map(({ name, level, detail }) => `${level} ${name}: ${detail}`)).toEqual([
    'ok settings: /home/a/agent.json subscribes to 1 product',
    'ok store: whole: 1 product installed, 2 bundles kept',
    'ok source main: root 3 pinned by file; timestamp expires in 20 h',
    'ok clock: 2026-01-10 12:00:00 UTC is after all that is known',
    'ok home: nobody else may write in it, or above it',
    'ok disk: 976.6 KiB free at /home/a; 2 bundles kept, 150 B',
    'ok agent: version 1.2.3 answers (process 7)',
    'ok port: peers reach port 6881',
  ])
})

const finding = {
  code: 'bundle-tampered',
  severity: 'error' as const,
  message: 'piece 3 is wrong',
  hint: 'h',
  since: 's',
}
const withFinding = { ...product, trust: { ...product.trust, level: 'untrusted' as const, findings: [finding] } }
const noDisk = new UpdateError('PERMISSION', 'the agent needs to write in /home/a')
const torn = new UpdateError('STATE_DAMAGED', 'the database is damaged', { hint: 'restore it' })
const taken = new UpdateError('PORT_IN_USE', 'port 6881 is taken by another program', { hint: 'another one' })
const malformed = new UpdateError('SETTINGS_INVALID', 'agent.json:3:7: colon expected', { hint: 'correct it' })

const errors: readonly (readonly [says: string, check: string, exit: string, facts: Partial<Facts>])[] = [
  ['agent.json:3:7: colon expected', 'settings', 'usage', { settings: failing(malformed) }],
  ['the database is damaged', 'store', 'local', { knowledge: failing(torn) }],
  ['/p is recorded but not there, and 1 more', 'store', 'local', { knowledge: knowing([source], [product], { missingPaths: ['/p', '/q'] }) }],
  ['the database is damaged', 'sources', 'local', { sources: failing(torn) }],
  ['acme comes from main, which has no pinned root', 'source main', 'untrusted', { sources: { kind: 'read', value: [] } }],
  ['timestamp metadata expired 2 h ago', 'source main', 'untrusted', { now: new Date('2026-01-11T10:00:00.000Z') }],
  ['piece 3 is wrong (bundle-tampered)', 'trust in acme', 'untrusted', { knowledge: knowing([source], [withFinding]) }],
  ['the last check of main is of 2026-01-10 11:00:00, but it is 2026-01-05 00:00:00 UTC here', 'clock', 'local', { now: new Date('2026-01-05T00:00:00.000Z') }],
  ['acme 2.0.0 is of 2027-01-01 00:00:00', 'clock', 'local', { knowledge: knowing([source], [{ ...product, available: { version: '2.0.0', published: '2027-01-01T00:00:00.000Z' } }]) }],
  ['the authority /ca.pem cannot be read', 'authorities', 'local', { authorities: failing(new UpdateError('IO', 'the authority /ca.pem cannot be read', { hint: 'h' })) }],
  ['/home may be written by everybody, and 1 more', 'home', 'local', { homeFaults: { kind: 'read', value: [{ path: '/home/a', what: 'is odd', level: 'warning' }, { path: '/home', what: 'may be written by everybody', level: 'error' }] } }],
  ['the agent needs to write in /home/a', 'disk', 'local', { disk: failing(noDisk) }],
  ['99 B free', 'disk', 'local', { disk: { kind: 'read', value: { path: '/', freeBytes: 99 } } }],
  ['0 B free', 'disk', 'local', { disk: { kind: 'read', value: { path: '/', freeBytes: 0 } }, knowledge: { kind: 'read', value: undefined } }],
  ['belongs to user 0, not to 1000', 'agent', 'local', { socket: { path: '/s', uid: 0, mode: 0o600 } }],
  ['is open to others (mode 666)', 'agent', 'local', { socket: { path: '/s', uid: 1_000, mode: 0o666 } }],
  ['no agent is running', 'agent', 'notRunning', stopped],
  ['x is undefined', 'agent', 'defect', { agent: failing(new TypeError('x is undefined')) }],
  ['the swarm is not open', 'port', 'local', { agent: running(0) }],
] // biome-ignore format: one case per line

describe('errors', () => {
  test.each(errors)('%s', (says, name, exit, facts) => {
    const wrong = diagnose({ ...well, ...facts }).filter(({ level }) => level === 'error')
    expect(wrong).toEqual([
      { name, level: 'error', detail: expect.stringContaining(says), hint: expect.any(String), exit },
    ])
  })

  test('a port that another program has is found while no agent runs', () => {
    const wrong = diagnose({ ...well, ...stopped, port: failing(taken) }).filter(({ level }) => level === 'error')
    expect(wrong.map(({ name, exit }) => [name, exit])).toEqual([
      ['agent', 'notRunning'],
      ['port', 'conflict'],
    ])
  })
})

const warnings: readonly (readonly [says: string, facts: Partial<Facts>])[] = [
  ['subscribes to no product', { settings: settingsOf('{}') }],
  ['no source is trusted', { settings: settingsOf('{}'), sources: { kind: 'read', value: [] } }],
  ['the last check failed: nobody is there', { knowledge: knowing([{ ...source, lastCheck: { at: '2026-01-10T11:00:00.000Z', error: problem } }], [product]) }],
  ['nobody else can run what is installed: /var/lib/updraft is closed to others', { disk: { kind: 'read', value: { path: '/var/lib/updraft', freeBytes: 1e9, isClosed: true } } }],
  ['1.0.0 is installed, but acme is not in the settings, so nothing updates it', { knowledge: knowing([source], [{ ...product, decision: [{ rule: 'subscribed', passed: false, detail: 'no' }] }]) }],
  ['never reached: nobody is there', { knowledge: knowing([{ ...source, expires: undefined, lastCheck: { at: '2026-01-10T11:00:00.000Z', error: problem } }], []) }],
  ['it is audit, so some trust findings do not stop updates', { settings: settingsOf('{"products": {"acme": {"source": "main", "verification": "audit"}}}') }],
  ['expired 2 h ago; updates go on', { now: new Date('2026-01-11T10:00:00.000Z'), settings: settingsOf('{"products": {"acme": {"source": "main", "verification": "permissive"}}}') }],
  ['/h may be written by the members', { homeFaults: { kind: 'read', value: [{ path: '/h', what: 'may be written by the members of its group', level: 'warning' }] } }],
  ['250 B free', { disk: { kind: 'read', value: { path: '/', freeBytes: 250 } } }],
] // biome-ignore format: one case per line

describe('warnings', () => {
  test.each(warnings)('%s is one, and no error', (says, facts) => {
    const checks = diagnose({ ...well, ...facts })
    expect(checks.filter(({ level }) => level === 'error')).toEqual([])
    const warned = checks.filter(({ level }) => level === 'warning')
    expect(warned.map(({ detail }) => detail)).toContainEqual(expect.stringContaining(says))
    for (const { hint } of warned) expect(hint).not.toBe('')
  })
})

test('a first use that was never compared is told, and is not wrong', () => {
  const unsure = { ...source, root: { ...source.root, pinnedBy: 'first-use' as const } }
  expect(diagnose({ ...well, knowledge: knowing([unsure], [product]) })).toContainEqual(
    expect.objectContaining({ name: 'source main', level: 'ok', hint: expect.stringContaining('trust list') }),
  )
})
