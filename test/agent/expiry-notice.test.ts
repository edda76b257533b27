// When machines are told that what is signed will be over soon, and what is no news.
import { expect, test } from '@jest/globals'
import { expiryNotice } from '@updraft/agent/expiry-notice'

const NOW = new Date('2026-06-01T00:00:00Z')
const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const told = (...roles: readonly (readonly [role: string, leftMs: number])[]) =>
  expiryNotice(
    roles.map(([role, leftMs]) => ({ role, at: new Date(NOW.getTime() + leftMs).toISOString() })),
    NOW,
  )

test.each([
  ['timestamp', 6 * HOUR_MS - 1, true],
  ['timestamp', 6 * HOUR_MS, false],
  ['snapshot', 5 * HOUR_MS, true],
  ['targets', 7 * DAY_MS - 1, true],
  ['targets', 7 * DAY_MS, false],
  ['root', 6 * DAY_MS, true],
  ['acme', 6 * DAY_MS, true],
  ['timestamp', 0, false], // It is over: that is another finding.
  ['root', -DAY_MS, false],
])('%s with %d ms left: told is %s', (role, leftMs, isTold) => {
  expect(told([role, leftMs]) !== undefined).toBe(isTold)
})

test('all roles that are close to their end stand in one finding', () => {
  expect(told(['root', 300 * DAY_MS], ['timestamp', HOUR_MS], ['acme', DAY_MS])).toMatchObject({
    code: 'metadata-expiring',
    message: 'timestamp expires at 2026-06-01T01:00:00.000Z; acme expires at 2026-06-02T00:00:00.000Z',
  })
})
