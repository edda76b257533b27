// What a person reads of one product, of its history and of events: the reason, the place and what to do are all in it.
import { describe, expect, test } from '@jest/globals'
import { textOfEvent } from '@updraft/agent/event-text'
import { textOfHistory } from '@updraft/agent/history-text'
import { textOfWhy } from '@updraft/agent/why-text'
import type { AgentEvent, PastUpdate, ProductStatus, SourceStatus } from '@updraft/core/control/api'

const NOW = new Date('2026-01-10T12:00:00.000Z')
const product: ProductStatus = {
  name: 'acme',
  source: 'main',
  channel: 'stable',
  platform: 'linux-x64',
  installed: {
    version: '1.0.0',
    path: '/p',
    installedAt: '2026-01-01T00:00:00.000Z',
    signers: [{ keyId: 'k', name: 'Acme' }],
    threshold: 1,
  },
  available: { version: '1.1.0', published: '2026-01-09T00:00:00.000Z' },
  decision: [
    { rule: 'subscribed', passed: true, detail: 'in the settings' },
    { rule: 'version-range', passed: false, detail: 'none of 1 release is in 1.0.x; the newest is 1.1.0' },
  ],
  decidedAt: '2026-01-10T11:55:00.000Z',
  nextCheckAt: '2026-01-10T12:30:00.000Z',
  trust: { level: 'trusted', signers: [{ keyId: 'abcdef0123456789' }], threshold: 1, findings: [] },
  seeding: { releases: 0, peers: 0, uploadedBytes: 0 },
}
const source: SourceStatus = {
  name: 'main',
  url: 'https://updates.example.com/',
  root: { version: 1, fingerprint: 'sha256:00', pinnedBy: 'file' },
  lastCheck: { at: '2026-01-10T11:55:00.000Z' },
}
const problem = { type: 't', title: 't', status: 502, detail: 'no peer had piece 7', code: 'SWARM_STALLED' }

describe('why', () => {
  test('says what is there, each rule with its values, and when it is looked at again', () => {
    expect(textOfWhy({ running: true, product, source }, NOW)).toBe(
      [
        'acme: stays: none of 1 release is in 1.0.x; the newest is 1.1.0',
        '',
        '  installed  1.0.0, 9 days ago',
        '  available  1.1.0, published 2026-01-09',
        '  signed by  key abcdef01',
        '  source     main, channel stable, for linux-x64; checked 5 min ago',
        '  next look  in 30 min (2026-01-10 12:30:00 UTC)',
        '',
        'Decided 5 min ago:',
        '  yes  subscribed: in the settings',
        '  NO   version-range: none of 1 release is in 1.0.x; the newest is 1.1.0',
      ].join('\n'),
    )
  })

  test('says of a rule that time decides when it is looked at again', () => {
    const rule = { rule: 'not-held', passed: false, detail: 'held', recheckAt: '2026-01-10T14:30:00.000Z' }
    expect(textOfWhy({ running: true, product: { ...product, decision: [rule] }, source }, NOW)).toMatch(
      /^ {2}NO {3}not-held: held; looked at again in 2 h \(2026-01-10 14:30:00 UTC\)$/m,
    )
  })

  test.each([
    ['under way now', true, { nextCheckAt: undefined }],
    ['now (2026-01-10 11:00:00 UTC)', true, { nextCheckAt: '2026-01-10T11:00:00.000Z' }],
    ['when the agent runs again: updraft-agent run', false, {}],
    ['never: it is not subscribed to', true, { decision: [{ rule: 'subscribed', passed: false, detail: 'no' }] }],
  ] as const)('the next look is %s', (text, running, changes) => {
    expect(textOfWhy({ running, product: { ...product, ...changes }, source }, NOW)).toContain(`next look  ${text}\n`)
  })

  test('nothing known is said as that', () => {
    const { installed: _, available: __, decidedAt: ___, ...rest } = product
    const text = textOfWhy({ running: true, product: { ...rest, decision: [] }, source: undefined }, NOW)
    expect(text).toContain('installed  nothing\n')
    expect(text).toContain('available  nothing that is known\n')
    expect(text).toContain('; not trusted on this machine\n')
    expect(text).toContain('Nothing has been decided yet:')
  })

  test('findings and a failed update are told with what to do, also those of a newer agent', () => {
    const finding = { code: 'sky-falling', severity: 'error' as const, message: 'it falls', hint: 'run', since: 't' }
    const update = { ...past, error: problem }
    const text = textOfWhy(
      { running: true, product: { ...product, update, trust: { ...product.trust, findings: [finding] } }, source },
      NOW,
    )
    expect(text).toContain('The update to 1.1.0 ended: no peer had piece 7 (SWARM_STALLED)')
    expect(text).toContain('has no name for yet (sky-falling)\n  it falls\n  hint: run')
  })
})

const past: PastUpdate = {
  version: '1.1.0',
  platform: 'any',
  state: 'failed',
  haveBytes: 1,
  totalBytes: 2,
  bytes: { peers: 2_048, origin: 0, reused: 1_024 },
  peers: 0,
  startedAt: '2026-01-09T10:00:00.000Z',
  endedAt: '2026-01-09T10:02:00.000Z',
  steps: [
    { state: 'downloading', at: '2026-01-09T10:00:00.000Z' },
    { state: 'failed', at: '2026-01-09T10:02:00.000Z' },
  ],
}

describe('history', () => {
  test('is one line per update of all products, newest first, with the bytes and the reason', () => {
    const older: PastUpdate = { ...past, state: 'committed', startedAt: '2026-01-08T10:00:00.000Z', version: '1.0.0' }
    const text = textOfHistory([
      { product: 'beta', updates: [older] },
      { product: 'acme', updates: [{ ...past, error: problem }] },
    ])
    expect(text.split('\n').map((line) => line.replaceAll(/ {2,}/g, ' | '))).toEqual([
      'STARTED (UTC) | PRODUCT | VERSION | STATE | TOOK | PEERS | ORIGIN | REUSED',
      '2026-01-09 10:00:00 | acme | 1.1.0 | failed | 2 min | 2.0 KiB | 0 B | 1.0 KiB | while downloading: no peer had piece 7 (SWARM_STALLED)',
      '2026-01-08 10:00:00 | beta | 1.0.0 | committed | 24 h | 2.0 KiB | 0 B | 1.0 KiB',
    ])
  })

  test('without any says so', () => {
    expect(textOfHistory([{ product: 'acme', updates: [] }])).toBe('No update has been tried yet.')
  })
})

const events: readonly (readonly [text: string, event: AgentEvent])[] = [
  ['checked the source main', { kind: 'check', source: 'main' }],
  ['the source main could not be checked: no peer had piece 7', { kind: 'check', source: 'main', error: problem }],
  ['acme: downloading 1.1.0, 50 %', { kind: 'update', product: 'acme', update: { ...past, state: 'downloading' } }],
  [
    'acme: update to 1.1.0 ended: no peer had piece 7',
    { kind: 'update', product: 'acme', update: { ...past, error: problem } },
  ],
  [
    'acme: installed 1.1.0 in place of 1.0.0',
    { kind: 'installed', product: 'acme', version: '1.1.0', previous: '1.0.0' },
  ],
  ['acme: shares 1.1.0 with the swarm', { kind: 'seeding', product: 'acme', version: '1.1.0' }],
  ['acme: no longer: metadata-expired', { kind: 'finding-cleared', product: 'acme', code: 'metadata-expired' }],
  ['settings refused, the old ones stay: no peer had piece 7', { kind: 'settings', error: problem }],
  ['acme: looked for updates', { kind: 'idle', product: 'acme' }],
  ['older events are no longer kept', { kind: 'reset' }],
]

test.each(events)('event: %s', (text, event) => {
  expect(textOfEvent({ cursor: 41, at: '2026-01-10T12:00:00.123Z', event })).toBe(
    `2026-01-10 12:00:00      41  ${text}`,
  )
})
