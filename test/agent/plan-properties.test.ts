// Whatever a plan is given: the same answer every time, in any order, and a trace that explains it.
import { expect, test } from '@jest/globals'
import { type Plan, plan } from '@updraft/agent/plan'
import { isNewer } from '@updraft/core/names'
import fc from 'fast-check'
import { type Candidate, type Given, inputOf, type Made, NOW } from './plan-support.ts'

const version = fc.constantFrom('1.0.0', '1.1.0', '1.2.0-rc.1', '1.2.0', '2.0.0')
const time = fc
  .integer({ min: -200, max: 200 })
  .map((hours) => new Date(NOW.getTime() + hours * 3_600_000).toISOString())
const curve = fc
  .uniqueArray(fc.tuple(time, fc.integer({ min: 0, max: 10_000 })), {
    minLength: 1,
    maxLength: 3,
    selector: ([at]) => at,
  })
  .map((steps) => {
    const times = steps.map(([at]) => at).sort()
    const cohorts = steps.map(([, share]) => share).sort((a, b) => a - b)
    return times.map((at, index) => ({ at, cohorts: cohorts[index] ?? 0 }))
  })

const release: fc.Arbitrary<Made> = fc
  .record(
    {
      version,
      platform: fc.constantFrom('any', 'linux-x64', 'win32-x64'),
      channels: fc.subarray(['stable', 'beta']),
      product: fc.constantFrom('acme', 'acme', 'acme', 'other'),
      minimumPreviousVersion: version,
      minimumAgentVersion: fc.constantFrom('0.9.0', '9.0.0'),
      rollout: curve,
      urgent: fc.constant(true as const),
      urgentBy: fc.constantFrom('urgent', 'acme'),
      yanked: fc.record({ at: time, reason: fc.constant('bad'), goTo: version }, { requiredKeys: ['at', 'reason'] }),
    },
    { requiredKeys: ['version', 'platform', 'channels', 'product'] },
  )
  .filter((made) => made.yanked?.goTo !== made.version)

const anything: fc.Arbitrary<Given> = fc.record({
  releases: fc.uniqueArray(release, {
    maxLength: 8,
    selector: (made) => `${made.product} ${made.version} ${made.platform}`,
  }),
  installed: fc.option(version, { nil: undefined }),
  settings: fc.record(
    {
      channel: fc.constantFrom('stable', 'beta'),
      versionRange: fc.constantFrom('^1.0.0', '>=1.1.0'),
      minimumAgeHours: fc.constantFrom(0, 24, 100),
      approval: fc.constantFrom('automatic', 'required'),
      windows: fc.constantFrom([], [{ days: 'wed', from: '11:00', to: '13:00' }], [{ from: '22:00', to: '06:00' }]),
      onBattery: fc.constantFrom('install', 'wait'),
      onMetered: fc.constantFrom('install', 'wait'),
      maximumLoad: fc.constant(0.5),
    },
    { requiredKeys: [] },
  ),
  machine: fc.record(
    {
      onBattery: fc.boolean(),
      metered: fc.boolean(),
      load: fc.constantFrom(0.1, 3),
      freeBytes: fc.constantFrom(0, 1e12),
    },
    { requiredKeys: [] },
  ),
  hold: fc.option(fc.record({ since: time, until: fc.option(time, { nil: undefined }) }), { nil: undefined }),
  verdicts: fc.dictionary(version, fc.constantFrom('approved' as const, 'skipped' as const)),
  firstSeen: fc.dictionary(version, time),
})

/** The installed release was yanked, and there is a way back: which chance alone seldom brings about. */
const afterYank = anything.map((from): Given => {
  const yanked = { at: NOW.toISOString(), reason: 'bad', goTo: '1.0.0' }
  const others = from.releases.filter((made) => made.version !== '1.0.0' && made.version !== '1.1.0')
  const releases = [{ version: '1.1.0', yanked }, { version: '1.0.0' }, ...others]
  return { ...from, releases, installed: '1.1.0' }
})

/** With nobody and nothing on the machine that holds an update up: among as many reasons not to, one is nearly always met. */
const unhindered = (from: Given): Given => ({ ...from, settings: {}, machine: {}, hold: undefined, verdicts: {} })

const given = fc.oneof(anything, afterYank, anything.map(unhindered), afterYank.map(unhindered))

test('the same input has the same answer, in any order, and is left as it was', () => {
  fc.assert(
    fc.property(given, fc.infiniteStream(fc.nat()), (from, numbers) => {
      const input = inputOf(from)
      const before = structuredClone(input)
      const answer = plan(input)
      expect(plan(input)).toEqual(answer)
      const shuffled = input.releases
        .map((each) => [numbers.next().value, each] as const)
        .sort(([a], [b]) => a - b)
        .map(([, each]) => each)
      expect(plan({ ...input, releases: shuffled })).toEqual(answer)
      expect(input).toEqual(before)
    }),
    { numRuns: 500 },
  )
})

test('the trace explains the answer', () => {
  const seen = { update: 0, nothing: 0, back: 0 }
  fc.assert(
    fc.property(given, (from) => {
      const input = inputOf(from)
      const decision = plan(input)
      const isBack = assertExplained(decision, input.installed)
      seen[decision.kind] += 1
      if (isBack) seen.back += 1
    }),
    { numRuns: 2_000 },
  )
  // The inputs reach every kind of answer.
  expect(Math.min(...Object.values(seen))).toBeGreaterThan(10)
})

const assertExplained = (decision: Plan<Candidate>, installed: ReturnType<typeof inputOf>['installed']): boolean => {
  const { rules } = decision
  const chosen = rules.findIndex(({ rule }) => rule === 'chosen')
  if (decision.kind === 'nothing') {
    expect(chosen).toBe(-1)
    expect(rules.some(({ passed }) => !passed)).toBe(true)
    return false
  }
  const { release } = decision.release
  expect(chosen).toBe(rules.length - 1)
  expect(rules.at(-1)?.detail).toContain(release.version)
  // Nothing that was asked about what is chosen, or about the machine, has failed.
  const failed = rules.filter(({ passed }) => !passed)
  const ofOthers = ['not-yanked', 'newer', 'channel', 'platform', 'version-range']
  const isWayOut = rules.some(({ rule, passed }) => rule === 'way-out' && passed)
  for (const { rule, version } of failed) {
    if (version === undefined) expect(isWayOut ? ofOthers : []).toContain(rule)
  }
  expect(release.yanked).toBeUndefined()
  if (installed === undefined || isNewer(release.version, installed)) return false
  expect(rules).toContainEqual(expect.objectContaining({ rule: 'way-out', passed: true }))
  return true
}
