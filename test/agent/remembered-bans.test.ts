// A restart of the agent is no pardon for whoever sent bad data, and no longer sentence either.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { tellBan } from '@updraft/agent/ban-notice'
import { rememberedBans } from '@updraft/agent/remembered-bans'
import { openReport } from '@updraft/agent/report'
import { type ProductSettings, parseSettings } from '@updraft/agent/settings'
import { openStore, type Store } from '@updraft/agent/store'
import { BAN_TERM_MS } from '@updraft/core/swarm/peers/bans'

const ACME = parseSettings('{"products": {"acme": {"source": "main"}}}', 'agent.json').products[0] as ProductSettings

let directory: string
let store: Store
const BEGIN_MS = Date.parse('2026-05-01T00:00:00Z')
let time = BEGIN_MS
let warnings: string[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'updraft-bans-'))
  store = openStore(directory)
  warnings = []
  time = BEGIN_MS
})
afterEach(() => {
  store[Symbol.dispose]()
  rmSync(directory, { recursive: true })
})

const start = () =>
  rememberedBans({
    store: store.bans,
    log: { warn: (message) => void warnings.push(message) },
    now: () => new Date(time),
    onBan: (bundle) => tellBan(bundle, store, new Date(time)),
  })
const restart = () => {
  store[Symbol.dispose]()
  store = openStore(directory)
  return start()
}

test('a ban holds over a restart, and ends when it would have ended', () => {
  start().ban('address 192.0.2.1', 'sent bad data')
  time += BAN_TERM_MS - 1
  const bans = restart()
  expect([bans.isBanned('address 192.0.2.1'), bans.isBanned('address 192.0.2.2')]).toEqual([true, false])
  time += 1
  expect([bans.isBanned('address 192.0.2.1'), restart().isBanned('address 192.0.2.1')]).toEqual([false, false])
  expect(warnings).toEqual(['banned address 192.0.2.1: sent bad data'])
})

test('whose product it was sent for hears of it at once, and until the ban ends', () => {
  const bans = start()
  bans.ban('address 192.0.2.1', 'bad data for piece 3', 'acme_1.0.0_any')
  bans.ban('address 192.0.2.2', 'bad data for piece 4', 'acme-cli_1.0.0_any')
  bans.ban('address 192.0.2.3', 'spoke nonsense')
  const events = (store.events.after(0, 10) ?? []).map(({ event }) => event)
  expect(events.map((event) => (event.kind === 'finding' ? [event.product, event.finding.code] : event))).toEqual([
    ['acme', 'peer-banned'],
    ['acme-cli', 'peer-banned'],
  ])
  const [finding, ...others] = store.findings.open(ACME.name)
  expect([finding?.severity, finding?.message, others]).toEqual([
    'info',
    'bad data came from address 192.0.2.1 (until 2026-05-01T01:00:00.000Z)',
    [],
  ])

  const look = () =>
    openReport({ product: ACME, store, now: () => new Date(time), onWarning: () => {} }).report.refreshed({
      rootVersion: 1,
      expires: { role: 'timestamp', at: '2027-01-01T00:00:00Z' },
      findings: [],
    })
  time += BAN_TERM_MS - 1
  look()
  expect(store.findings.open(ACME.name)).toEqual([finding])
  time += 1
  look()
  expect(store.findings.open(ACME.name)).toEqual([])
})

test('a clock that was set back makes none longer than its term', () => {
  start().ban('peer 2d55', 'sent bad data')
  time -= 365 * 24 * 3_600_000
  const bans = restart()
  time += BAN_TERM_MS - 1
  expect(bans.isBanned('peer 2d55')).toBe(true)
  time += 1
  expect(bans.isBanned('peer 2d55')).toBe(false)
})

test('of too many, those that end first are forgotten, and ended ones with the next', () => {
  const at = (seconds: number) => new Date(time + seconds * 1_000).toISOString()
  for (const [index, subject] of ['a', 'b', 'c'].entries()) {
    store.bans.put({ subject, reason: '', until: at(index + 1) }, at(0), 2)
  }
  expect(store.bans.lasting(at(0)).map(({ subject }) => subject)).toEqual(['b', 'c'])
  store.bans.put({ subject: 'd', reason: '', until: at(9) }, at(2), 2)
  expect(store.bans.lasting(at(0)).map(({ subject }) => subject)).toEqual(['c', 'd'])
})

test('one that cannot be written down holds all the same', () => {
  const bans = start()
  store[Symbol.dispose]()
  bans.ban('address 192.0.2.1', 'sent bad data')
  expect(bans.isBanned('address 192.0.2.1')).toBe(true)
  expect(warnings[1]).toMatch(/^the ban is forgotten when the agent stops: /)
  store = openStore(directory)
})
