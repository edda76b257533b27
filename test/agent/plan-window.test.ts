// Windows on the wall clock: edges, midnight, weeks, and the two nights of a year on which the clock is changed.
import { describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import { decide } from './plan-support.ts'

interface Case {
  readonly name: string
  readonly windows: readonly { readonly days?: string; readonly from: string; readonly to: string }[]
  readonly timeZone?: string
  readonly now: string
  /** When it opens; `now` if it is open. */
  readonly opens: string
}

const NIGHT = [{ days: 'mon-fri', from: '22:00', to: '06:00' }]
const BERLIN = 'Europe/Berlin'

const cases: readonly Case[] = [
  { name: 'before it', windows: NIGHT, now: '2026-01-14T12:00:00Z', opens: '2026-01-14T22:00:00Z' },
  { name: 'the minute before it', windows: NIGHT, now: '2026-01-14T21:59:59.999Z', opens: '2026-01-14T22:00:00Z' },
  { name: 'at its first moment', windows: NIGHT, now: '2026-01-14T22:00:00Z', opens: 'now' },
  { name: 'at midnight', windows: NIGHT, now: '2026-01-15T00:00:00Z', opens: 'now' },
  { name: 'in its last minute, on the next day', windows: NIGHT, now: '2026-01-15T05:59:59.999Z', opens: 'now' },
  { name: 'at its end', windows: NIGHT, now: '2026-01-15T06:00:00Z', opens: '2026-01-15T22:00:00Z' },
  {
    name: 'the night that began on Friday ends on Saturday',
    windows: NIGHT,
    now: '2026-01-17T05:00:00Z',
    opens: 'now',
  },
  { name: 'over the weekend', windows: NIGHT, now: '2026-01-17T06:00:00Z', opens: '2026-01-19T22:00:00Z' },
  {
    name: 'the night to Monday is Sunday’s',
    windows: NIGHT,
    now: '2026-01-19T01:00:00Z',
    opens: '2026-01-19T22:00:00Z',
  },
  {
    name: 'over the end of the week',
    windows: [{ days: 'sun', from: '23:00', to: '01:00' }],
    now: '2026-01-19T00:30:00Z',
    opens: 'now',
  },
  {
    name: 'a whole day',
    windows: [{ days: 'sat,sun', from: '00:00', to: '24:00' }],
    now: '2026-01-16T23:59:59Z',
    opens: '2026-01-17T00:00:00Z',
  },
  {
    name: 'a day that is every day',
    windows: [{ from: '00:00', to: '24:00' }],
    now: '2026-01-14T12:00:00Z',
    opens: 'now',
  },
  {
    name: 'the first of several',
    windows: [...NIGHT, { days: 'wed', from: '13:00', to: '13:05' }],
    now: '2026-01-14T12:00:00Z',
    opens: '2026-01-14T13:00:00Z',
  },
  {
    name: 'a week from now, a minute after it has closed',
    windows: [{ days: 'wed', from: '12:00', to: '12:01' }],
    now: '2026-01-14T12:01:00Z',
    opens: '2026-01-21T12:00:00Z',
  },
  {
    name: 'in local time',
    windows: NIGHT,
    timeZone: BERLIN,
    now: '2026-01-14T20:59:00Z',
    opens: '2026-01-14T21:00:00Z',
  },
  {
    name: 'where the day is another one',
    windows: NIGHT,
    timeZone: 'Pacific/Auckland',
    now: '2026-01-18T12:00:00Z', // Monday, 01:00 there.
    opens: '2026-01-19T09:00:00Z',
  },
  {
    name: 'where the offset is no whole hour',
    windows: NIGHT,
    timeZone: 'Asia/Kathmandu',
    now: '2026-01-14T12:00:00Z',
    opens: '2026-01-14T16:15:00Z',
  },
  // Berlin, 29 March 2026: 02:00 becomes 03:00.
  {
    name: 'clock put forward: a later window comes an hour sooner',
    windows: [{ from: '05:00', to: '06:00' }],
    timeZone: BERLIN,
    now: '2026-03-28T23:30:00Z',
    opens: '2026-03-29T03:00:00Z',
  },
  {
    name: 'clock put forward: a window that begins among the minutes left out opens after them',
    windows: [{ from: '02:30', to: '04:00' }],
    timeZone: BERLIN,
    now: '2026-03-29T00:10:00Z',
    opens: '2026-03-29T01:00:00Z',
  },
  {
    name: 'clock put forward: a window among the minutes left out does not open that day',
    windows: [{ from: '02:10', to: '02:50' }],
    timeZone: BERLIN,
    now: '2026-03-29T00:10:00Z',
    opens: '2026-03-30T00:10:00Z',
  },
  {
    name: 'clock put forward: once a week, it does not open that week',
    windows: [{ days: 'sun', from: '02:10', to: '02:50' }],
    timeZone: BERLIN,
    now: '2026-03-29T00:10:00Z',
    opens: '2026-04-05T00:10:00Z',
  },
  {
    name: 'clock put forward: a window right after the change is not missed',
    windows: [{ days: 'sun', from: '03:10', to: '03:20' }],
    timeZone: BERLIN,
    now: '2026-03-29T00:00:00Z',
    opens: '2026-03-29T01:10:00Z',
  },
  // Berlin, 25 October 2026: 03:00 becomes 02:00.
  {
    name: 'clock put back: a window opens as often as its minutes come',
    windows: [{ from: '02:10', to: '02:50' }],
    timeZone: BERLIN,
    now: '2026-10-25T00:50:00Z', // 02:50 for the first time.
    opens: '2026-10-25T01:10:00Z',
  },
  {
    name: 'clock put back: inside of it the second time as well',
    windows: [{ from: '02:10', to: '02:50' }],
    timeZone: BERLIN,
    now: '2026-10-25T01:20:00Z',
    opens: 'now',
  },
  {
    name: 'clock put back: a later window comes an hour later',
    windows: [{ from: '05:00', to: '06:00' }],
    timeZone: BERLIN,
    now: '2026-10-24T22:00:00Z',
    opens: '2026-10-25T04:00:00Z',
  },
  // Lord Howe Island changes its clock by half an hour: 4 October 2026, 02:00 becomes 02:30.
  {
    name: 'a clock put forward by half an hour',
    windows: [{ from: '02:15', to: '03:00' }],
    timeZone: 'Australia/Lord_Howe',
    now: '2026-10-03T14:00:00Z',
    opens: '2026-10-03T15:30:00Z',
  },
]

const windowRuleAt = (windows: Case['windows'], now: Date, timeZone: string) => {
  const decision = decide({ releases: [{ version: '1.0.0' }], settings: { windows }, machine: { now, timeZone } })
  return { decision, rule: decision.rules.find(({ rule }) => rule === 'window') }
}

test.each(cases)('$name', ({ windows, timeZone = 'UTC', now, opens }) => {
  const { decision, rule } = windowRuleAt(windows, new Date(now), timeZone)
  expect({ passed: rule?.passed, recheckAt: rule?.recheckAt }).toEqual({
    passed: opens === 'now',
    recheckAt: opens === 'now' ? undefined : new Date(opens).toISOString(),
  })
  expect(decision.kind).toBe(opens === 'now' ? 'update' : 'nothing')
})

describe('what it says', () => {
  test('has the wall clock, the windows, and when it opens', () => {
    const at = new Date('2026-01-14T12:05:00Z')
    expect(windowRuleAt(NIGHT, at, BERLIN).rule?.detail).toBe(
      'it is wed 13:05 in Europe/Berlin, outside of mon-fri 22:00-06:00; it opens on wed 22:00',
    )
    expect(windowRuleAt(NIGHT, new Date('2026-01-15T00:00:00Z'), BERLIN).rule?.detail).toBe(
      'it is thu 01:00 in Europe/Berlin, inside of mon-fri 22:00-06:00',
    )
  })
})

test('at the time that it names it is open, and a moment before it is not; wherever, and whenever the clock is changed', () => {
  const minute = fc.integer({ min: 0, max: 24 * 60 - 1 })
  const clock = (minutes: number) =>
    `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
  const window = fc
    .tuple(minute, minute, fc.constantFrom('mon-sun', 'sun', 'mon-fri', 'sat,sun', 'wed'))
    .filter(([from, to]) => from !== to)
    .map(([from, to, days]) => ({ days, from: clock(from), to: clock(to) }))
  const timeZone = fc.constantFrom('UTC', BERLIN, 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kathmandu')
  const now = fc.oneof(
    fc.date({ min: new Date('2026-03-25T00:00:00Z'), max: new Date('2026-04-05T00:00:00Z'), noInvalidDate: true }),
    fc.date({ min: new Date('2026-10-01T00:00:00Z'), max: new Date('2026-11-02T00:00:00Z'), noInvalidDate: true }),
  )
  fc.assert(
    fc.property(fc.array(window, { minLength: 1, maxLength: 3 }), timeZone, now, (windows, zone, at) => {
      const { rule } = windowRuleAt(windows, at, zone)
      if (rule?.passed) return
      const opens = new Date(rule?.recheckAt ?? '')
      expect(opens.getTime()).toBeGreaterThan(at.getTime())
      expect(windowRuleAt(windows, opens, zone).rule?.passed).toBe(true)
      expect(windowRuleAt(windows, new Date(opens.getTime() - 1), zone).rule?.passed).toBe(false)
    }),
    { numRuns: 300 },
  )
})
