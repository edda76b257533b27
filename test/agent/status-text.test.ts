// What a person reads: the state of a product in a few words, whatever the state.
import { expect, test } from '@jest/globals'
import { type StatusView, stateOf, textOfStatus } from '@updraft/agent/status-text'
import type { ProductStatus, SourceStatus, Update } from '@updraft/core/control/api'

const NOW = new Date('2026-01-10T12:00:00Z')
const update: Update = {
  version: '1.1.0',
  state: 'downloading',
  haveBytes: 45,
  totalBytes: 100,
  bytes: { peers: 45, origin: 0, reused: 0 },
  peers: 3,
  startedAt: '2026-01-10T11:59:00Z',
}
const product: ProductStatus = {
  name: 'acme',
  source: 'main',
  channel: 'stable',
  platform: 'linux-x64',
  decision: [{ rule: 'subscribed', passed: true, detail: 'in the settings' }],
  trust: { level: 'trusted', signers: [{ keyId: 'abcdef0123456789' }], threshold: 1, findings: [] },
  seeding: { releases: 0, peers: 0, uploadedBytes: 0 },
}
const installed = {
  version: '1.0.0',
  path: '/p',
  installedAt: '2026-01-01T00:00:00Z',
  signers: [{ keyId: 'k', name: 'Acme' }],
  threshold: 1,
}
const available = { version: '1.1.0', published: '2026-01-09T00:00:00Z' }
const held = [...product.decision, { rule: 'version-range', passed: false, detail: 'none of 1 release is in 1.0.x' }]
const failedUpdate: Update = {
  ...update,
  state: 'failed',
  endedAt: 't',
  error: { type: 't', title: 't', status: 502, detail: 'no peer had piece 7', code: 'SWARM_STALLED' },
}

const states: readonly (readonly [expected: string, product: Partial<ProductStatus>, running: boolean])[] = [
  ['not looked at yet', {}, true],
  ['not installed: none of 1 release is in 1.0.x', { decision: held, available }, true],
  ['up to date', { installed, available: { ...available, version: '1.0.0' } }, true],
  ['up to date', { installed }, true],
  [
    'stays: 1.0.0 was yanked, and no other version is named',
    {
      installed,
      decision: [
        { rule: 'way-out', passed: false, detail: '1.0.0 was yanked, and no other version is named' },
        { rule: 'not-held', passed: false, detail: 'held' },
      ],
    },
    true,
  ],
  ['stays: none of 1 release is in 1.0.x', { installed, available, decision: held }, true],
  ['waiting', { installed, available }, true],
  ['downloading 45 % (1.1.0, 3 peers)', { installed, available, update }, true],
  ['downloading (1.1.0, 3 peers)', { update: { ...update, totalBytes: 0 } }, true],
  ['verifying (1.1.0)', { update: { ...update, state: 'verifying' } }, true],
  ['interrupted at downloading 45 % (1.1.0)', { installed, update }, false],
  ['failed (1.1.0)', { installed, available, update: failedUpdate }, true],
  ['rolled back (1.1.0)', { installed, available, update: { ...failedUpdate, state: 'rolled-back' } }, true],
  ['up to date', { installed: { ...installed, version: '1.1.0' }, available, update: failedUpdate }, true],
  ['not updated: not in the settings, so nothing updates it', { installed, decision: [{ rule: 'subscribed', passed: false, detail: 'not in the settings, so nothing updates it' }] }, true],
] // biome-ignore format: one case per line

test.each(states)('%s', (expected, changes, running) => {
  expect(stateOf({ ...product, ...changes }, running)).toBe(expected)
})

test('the whole text says who, what, until when, what is wrong and what to do', () => {
  const source: SourceStatus = {
    name: 'main',
    url: 'https://updates.example.com/',
    root: { version: 3, fingerprint: 'sha256:00', pinnedBy: 'first-use' },
    expires: { role: 'timestamp', at: '2026-01-09T12:00:00Z' },
    lastCheck: {
      at: '2026-01-10T11:58:00Z',
      error: {
        type: 't',
        title: 't',
        status: 502,
        detail: 'metadata has expired',
        code: 'METADATA_EXPIRED',
        hint: 'tell the publisher',
      },
    },
    nextCheckAt: '2026-01-10T12:30:00Z',
  }
  const view: StatusView = {
    apiVersion: 1,
    agent: {
      version: '1.0.0',
      pid: 42,
      hostname: 'box',
      home: '/h',
      startedAt: '2026-01-10T09:00:00Z',
      swarmPort: 6_881,
    },
    sources: [source],
    products: [
      {
        ...product,
        installed,
        available,
        update: failedUpdate,
        seeding: { releases: 2, peers: 5, uploadedBytes: 3 * 1_048_576 },
        trust: {
          ...product.trust,
          level: 'attention',
          verification: 'permissive',
          findings: [
            {
              code: 'metadata-expired',
              severity: 'warning',
              message: 'timestamp expired on 9 January',
              hint: 'tell the publisher',
              since: '2026-01-09T12:00:00Z',
            },
          ],
        },
      },
    ],
    cursor: 0,
  }
  expect(textOfStatus(view, NOW)).toBe(
    `Agent 1.0.0 runs on box since 3 h (process 42, peers reach port 6881, home /h)

PRODUCT  INSTALLED  AVAILABLE  STATE           TRUST      SIGNED BY  SOURCE
acme     1.0.0      1.1.0      failed (1.1.0)  attention  Acme       main

SOURCE  CHECKED            NEXT CHECK  EXPIRES                     ROOT
main    2 min ago, failed  in 30 min   timestamp expired 24 h ago  version 3, pinned by first use: never compared

! source main could not be checked
  metadata has expired
  hint: tell the publisher

! acme: the update to 1.1.0 failed
  no peer had piece 7

i acme: verified as permissive: expiry and revocation are only told

! acme: metadata has expired (metadata-expired, for 24 h)
  timestamp expired on 9 January
  hint: tell the publisher

Shares 2 releases with 5 peers; gave 3.0 MiB since the start.`,
  )
})

test('a failed check is told once, not again by its finding', () => {
  const detail = 'no answer from updates.example.com'
  const source: SourceStatus = {
    name: 'main',
    url: 'https://updates.example.com/',
    root: { version: 1, fingerprint: 'sha256:00', pinnedBy: 'file' },
    lastCheck: {
      at: '2026-01-10T11:58:00Z',
      error: { type: 't', title: 't', status: 502, detail, code: 'SOURCE_UNREACHABLE' },
    },
  }
  const finding = { code: 'source-unreachable', severity: 'warning', message: detail, hint: '', since: 't' } as const
  const told = { ...product, trust: { ...product.trust, findings: [finding] } }
  const text = textOfStatus({ apiVersion: 1, agent: null, sources: [source], products: [told], cursor: 0 }, NOW)
  expect(text.split(detail)).toHaveLength(2)
})

test('nothing yet says what to do first', () => {
  const text = textOfStatus({ apiVersion: 1, agent: null, sources: [], products: [], cursor: 0 }, NOW)
  for (const command of ['updraft-agent run', 'updraft-agent install PRODUCT', 'updraft-agent trust add URL']) {
    expect(text).toContain(command)
  }
})
