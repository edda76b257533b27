// Each rule by itself, as a table: what it is given, whether it passes, what it says, and when it is asked again.
import { describe, expect, test } from '@jest/globals'
import { plan } from '@updraft/agent/plan'
import { recheckAtOf } from '@updraft/agent/plan/recheck'
import { cohortOf } from '@updraft/agent/plan/rollout'
import { findingsOfYank } from '@updraft/agent/plan/yank'
import type { Rule } from '@updraft/core/control/api'
import { parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { candidate, decide, type Given, inputOf, NOW, settingsOf } from './plan-support.ts'

const hours = (count: number): string => new Date(NOW.getTime() + count * 3_600_000).toISOString()
const RELEASE = { version: '1.1.0' }
const MACHINE_ID = '5'.repeat(64)
const COHORT = cohortOf(MACHINE_ID, { product: parseProduct('acme'), version: parseReleaseVersion('1.1.0') })

interface Case extends Partial<Given> {
  readonly name: string
  /** What the rule says; undefined if it says nothing. */
  readonly expected: Omit<Rule, 'rule' | 'version'> | undefined
}

const table: Readonly<Record<string, readonly Case[]>> = {
  'same-signer': [
    { name: 'nothing while the same people sign', expected: undefined },
    {
      name: 'somebody else, whom the owner has not let in',
      identityChange: { detail: 'it was A; now it is B', isEnforced: true },
      expected: { passed: false, detail: 'it was A; now it is B; 1.1.0 waits for: updraft-agent approve acme 1.1.0' },
    },
    {
      name: 'somebody else, and the version is approved',
      identityChange: { detail: 'it was A; now it is B', isEnforced: true },
      verdicts: { '1.1.0': 'approved' },
      expected: { passed: true, detail: 'it was A; now it is B; 1.1.0 is approved' },
    },
    {
      name: 'somebody else, which is only told',
      identityChange: { detail: 'it was A; now it is B', isEnforced: false },
      expected: { passed: true, detail: 'it was A; now it is B; at the level of the product that is only told' },
    },
  ],
  'not-held': [
    { name: 'nothing without a hold', expected: undefined },
    {
      name: 'for ever',
      hold: { since: hours(-1), until: undefined },
      expected: { passed: false, detail: 'held until somebody says: updraft-agent unhold acme' },
    },
    {
      name: 'until a time that lies ahead',
      hold: { since: hours(-1), until: hours(2) },
      expected: { passed: false, detail: 'held until 2026-01-14 14:00 UTC', recheckAt: hours(2) },
    },
    {
      name: 'not at its last moment any more',
      hold: { since: hours(-1), until: hours(0) },
      expected: { passed: true, detail: 'the hold has ended at 2026-01-14 12:00 UTC' },
    },
    {
      name: 'longer, by the clock, once that was set back',
      hold: { since: hours(0), until: hours(2) },
      machine: { now: new Date(hours(-24)) },
      expected: { passed: false, detail: 'held until 2026-01-14 14:00 UTC', recheckAt: hours(2) },
    },
  ],
  'minimum-age': [
    { name: 'nothing if no age is asked for', expected: undefined },
    {
      name: 'a release that was never seen is new',
      settings: { minimumAgeHours: 48 },
      expected: {
        passed: false,
        detail: '1.1.0 was first seen here 0 h ago; 48 h are asked for',
        recheckAt: hours(48),
      },
    },
    {
      name: 'the date in the metadata counts for nothing',
      releases: [{ ...RELEASE, published: '2001-01-01T00:00:00Z' }],
      settings: { minimumAgeHours: 48 },
      firstSeen: { '1.1.0': hours(-1) },
      expected: {
        passed: false,
        detail: '1.1.0 was first seen here 1 h ago; 48 h are asked for',
        recheckAt: hours(47),
      },
    },
    {
      name: 'a moment before its time',
      settings: { minimumAgeHours: 48 },
      firstSeen: { '1.1.0': new Date(NOW.getTime() - 48 * 3_600_000 + 1).toISOString() },
      expected: {
        passed: false,
        detail: '1.1.0 was first seen here 47 h ago; 48 h are asked for',
        recheckAt: '2026-01-14T12:00:00.001Z',
      },
    },
    {
      name: 'at its time',
      settings: { minimumAgeHours: 48 },
      firstSeen: { '1.1.0': hours(-48) },
      expected: { passed: true, detail: '1.1.0 was first seen here 48 h ago; 48 h are asked for' },
    },
    {
      name: 'seen in the future, because the clock was set back, is seen now',
      settings: { minimumAgeHours: 48 },
      firstSeen: { '1.1.0': hours(1_000) },
      expected: {
        passed: false,
        detail: '1.1.0 was first seen here 0 h ago; 48 h are asked for',
        recheckAt: hours(48),
      },
    },
    {
      name: 'lifted by a signed urgency',
      releases: [{ ...RELEASE, urgentBy: 'urgent' }],
      settings: { minimumAgeHours: 48 },
      expected: {
        passed: true,
        detail: '1.1.0 is signed as urgent by key abababab (role urgent), so it need not be 48 h old',
      },
    },
    {
      name: 'not lifted by a word that does not count',
      releases: [{ ...RELEASE, urgent: true }],
      settings: { minimumAgeHours: 48 },
      firstSeen: { '1.1.0': hours(-1) },
      expected: {
        passed: false,
        detail:
          '1.1.0 was first seen here 1 h ago; 48 h are asked for; its product calls it urgent, which only the role urgent may do',
        recheckAt: hours(47),
      },
    },
  ],
  approved: [
    { name: 'nothing where it goes by itself', expected: undefined },
    {
      name: 'what nobody has approved waits',
      settings: { approval: 'required' },
      expected: { passed: false, detail: '1.1.0 waits for: updraft-agent approve acme 1.1.0' },
    },
    {
      name: 'another version that was approved helps nothing',
      settings: { approval: 'required' },
      verdicts: { '1.0.0': 'approved' },
      expected: { passed: false, detail: '1.1.0 waits for: updraft-agent approve acme 1.1.0' },
    },
    {
      name: 'what was approved goes on',
      settings: { approval: 'required' },
      verdicts: { '1.1.0': 'approved' },
      expected: { passed: true, detail: '1.1.0 is approved' },
    },
    {
      name: 'urgency approves nothing',
      releases: [{ ...RELEASE, urgentBy: 'urgent' }],
      settings: { approval: 'required' },
      expected: { passed: false, detail: '1.1.0 waits for: updraft-agent approve acme 1.1.0' },
    },
  ],
  'not-skipped': [
    { name: 'nothing of what nobody skips', verdicts: { '1.1.0': 'approved' }, expected: undefined },
    {
      name: 'what is skipped',
      verdicts: { '1.1.0': 'skipped' },
      expected: { passed: false, detail: '1.1.0 is skipped; undo that with: updraft-agent approve acme 1.1.0' },
    },
  ],
  rollout: [
    { name: 'nothing without a curve', expected: undefined },
    {
      name: 'not before its first step',
      releases: [{ ...RELEASE, rollout: [{ at: hours(3), cohorts: 10_000 }] }],
      expected: {
        passed: false,
        detail: `1.1.0 is open to 0 % of machines; this one is at ${COHORT / 100} %, and is let in at 2026-01-14 15:00 UTC`,
        recheckAt: hours(3),
      },
    },
    {
      name: 'at the very moment of the step, and up to the cohort below its share',
      releases: [{ ...RELEASE, rollout: [{ at: hours(0), cohorts: COHORT + 1 }] }],
      expected: {
        passed: true,
        detail: `1.1.0 is open to ${(COHORT + 1) / 100} % of machines; this one is at ${COHORT / 100} %`,
      },
    },
    {
      name: 'not the cohort at its share',
      releases: [{ ...RELEASE, rollout: [{ at: hours(-1), cohorts: COHORT }] }],
      expected: {
        passed: false,
        detail: `1.1.0 is open to ${COHORT / 100} % of machines; this one is at ${COHORT / 100} %, and no later step is signed that lets it in`,
      },
    },
    {
      name: 'the step that reaches it, over those that do not',
      releases: [
        {
          ...RELEASE,
          rollout: [
            { at: hours(-2), cohorts: 0 },
            { at: hours(1), cohorts: COHORT },
            { at: hours(2), cohorts: COHORT + 1 },
            { at: hours(9), cohorts: 10_000 },
          ],
        },
      ],
      expected: {
        passed: false,
        detail: `1.1.0 is open to 0 % of machines; this one is at ${COHORT / 100} %, and is let in at 2026-01-14 14:00 UTC`,
        recheckAt: hours(2),
      },
    },
    {
      name: 'a clock that was set back closes it again',
      releases: [{ ...RELEASE, rollout: [{ at: hours(-1), cohorts: 10_000 }] }],
      machine: { now: new Date(hours(-2)) },
      expected: {
        passed: false,
        detail: `1.1.0 is open to 0 % of machines; this one is at ${COHORT / 100} %, and is let in at 2026-01-14 11:00 UTC`,
        recheckAt: hours(-1),
      },
    },
  ],
  battery: [
    { name: 'nothing if it does not matter', machine: { onBattery: true }, expected: undefined },
    {
      name: 'on battery',
      settings: { onBattery: 'wait' },
      machine: { onBattery: true },
      expected: {
        passed: false,
        detail: 'on battery, and the settings say to wait',
        recheckAt: hours(5 / 60),
      },
    },
    {
      name: 'plugged in',
      settings: { onBattery: 'wait' },
      machine: { onBattery: false },
      expected: { passed: true, detail: 'not on battery' },
    },
    {
      name: 'not known',
      settings: { onBattery: 'wait' },
      expected: { passed: true, detail: 'this machine does not say whether it runs on a battery' },
    },
  ],
  metered: [
    { name: 'nothing if it does not matter', machine: { metered: true }, expected: undefined },
    {
      name: 'metered',
      settings: { onMetered: 'wait' },
      machine: { metered: true },
      expected: {
        passed: false,
        detail: 'the connection is metered, and the settings say to wait',
        recheckAt: hours(5 / 60),
      },
    },
    {
      name: 'not metered',
      settings: { onMetered: 'wait' },
      machine: { metered: false },
      expected: { passed: true, detail: 'the connection is not metered' },
    },
    {
      name: 'not known',
      settings: { onMetered: 'wait' },
      expected: { passed: true, detail: 'this machine does not say whether its connection is metered' },
    },
  ],
  load: [
    { name: 'nothing if it does not matter', machine: { load: 99 }, expected: undefined },
    {
      name: 'at the bound',
      settings: { maximumLoad: 0.5 },
      machine: { load: 0.5 },
      expected: {
        passed: false,
        detail: 'the load is 0.50 per processor; below 0.5 is asked for',
        recheckAt: hours(5 / 60),
      },
    },
    {
      name: 'below it',
      settings: { maximumLoad: 0.5 },
      machine: { load: 0.499 },
      expected: { passed: true, detail: 'the load is 0.50 per processor; below 0.5 is asked for' },
    },
    {
      name: 'not known',
      settings: { maximumLoad: 0.5 },
      expected: { passed: true, detail: 'this machine does not say what its load is' },
    },
  ],
  'disk-space': [
    { name: 'nothing of a disk that cannot be asked', expected: undefined },
    {
      name: 'one byte short of bundle, files and margin',
      releases: [{ ...RELEASE, sizes: { files: 1, installedBytes: 300, indexBytes: 20, packBytes: 100 } }],
      machine: { freeBytes: 64 * 1024 * 1024 + 419 },
      expected: { passed: false, detail: '1.1.0 needs 64.0 MiB, and 64.0 MiB are free' },
    },
    {
      name: 'just enough',
      releases: [{ ...RELEASE, sizes: { files: 1, installedBytes: 300, indexBytes: 20, packBytes: 100 } }],
      machine: { freeBytes: 64 * 1024 * 1024 + 420 },
      expected: { passed: true, detail: '1.1.0 needs 64.0 MiB, and 64.0 MiB are free' },
    },
    {
      name: 'what is staged already is not needed twice',
      releases: [{ ...RELEASE, sizes: { files: 1, installedBytes: 300, indexBytes: 20, packBytes: 100 } }],
      machine: { freeBytes: 64 * 1024 * 1024 + 300, stagedBytes: new Map([['acme_1.1.0_any', 4_096]]) },
      expected: { passed: true, detail: '1.1.0 needs 64.0 MiB, and 64.0 MiB are free' },
    },
  ],
}

describe.each(Object.keys(table))('%s', (rule) => {
  test.each(table[rule] ?? [])('$name', ({ expected, machine, ...given }) => {
    const decision = decide({ releases: [RELEASE], ...given, machine: { machineId: MACHINE_ID, ...machine } })
    const said = decision.rules.find((traced) => traced.rule === rule)
    if (expected === undefined) expect(said).toBeUndefined()
    else expect(said).toMatchObject({ rule, ...expected })
    expect(said?.recheckAt).toBe(expected?.recheckAt)
    // What does not pass stops the update, and what stops it does not pass.
    if (expected !== undefined) expect(decision.kind).toBe(expected.passed ? 'update' : 'nothing')
  })
})

describe('the cohort', () => {
  const of = (machineId: string, version = '1.1.0') =>
    cohortOf(machineId, { product: parseProduct('acme'), version: parseReleaseVersion(version) })

  test('is the same at every look, and another one for another release', () => {
    expect(of(MACHINE_ID)).toBe(COHORT)
    expect(of(MACHINE_ID, '1.2.0')).not.toBe(COHORT)
  })

  test('divides machines evenly', () => {
    const cohorts = Array.from({ length: 20_000 }, (_, machine) => of(String(machine)))
    expect(Math.min(...cohorts)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...cohorts)).toBeLessThan(10_000)
    const below = (share: number) => cohorts.filter((cohort) => cohort < share * 10_000).length / cohorts.length
    // Five standard deviations of 20,000 throws.
    for (const share of [0.01, 0.1, 0.5, 0.9]) {
      expect(Math.abs(below(share) - share)).toBeLessThan(5 * Math.sqrt((share * (1 - share)) / cohorts.length))
    }
  })
})

describe('the trace', () => {
  test('has all that is in the way, and the first of it that time decides is when to look again', () => {
    const decision = decide({
      releases: [RELEASE],
      installed: '1.0.0',
      settings: {
        minimumAgeHours: 48,
        approval: 'required',
        onBattery: 'wait',
        windows: [{ from: '22:00', to: '23:00' }],
      },
      hold: { since: hours(-1), until: hours(72) },
      machine: { onBattery: true },
    })
    const failed = decision.rules.filter(({ passed }) => !passed)
    expect(failed.map(({ rule }) => rule)).toEqual(['minimum-age', 'approved', 'not-held', 'window', 'battery'])
    expect(recheckAtOf(decision.rules, NOW)?.toISOString()).toBe(hours(5 / 60))
    expect(decision.kind === 'nothing' ? decision.later?.label : undefined).toBe('1.1.0 any')
  })

  test('has a hold also while nothing is new', () => {
    const hold = { since: hours(-1), until: hours(2) }
    const { kind, rules } = decide({ releases: [RELEASE], installed: '1.1.0', hold })
    expect([kind, rules.at(-1)?.rule]).toEqual(['nothing', 'not-held'])
  })

  test('asks for no earlier look for what passed, has no time, or is over', () => {
    expect(recheckAtOf([], NOW)).toBeUndefined()
    expect(
      recheckAtOf(
        [
          { rule: 'a', passed: true, detail: '', recheckAt: hours(1) },
          { rule: 'b', passed: false, detail: '' },
          { rule: 'c', passed: false, detail: '', recheckAt: hours(0) },
        ],
        NOW,
      ),
    ).toBeUndefined()
  })

  test('what is held is what would be chosen without the hold', () => {
    const input = inputOf({ releases: [{ version: '1.2.0' }, { version: '1.1.0' }], installed: '1.0.0' })
    const held = plan({ ...input, wishes: { ...input.wishes, hold: { since: hours(0), until: undefined } } })
    const free = plan(input)
    expect(held.kind === 'nothing' && held.later).toBe(free.kind === 'update' && free.release)
  })
})

describe('the finding of a yank', () => {
  const releases = [
    candidate({ version: '1.1.0', yanked: { at: '2026-01-03T00:00:00Z', reason: 'loses settings', goTo: '1.0.0' } }),
    candidate({ version: '1.0.0' }),
  ]

  test('tells who has the release why, and where it goes', () => {
    expect(findingsOfYank(settingsOf(), releases, parseReleaseVersion('1.1.0'))).toEqual([
      {
        code: 'release-yanked',
        message: '1.1.0 was withdrawn at 2026-01-03 00:00 UTC: loses settings',
        hint: 'the agent goes to 1.0.0 by itself, unless a rule is in the way: updraft-agent why acme',
      },
    ])
  })

  test('is not put off by a build of the version for another platform', () => {
    const others = [...releases, candidate({ version: '1.1.0', platform: 'win32-x64' })]
    expect(findingsOfYank(settingsOf(), others, parseReleaseVersion('1.1.0'))).toHaveLength(1)
  })

  test('is for nobody else', () => {
    expect(findingsOfYank(settingsOf(), releases, parseReleaseVersion('1.0.0'))).toEqual([])
    expect(findingsOfYank(settingsOf(), releases, undefined)).toEqual([])
  })
})
