// What a cycle says becomes rows, events and findings that agree with each other, whatever happens in between.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import type { CycleReport, Decision } from '@updraft/agent/cycle-types'
import { type OpenReport, openReport } from '@updraft/agent/report'
import { type ProductSettings, parseSettings } from '@updraft/agent/settings'
import { openStore, type Store } from '@updraft/agent/store'
import { type AgentEvent, eventSchema } from '@updraft/core/control/api'
import { type ErrorCode, UpdateError } from '@updraft/core/errors'
import { makeDirectory } from '@updraft/core/files/atomic'
import { releaseOf, type TemporaryHome, temporaryHome } from '../support/fake-agent-parts.ts'

const settings = parseSettings('{"products": {"acme": {"source": "main"}}}', 'agent.json')
  .products[0] as ProductSettings
const ACME = settings.name
const EXPIRES = { role: 'timestamp', at: '2026-02-01T00:00:00Z' }
const refreshed = { rootVersion: 3, expires: EXPIRES, findings: [] }
const nothing: Decision = { available: undefined, rules: [], update: undefined, signers: [], threshold: 1 }
const transfer = (haveBytes: number) => ({
  haveBytes,
  totalBytes: 100,
  bytes: { peers: haveBytes, origin: 0, reused: 0 },
  peers: 1,
})

let home: TemporaryHome
let store: Store
let timeMs = 0
let warnings: string[] = []

beforeEach(async () => {
  home = temporaryHome()
  await makeDirectory(home.stateDirectory)
  store = openStore(home.stateDirectory)
  timeMs = Date.parse('2026-01-01T00:00:00Z')
  warnings = []
})
afterEach(() => {
  store[Symbol.dispose]()
  home[Symbol.dispose]()
})

const open = (): OpenReport =>
  openReport({
    product: settings,
    store,
    now: () => new Date(timeMs),
    onWarning: (message) => warnings.push(message),
  })

const events = (): readonly AgentEvent[] => (store.events.after(0, 1_000) ?? []).map(({ event }) => event)
const kinds = (): readonly string[] =>
  events().map((event) => (event.kind === 'update' ? event.update.state : event.kind))

const install = (report: CycleReport, version = '1.0.0') => {
  const release = releaseOf(settings, version)
  report.refreshed(refreshed)
  report.decided({ ...nothing, update: release })
  report.entering(release, 'downloading')
  report.transferring(transfer(100))
  report.entering(release, 'activating')
  report.installed({ version: release.version, platform: release.platform, path: '/p', signers: [], threshold: 1 })
}

test('an installation is told in order, and every event is one of the API', () => {
  const { report } = open()
  install(report)
  report.seeding({
    release: releaseOf(settings),
    name: 'acme_1.0.0_any',
    infoHash: 'h',
    trackers: ['t'],
    lengthBytes: 9,
    stamp: undefined,
  })
  expect(kinds()).toEqual(['check', 'downloading', 'downloading', 'activating', 'committed', 'installed', 'seeding'])
  for (const event of events()) expect(eventSchema.safeParse(event).success).toBe(true)
  expect(store.installed.current(ACME)).toMatchObject({ version: '1.0.0', source: 'main', path: '/p' })
  expect(store.journal.latest(ACME)).toMatchObject({ state: 'committed', haveBytes: 100 })
  expect(store.checks.source('main')).toMatchObject({ rootVersion: 3, expires: EXPIRES })
  expect(store.checks.product(ACME)).toMatchObject({ source: 'main', problem: undefined })
  expect(store.seeds.all()).toMatchObject([{ name: 'acme_1.0.0_any', trackers: ['t'] }])
})

test('a second installation names what it replaces', () => {
  install(open().report)
  install(open().report, '1.1.0')
  expect(events().at(-1)).toEqual({ kind: 'installed', product: 'acme', version: '1.1.0', previous: '1.0.0' })
})

test('the journal is written before the step: a kill between them leaves the update open', () => {
  const { report } = open()
  report.entering(releaseOf(settings), 'activating')
  expect(store.journal.open(ACME)).toMatchObject({ state: 'activating', endedAt: undefined })
  const next = open()
  next.report.decided({ ...nothing, update: releaseOf(settings) })
  next.report.entering(releaseOf(settings), 'downloading')
  expect(store.journal.history(ACME, 10)).toHaveLength(1)
  expect(store.journal.steps(ACME).map(({ state }) => state)).toEqual(['activating', 'downloading'])
})

test.each([
  ['another release', releaseOf(settings, '2.0.0'), 'acme 2.0.0'],
  ['nothing', undefined, 'no longer wanted'],
])('an open update is given up when the plan is now %s', (_, update, words) => {
  open().report.entering(releaseOf(settings), 'downloading')
  open().report.decided({ ...nothing, update })
  expect(store.journal.open(ACME)).toBeUndefined()
  expect(store.journal.latest(ACME)).toMatchObject({
    version: '1.0.0',
    state: 'failed',
    problem: { code: 'ABORTED', detail: expect.stringContaining(words) },
  })
})

test('an open update goes on waiting while the plan is to install it later', () => {
  open().report.entering(releaseOf(settings), 'verifying')
  open().report.entering(releaseOf(settings), 'waiting')
  open().report.decided({ ...nothing, later: releaseOf(settings) })
  expect(store.journal.open(ACME)).toMatchObject({ state: 'waiting', endedAt: undefined })
  open().report.decided({ ...nothing, update: releaseOf(settings) })
  expect(store.journal.open(ACME)).toMatchObject({ version: '1.0.0' })
  open().report.decided({ ...nothing, later: releaseOf(settings, '2.0.0') })
  expect(store.journal.open(ACME)).toBeUndefined()
})

test('that a yanked release was installed is no longer so once another one is', () => {
  const finding = { code: 'release-yanked', message: '1.0.0 was yanked', hint: '' } as const
  install(open().report)
  open().report.refreshed({ ...refreshed, findings: [finding] })
  expect(store.findings.open(ACME)).toMatchObject([{ code: 'release-yanked', severity: 'warning' }])
  install(open().report, '0.9.0')
  expect(store.findings.open(ACME)).toEqual([])
})

describe('progress', () => {
  test('is thinned out, but the end is always told', () => {
    const { report } = open()
    report.entering(releaseOf(settings), 'downloading')
    for (let have = 0; have <= 100; have += 1) {
      timeMs += 10
      report.transferring(transfer(have))
    }
    expect(kinds().length).toBeLessThan(6)
    expect(events().at(-1)).toMatchObject({ update: { haveBytes: 100 } })
  })

  test('goes on when the clock is set back', () => {
    const { report } = open()
    report.entering(releaseOf(settings), 'downloading')
    report.transferring(transfer(1))
    timeMs -= 3_600_000
    report.transferring(transfer(2))
    expect(store.journal.open(ACME)?.haveBytes).toBe(2)
  })
})

describe('failures', () => {
  const cases: readonly (readonly [code: ErrorCode, inRefresh: string | undefined, after: string | undefined])[] = [
    ['SOURCE_UNREACHABLE', 'source-unreachable', 'source-unreachable'],
    ['ROOT_UNKNOWN', 'root-unknown', undefined],
    ['METADATA_UNTRUSTED', 'metadata-untrusted', undefined],
    ['METADATA_ROLLBACK', 'metadata-rollback', undefined],
    ['METADATA_EXPIRED', 'metadata-expired', undefined],
    ['METADATA_POLICY', 'metadata-policy', undefined],
    ['LIMIT_EXCEEDED', 'metadata-policy', 'bundle-tampered'],
    ['BUNDLE_INVALID', undefined, 'bundle-tampered'],
    ['METAINFO_INVALID', undefined, 'bundle-tampered'],
    ['SWARM_STALLED', undefined, 'swarm-stalled'],
    ['DISK_FULL', undefined, undefined],
  ]

  test.each(cases)('%s in the refresh is the finding %s', (code, finding) => {
    open().failed(new UpdateError(code, 'why', { hint: 'what to do' }))
    expect(store.findings.open(ACME).map((open) => open.code)).toEqual(finding === undefined ? [] : [finding])
    expect(store.checks.product(ACME)?.problem).toMatchObject({ code, detail: 'why', hint: 'what to do' })
    expect(events()[0]).toMatchObject({ kind: 'check', error: { code } })
  })

  test.each(cases)(
    '%s after the refresh leaves the check good, fails the update, and is the finding %s, %s',
    (code, _, finding) => {
      const { report, failed } = open()
      report.refreshed(refreshed)
      report.entering(releaseOf(settings), 'downloading')
      failed(new UpdateError(code, 'why'))
      expect(store.checks.product(ACME)?.problem).toBeUndefined()
      expect(store.findings.open(ACME).map((open) => open.code)).toEqual(finding === undefined ? [] : [finding])
      expect(store.journal.latest(ACME)).toMatchObject({ state: 'failed', problem: { code } })
    },
  )

  test('an interruption is no failure: the update stays open and nothing is told', () => {
    const { report, failed } = open()
    report.entering(releaseOf(settings), 'downloading')
    failed(new UpdateError('ABORTED', 'stopped'))
    expect(store.journal.open(ACME)).toMatchObject({ state: 'downloading' })
    expect(kinds()).toEqual(['downloading'])
    expect(store.checks.source('main')).toBeUndefined()
  })

  test('a failed probe has been told with the way back: neither the source nor the update fails by it', () => {
    open().failed(new UpdateError('PROBE_FAILED', 'not well'))
    expect(store.checks.source('main')).toBeUndefined()
    expect(events()).toEqual([])
  })

  test('a probe that could not be finished stays open for the next look; one that has nowhere to go back to does not', () => {
    const { report, failed } = open()
    report.refreshed(refreshed)
    report.entering(releaseOf(settings), 'probing')
    failed(new UpdateError('DISK_FULL', 'full'))
    expect(store.journal.open(ACME)?.state).toBe('probing')
    failed(new UpdateError('STATE_DAMAGED', 'gone'))
    expect(store.journal.latest(ACME)).toMatchObject({ state: 'failed', problem: { code: 'STATE_DAMAGED' } })
  })

  test('a defect fails the update and is called one', () => {
    const { report, failed } = open()
    report.refreshed(refreshed)
    report.entering(releaseOf(settings), 'verifying')
    failed(new TypeError('x is undefined'))
    expect(store.journal.latest(ACME)?.problem).toMatchObject({ code: 'DEFECT', detail: 'x is undefined' })
  })
})

describe('findings', () => {
  const codes = () => store.findings.open(ACME).map(({ code }) => code)
  const onFirstUse = { code: 'root-on-first-use', message: 'never compared', hint: 'compare it' } as const

  test('of a refresh stay while it finds them, told once, and are cleared when it does not', () => {
    open().report.refreshed({ ...refreshed, findings: [onFirstUse] })
    open().report.refreshed({ ...refreshed, findings: [onFirstUse] })
    expect(codes()).toEqual(['root-on-first-use'])
    open().report.refreshed(refreshed)
    expect(codes()).toEqual([])
    expect(kinds()).toEqual(['check', 'finding', 'check', 'check', 'finding-cleared'])
  })

  test('that a source cannot be reached does not hide that it was untrusted', () => {
    open().failed(new UpdateError('METADATA_UNTRUSTED', 'bad signature'))
    open().failed(new UpdateError('SOURCE_UNREACHABLE', 'no answer'))
    expect(codes()).toEqual(['metadata-untrusted', 'source-unreachable'])
    open().failed(new UpdateError('METADATA_UNTRUSTED', 'bad signature'))
    expect(codes()).toEqual(['metadata-untrusted'])
    open().report.refreshed(refreshed)
    expect(codes()).toEqual([])
  })

  test('tampered bytes are forgotten by an installation, not by a refresh', () => {
    const { report, failed } = open()
    report.refreshed(refreshed)
    failed(new UpdateError('BUNDLE_INVALID', 'chunk 7'))
    open().report.refreshed(refreshed)
    expect(codes()).toEqual(['bundle-tampered'])
    install(open().report)
    expect(codes()).toEqual([])
  })
})

test('a warning goes to the log and nowhere else', () => {
  open().report.warning('a tracker does not answer')
  expect(warnings).toEqual(['a tracker does not answer'])
  expect(events()).toEqual([])
})
