// What the swarm may use of the network at which moment, and that what was sent in a month outlives a restart.
import { mkdirSync } from 'node:fs'
import { expect, test } from '@jest/globals'
import { keepManners, type MannersOptions } from '@updraft/agent/manners'
import { type MannersFacts, monthOf, termsOf } from '@updraft/agent/manners/terms'
import { parseSettings } from '@updraft/agent/settings'
import { openStore, type Store } from '@updraft/agent/store'
import type { SwarmTerms } from '@updraft/core/swarm/swarm'
import { temporaryHome } from '../support/fake-agent-parts.ts'

const settingsOf = (network: object) => parseSettings(JSON.stringify({ network }), 'agent.json')
const OFFICE_HOURS = { days: 'mon-fri', from: '08:00', to: '18:00' }
/** A Wednesday. */
const at = (time: string): Date => new Date(`2026-01-14T${time}:00Z`)
const facts = (differing: Partial<MannersFacts> = {}): MannersFacts => ({
  now: at('12:00'),
  timeZone: 'UTC',
  metered: undefined,
  sentThisMonthBytes: 0,
  ...differing,
})

test.each<[string, object, Partial<MannersFacts>, Partial<SwarmTerms>]>([
  ['nothing said is no limit, and yielding', {}, {}, { uploadLimit: undefined, sharesOutside: true, yields: true }],
  ['yielding can be turned off', { yields: false }, {}, { yields: false }],
  [
    'limits are apart for the LAN',
    { uploadLimitBytes: 2_000, lanDownloadLimitBytes: 9_000 },
    {},
    { uploadLimit: 2_000, downloadLimit: undefined, lanUploadLimit: undefined, lanDownloadLimit: 9_000 },
  ],
  [
    'in a window its limits hold, and the others beside them',
    { uploadLimitBytes: 2_000, downloadLimitBytes: 5_000, schedule: [{ ...OFFICE_HOURS, uploadLimitBytes: 1_500 }] },
    {},
    { uploadLimit: 1_500, downloadLimit: 5_000 },
  ],
  [
    'outside of it they do not',
    { uploadLimitBytes: 2_000, schedule: [{ ...OFFICE_HOURS, uploadLimitBytes: 1_500 }] },
    { now: at('18:00') },
    { uploadLimit: 2_000 },
  ],
  [
    'the wall clock of the machine counts',
    { schedule: [{ ...OFFICE_HOURS, uploadLimitBytes: 1_500 }] },
    { now: at('18:00'), timeZone: 'America/New_York' },
    { uploadLimit: 1_500 },
  ],
  [
    'the first window that is open counts',
    {
      schedule: [
        { from: '11:00', to: '13:00', uploadLimitBytes: 7_000 },
        { ...OFFICE_HOURS, uploadLimitBytes: 1_500 },
      ],
    },
    {},
    { uploadLimit: 7_000 },
  ],
])('%s', (_rule, network, differing, expected) => {
  expect(termsOf(settingsOf(network).network.manners, facts(differing)).swarm).toMatchObject(expected)
})

test.each([
  ['a quota that is used up', { uploadQuotaBytesPerMonth: 100 }, { sentThisMonthBytes: 100 }, 'quota'],
  ['a quota that is not', { uploadQuotaBytesPerMonth: 100 }, { sentThisMonthBytes: 99 }, undefined],
  ['a quota of nothing', { uploadQuotaBytesPerMonth: 0 }, {}, 'quota'],
  ['a metered connection', {}, { metered: true }, 'metered'],
  ['a metered connection of an owner who does not mind', { sharingOnMetered: 'go-on' }, { metered: true }, undefined],
  ['a connection of which nobody knows', {}, { metered: undefined }, undefined],
  ['a window without sharing', { schedule: [{ ...OFFICE_HOURS, sharing: 'pause' }] }, {}, 'schedule'],
])('%s', (_what, network, differing, paused) => {
  const terms = termsOf(settingsOf(network).network.manners, facts(differing))
  expect([terms.paused, terms.swarm.sharesOutside]).toEqual([paused, paused === undefined])
})

test.each([
  [{ schedule: [{ days: 'some', from: '08:00', to: '18:00' }] }, /days "some" are not days of the week/],
  [{ schedule: [{ from: '08:00', to: '08:00' }] }, /has no length/],
  [{ lan: ['10.0.0.0'] }, /network "10.0.0.0" is none/],
  [{ uploadQuotaBytesPerMonth: -1 }, /uploadQuotaBytesPerMonth/],
  [{ lanUploadLimitBytes: 10 }, /lanUploadLimitBytes/],
])('%j is refused', (network, fault) => {
  expect(() => settingsOf(network)).toThrow(fault)
})

const silent = { info: () => {}, warn: () => {}, error: () => {} } as unknown as MannersOptions['log']

const keeperOf = (store: Store, network: object, more: Partial<MannersOptions> = {}) => {
  const told: SwarmTerms[] = []
  const keeper = keepManners({
    settings: () => settingsOf(network),
    uploads: store.uploads,
    uploaded: () => ({ lan: 0, outside: 0 }),
    readMetered: async () => undefined,
    onChange: (terms) => told.push(terms),
    log: silent,
    now: () => at('12:00'),
    timeZone: () => 'UTC',
    ...more,
  })
  return { keeper, told }
}

test('what was sent counts over a restart, until the month is over', async () => {
  using home = temporaryHome()
  mkdirSync(home.stateDirectory)
  const network = { uploadQuotaBytesPerMonth: 1_000 }
  let sent = 0
  {
    using store = openStore(home.stateDirectory)
    const { keeper, told } = keeperOf(store, network, { uploaded: () => ({ lan: 5_000, outside: sent }) })
    await using _ = keeper
    sent = 600
    await keeper.look()
    expect(told.at(-1)?.sharesOutside).toBe(true)
    sent = 900
  }
  using store = openStore(home.stateDirectory)
  let now = at('12:00')
  const { keeper, told } = keeperOf(store, network, {
    uploaded: () => ({ lan: 0, outside: 100 }),
    now: () => now,
  })
  await using _ = keeper
  await keeper.look()
  expect(keeper.status()).toMatchObject({
    sentBytes: { lan: 5_000, outside: 1_000 },
    quotaBytes: 1_000,
    paused: 'quota',
  })
  expect(told.at(-1)?.sharesOutside).toBe(false)
  now = new Date(2026, 1, 1, 0, 0)
  await keeper.look()
  expect(keeper.status()).toMatchObject({ month: '2026-02', sentBytes: { outside: 0 } })
  expect(keeper.status().paused).toBeUndefined()
  expect(told.at(-1)?.sharesOutside).toBe(true)
})

test('a metered connection pauses, is asked about again, and not at all if nobody wants to know', async () => {
  using home = temporaryHome()
  mkdirSync(home.stateDirectory)
  using store = openStore(home.stateDirectory)
  let metered: boolean | undefined = true
  let asked = 0
  const readMetered = async () => {
    asked += 1
    return metered
  }
  {
    await using keeper = keeperOf(store, {}, { readMetered }).keeper
    await keeper.look()
    expect(keeper.status().paused).toBe('metered')
    metered = false
    await keeper.look()
    expect(keeper.status().paused).toBeUndefined()
  }
  const before = asked
  await using keeper = keeperOf(store, { sharingOnMetered: 'go-on' }, { readMetered }).keeper
  await keeper.look()
  expect(asked).toBe(before)
})

test('months are those of the wall clock', () => {
  expect([monthOf(new Date(2026, 0, 31, 23, 59)), monthOf(new Date(2026, 11, 1))]).toEqual(['2026-01', '2026-12'])
})
