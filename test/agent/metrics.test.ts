// What Prometheus reads: parsed as its text format says, compared with the status it was made of.
import { expect, test } from '@jest/globals'
import { textOfMetrics } from '@updraft/agent/metrics'
import { countTransferred } from '@updraft/agent/metrics/transferred'
import type { AgentEvent, BytesFrom, RecordedEvent, Status } from '@updraft/core/control/api'
import { parseProduct } from '@updraft/core/names'
import { parseExposition } from '../support/exposition.ts'

const status: Status = {
  apiVersion: 1,
  agent: { version: '1.2.3', pid: 1, hostname: 'h', home: '/h', startedAt: '2026-01-10T00:00:00.000Z', swarmPort: 7 },
  sources: [
    {
      name: 'main',
      url: 'https://updates.example.com/',
      root: { version: 4, fingerprint: 'sha256:00', pinnedBy: 'file' },
      expires: { role: 'timestamp', at: '2026-01-11T00:00:00.000Z' },
      lastCheck: {
        at: '2026-01-10T12:00:00.000Z',
        error: { type: 't', title: 't', status: 502, detail: 'nobody', code: 'SOURCE_UNREACHABLE' },
      },
      nextCheckAt: '2026-01-10T13:00:00.000Z',
    },
    { name: 'new', url: 'http://localhost/', root: { version: 1, fingerprint: 'sha256:11', pinnedBy: 'first-use' } },
  ],
  products: [
    {
      name: 'acme',
      source: 'main',
      channel: 'stable "quoted"\nline\\',
      platform: 'linux-x64',
      installed: { version: '1.0.0', path: '/p', installedAt: '2026-01-01T00:00:00.000Z', signers: [], threshold: 1 },
      available: { version: '1.1.0', published: '2026-01-09T00:00:00.000Z' },
      update: {
        version: '1.1.0',
        state: 'downloading',
        haveBytes: 45,
        totalBytes: 100,
        bytes: { peers: 45, origin: 0, reused: 0 },
        peers: 3,
        startedAt: '2026-01-10T11:59:00.000Z',
      },
      decision: [],
      trust: {
        level: 'untrusted',
        signers: [],
        threshold: 1,
        findings: [
          { code: 'bundle-tampered', severity: 'error', message: 'm', hint: '', since: 's' },
          { code: 'of-a-newer-agent', severity: 'error', message: 'm', hint: '', since: 's' },
        ],
      },
      seeding: { releases: 2, peers: 5, uploadedBytes: 1_000 },
    },
    {
      name: 'beta',
      source: 'main',
      channel: 'stable',
      platform: 'any',
      decision: [],
      trust: { level: 'trusted', signers: [], threshold: 0, findings: [] },
      seeding: { releases: 0, peers: 0, uploadedBytes: 0 },
    },
  ],
  sharing: {
    month: '2026-01',
    sentBytes: { lan: 70, outside: 30 },
    quotaBytes: 100,
    paused: 'metered',
    limits: {},
  },
  cursor: 9,
}
const use = { cpuSeconds: 1.5, residentBytes: 90_000_000, heapUsedBytes: 20_000_000 }

test('every number of the status is there, with its labels', async () => {
  const transferred = new Map([['acme', { peers: 45, origin: 6, reused: 7 }]])
  const { valueAt, types } = parseExposition(
    await textOfMetrics({
      status,
      transferred,
      uploaded: { lan: 8, outside: 9 },
      fallbacks: new Map([['no-peers', 2]]),
      process: use,
    }),
  )
  const acme = { product: 'acme' }
  const rows: readonly (readonly [number | undefined, string, Readonly<Record<string, string>>?])[] = [
    [1, 'updraft_agent_info', { version: '1.2.3' }],
    [1, 'updraft_swarm_listening'],
    [1.5, 'process_cpu_seconds_total'],
    [90_000_000, 'process_resident_memory_bytes'],
    [Date.UTC(2026, 0, 10) / 1_000, 'process_start_time_seconds'],
    [
      1,
      'updraft_product_info',
      {
        ...acme,
        source: 'main',
        channel: 'stable "quoted"\nline\\',
        platform: 'linux-x64',
        installed: '1.0.0',
        available: '1.1.0',
      },
    ],
    [0, 'updraft_product_current', acme],
    [Date.UTC(2026, 0, 1) / 1_000, 'updraft_product_installed_timestamp_seconds', acme],
    [undefined, 'updraft_product_installed_timestamp_seconds', { product: 'beta' }],
    [1, 'updraft_update_state', { ...acme, state: 'downloading' }],
    [0, 'updraft_update_state', { ...acme, state: 'committed' }],
    [0, 'updraft_update_state', { product: 'beta', state: 'downloading' }],
    [3, 'updraft_update_peers', acme],
    [45, 'updraft_update_have_bytes', acme],
    [100, 'updraft_update_size_bytes', acme],
    [8, 'updraft_uploaded_bytes_total', { to: 'lan' }],
    [9, 'updraft_uploaded_bytes_total', { to: 'outside' }],
    [2, 'updraft_fallbacks_total', { reason: 'no-peers' }],
    [30, 'updraft_upload_month_bytes', { to: 'outside' }],
    [100, 'updraft_upload_quota_bytes'],
    [1, 'updraft_sharing_paused', { reason: 'metered' }],
    [0, 'updraft_sharing_paused', { reason: 'quota' }],
    [45, 'updraft_transferred_bytes_total', { ...acme, from: 'peers' }],
    [6, 'updraft_transferred_bytes_total', { ...acme, from: 'origin' }],
    [7, 'updraft_transferred_bytes_total', { ...acme, from: 'reused' }],
    [2, 'updraft_findings', { ...acme, severity: 'error' }],
    [0, 'updraft_findings', { ...acme, severity: 'warning' }],
    [2, 'updraft_seeding_releases', acme],
    [5, 'updraft_seeding_peers', acme],
    [1_000, 'updraft_seeding_uploaded_bytes', acme],
    [4, 'updraft_source_root_version', { source: 'main' }],
    [Date.UTC(2026, 0, 10, 12) / 1_000, 'updraft_source_last_check_timestamp_seconds', { source: 'main' }],
    [0, 'updraft_source_last_check_success', { source: 'main' }],
    [undefined, 'updraft_source_last_check_success', { source: 'new' }],
    [Date.UTC(2026, 0, 10, 13) / 1_000, 'updraft_source_next_check_timestamp_seconds', { source: 'main' }],
    [Date.UTC(2026, 0, 11) / 1_000, 'updraft_metadata_expiry_timestamp_seconds', { source: 'main', role: 'timestamp' }],
  ]
  for (const [value, name, labels = {}] of rows)
    expect([name, labels, valueAt(name, labels)]).toEqual([name, labels, value])
  expect(types.get('updraft_transferred_bytes_total')).toBe('counter')
  expect(types.get('updraft_update_peers')).toBe('gauge')
})

test('an agent without products and sources is still one', async () => {
  const text = await textOfMetrics({
    status: { ...status, sources: [], products: [] },
    transferred: new Map(),
    uploaded: { lan: 0, outside: 0 },
    fallbacks: new Map(),
    process: use,
  })
  expect(parseExposition(text).valueAt('updraft_agent_info', { version: '1.2.3' })).toBe(1)
})

test('transferred bytes are counted once, over several updates, restarts of a download and of the process', () => {
  const listeners: ((recorded: RecordedEvent) => void)[] = []
  const log = {
    onAppend: (listener: (recorded: RecordedEvent) => void) => {
      listeners.push(listener)
      return () => {}
    },
  }
  const product = parseProduct('acme')
  const transferred = countTransferred(log, [
    { product, startedAt: 'first', bytes: { peers: 10, origin: 0, reused: 5 } },
  ])
  const tell = (startedAt: string, bytes: BytesFrom) => {
    const update = { ...status.products[0]?.update, startedAt, bytes } as (AgentEvent & { kind: 'update' })['update']
    for (const listener of listeners) listener({ cursor: 1, at: 't', event: { kind: 'update', product, update } })
  }
  expect(transferred.all().get(product)).toBeUndefined()
  tell('first', { peers: 25, origin: 1, reused: 5 })
  expect(transferred.all().get(product)).toEqual({ peers: 15, origin: 1, reused: 0 })
  tell('first', { peers: 25, origin: 1, reused: 5 })
  expect(transferred.all().get(product)).toEqual({ peers: 15, origin: 1, reused: 0 })
  tell('first', { peers: 3, origin: 1, reused: 5 })
  expect(transferred.all().get(product)).toEqual({ peers: 18, origin: 1, reused: 0 })
  tell('second', { peers: 2, origin: 0, reused: 9 })
  expect(transferred.all().get(product)).toEqual({ peers: 20, origin: 1, reused: 9 })
})
