// The decision table: which release is chosen, and which rule says why not.
import { describe, expect, test } from '@jest/globals'
import { plan } from '@updraft/agent/plan'
import type { Release } from '@updraft/core/release'
import { answerOf, candidate, decide, type Given, inputOf } from './plan-support.ts'

interface Case extends Given {
  readonly name: string
  /** `version platform` of what is chosen, or the rule that nothing passed. */
  readonly expected: string
  readonly available?: string
}

const YANKED = { at: '2026-01-03T00:00:00Z', reason: 'loses settings' }

const cases: readonly Case[] = [
  {
    name: 'the newest release is chosen',
    releases: [{ version: '1.9.0' }, { version: '1.10.0' }],
    expected: '1.10.0 any',
  },
  {
    name: 'a final release is newer than its prerelease',
    releases: [{ version: '2.0.0-rc.1' }, { version: '2.0.0' }],
    expected: '2.0.0 any',
  },
  { name: 'nothing is signed for the product', releases: [{ version: '1.0.0', product: 'other' }], expected: 'signed' },
  { name: 'nothing at all is signed', releases: [], expected: 'signed' },
  {
    name: 'another channel is not followed',
    releases: [{ version: '2.0.0', channels: ['beta'] }, { version: '1.0.0' }],
    expected: '1.0.0 any',
    available: '1.0.0 any',
  },
  { name: 'no release in the channel', releases: [{ version: '2.0.0', channels: ['beta'] }], expected: 'channel' },
  {
    name: 'a release without a channel is withdrawn',
    releases: [{ version: '2.0.0', channels: [] }],
    expected: 'channel',
  },
  {
    name: 'a channel of the settings is followed',
    releases: [{ version: '2.0.0', channels: ['beta'] }, { version: '1.0.0' }],
    settings: { channel: 'beta' },
    expected: '2.0.0 any',
  },
  {
    name: 'the exact platform wins over any',
    releases: [{ version: '1.0.0' }, { version: '1.0.0', platform: 'linux-x64' }],
    expected: '1.0.0 linux-x64',
  },
  {
    name: 'a newer release for any platform wins over an older exact one',
    releases: [{ version: '1.1.0' }, { version: '1.0.0', platform: 'linux-x64' }],
    expected: '1.1.0 any',
  },
  {
    name: 'no release for the platform',
    releases: [{ version: '1.0.0', platform: 'win32-x64' }],
    expected: 'platform',
  },
  {
    name: 'the platform any takes only what is for any',
    releases: [{ version: '1.0.0', platform: 'linux-x64' }],
    settings: { platform: 'any' },
    expected: 'platform',
  },
  {
    name: 'a range bounds the version',
    releases: [{ version: '2.0.0' }, { version: '1.5.0' }],
    settings: { versionRange: '^1.0.0' },
    expected: '1.5.0 any',
    available: '2.0.0 any',
  },
  {
    name: 'no release in the range',
    releases: [{ version: '2.0.0' }],
    settings: { versionRange: '1.x' },
    expected: 'version-range',
    available: '2.0.0 any',
  },
  {
    name: 'a range does not shut out a prerelease that the channel brings',
    releases: [{ version: '1.5.0-rc.1', channels: ['beta'] }],
    settings: { channel: 'beta', versionRange: '^1.0.0' },
    expected: '1.5.0-rc.1 any',
  },
  {
    name: 'a caret does not let the next major version in by a prerelease',
    releases: [{ version: '2.0.0-rc.1' }],
    settings: { versionRange: '^1.0.0' },
    expected: 'version-range',
  },
  {
    name: 'what is installed is the newest',
    releases: [{ version: '1.0.0' }],
    installed: '1.0.0',
    expected: 'newer',
    available: '1.0.0 any',
  },
  {
    name: 'an older release is never gone back to',
    releases: [{ version: '1.0.0' }],
    installed: '1.1.0',
    expected: 'newer',
    available: '1.0.0 any',
  },
  {
    name: 'not even when the range allows only that',
    releases: [{ version: '1.0.0' }, { version: '3.0.0' }],
    settings: { versionRange: '1.x' },
    installed: '2.0.0',
    expected: 'newer',
    available: '3.0.0 any',
  },
  {
    name: 'a newer release is chosen over the installed one',
    releases: [{ version: '1.0.0' }, { version: '1.0.1' }],
    installed: '1.0.0',
    expected: '1.0.1 any',
  },
  {
    name: 'a stepping stone is taken first',
    releases: [{ version: '3.0.0', minimumPreviousVersion: '2.0.0' }, { version: '2.0.0' }],
    installed: '1.0.0',
    expected: '2.0.0 any',
    available: '3.0.0 any',
  },
  {
    name: 'from the stepping stone the way goes on',
    releases: [{ version: '3.0.0', minimumPreviousVersion: '2.0.0' }, { version: '2.0.0' }],
    installed: '2.0.0',
    expected: '3.0.0 any',
  },
  {
    name: 'a first installation needs no stepping stone',
    releases: [{ version: '3.0.0', minimumPreviousVersion: '2.0.0' }],
    expected: '3.0.0 any',
  },
  {
    name: 'a missing stepping stone stops',
    releases: [{ version: '3.0.0', minimumPreviousVersion: '2.0.0' }],
    installed: '1.0.0',
    expected: 'previous-version',
    available: '3.0.0 any',
  },
  {
    name: 'a release for newer agents is passed over',
    releases: [{ version: '2.0.0', minimumAgentVersion: '9.0.0' }, { version: '1.0.0' }],
    expected: '1.0.0 any',
    available: '2.0.0 any',
  },
  {
    name: 'only releases for newer agents',
    releases: [{ version: '2.0.0', minimumAgentVersion: '9.0.0' }],
    expected: 'agent-version',
  },
  {
    name: 'a new enough agent takes them',
    releases: [{ version: '2.0.0', minimumAgentVersion: '9.0.0' }],
    agent: '9.0.0',
    expected: '2.0.0 any',
  },
  {
    name: 'what failed its probe here is not tried again',
    releases: [{ version: '1.1.0' }, { version: '1.0.0' }],
    installed: '1.0.0',
    bad: [['1.1.0', 'probe']],
    expected: 'bad-mark',
    available: '1.1.0 any',
  },
  {
    name: 'nor is it on a machine that has nothing yet',
    releases: [{ version: '1.1.0' }],
    bad: [['1.1.0', 'probe']],
    expected: 'bad-mark',
  },
  {
    name: 'a newer release than the bad one is tried',
    releases: [{ version: '1.2.0' }, { version: '1.1.0' }],
    installed: '1.0.0',
    bad: [['1.1.0', 'probe']],
    expected: '1.2.0 any',
  },
  {
    name: 'a release between the installed and the bad one is tried',
    releases: [{ version: '1.2.0' }, { version: '1.1.0' }],
    installed: '1.0.0',
    bad: [['1.2.0', 'probe']],
    expected: '1.1.0 any',
  },
  {
    name: 'but not if a person went back past it',
    releases: [{ version: '1.2.0' }, { version: '1.1.0' }],
    installed: '1.0.0',
    bad: [['1.2.0', 'person']],
    expected: 'bad-mark',
  },
  {
    name: 'what a person went back from does not stand in the way of what is newer',
    releases: [{ version: '1.2.1' }, { version: '1.2.0' }, { version: '1.1.0' }],
    installed: '1.0.0',
    bad: [['1.2.0', 'person']],
    expected: '1.2.1 any',
  },
  {
    name: 'a yank leads past what a person went back from, but not to what is bad itself',
    releases: [{ version: '1.1.0', yanked: { ...YANKED, goTo: '1.0.0' } }, { version: '1.0.0' }],
    installed: '1.1.0',
    bad: [['1.2.0', 'person']],
    expected: '1.0.0 any',
  },
  {
    name: 'a yanked release is never installed anew',
    releases: [{ version: '1.1.0', yanked: YANKED }, { version: '1.0.0' }],
    expected: '1.0.0 any',
    available: '1.0.0 any',
  },
  {
    name: 'nothing is left of what was yanked',
    releases: [{ version: '1.1.0', yanked: YANKED }],
    expected: 'not-yanked',
  },
  {
    name: 'a yank of the installed release leads back to an older one',
    releases: [{ version: '1.1.0', yanked: { ...YANKED, goTo: '1.0.0' } }, { version: '1.0.0' }],
    installed: '1.1.0',
    expected: '1.0.0 any',
  },
  {
    name: 'a yank that leads nowhere leaves the machine where it is',
    releases: [{ version: '1.1.0', yanked: YANKED }, { version: '1.0.0' }],
    installed: '1.1.0',
    expected: 'way-out',
  },
  {
    name: 'a yank that leads to what is not signed leaves the machine where it is',
    releases: [{ version: '1.1.0', yanked: { ...YANKED, goTo: '0.9.0' } }, { version: '1.0.0' }],
    installed: '1.1.0',
    expected: 'way-out',
  },
  {
    name: 'a yank does not lead to another platform',
    releases: [
      { version: '1.1.0', yanked: { ...YANKED, goTo: '1.0.0' } },
      { version: '1.0.0', platform: 'win32-x64' },
    ],
    installed: '1.1.0',
    expected: 'way-out',
  },
  {
    name: 'a yank leads to another channel',
    releases: [{ version: '1.1.0', channels: ['beta'], yanked: { ...YANKED, goTo: '1.0.0' } }, { version: '1.0.0' }],
    settings: { channel: 'beta' },
    installed: '1.1.0',
    expected: '1.0.0 any',
  },
  {
    name: 'a yank does not lead out of the range of the settings',
    releases: [{ version: '2.0.0', yanked: { ...YANKED, goTo: '1.0.0' } }, { version: '1.0.0' }],
    settings: { versionRange: '^2.0.0' },
    installed: '2.0.0',
    expected: 'way-out',
  },
  {
    name: 'the yank of a release that is not installed moves nothing',
    releases: [{ version: '1.1.0', yanked: { ...YANKED, goTo: '1.0.0' } }, { version: '1.0.0' }],
    installed: '1.2.0',
    expected: 'newer',
  },
  {
    name: 'a newer release is a better way out than an older one',
    releases: [{ version: '1.2.0' }, { version: '1.1.0', yanked: { ...YANKED, goTo: '1.0.0' } }, { version: '1.0.0' }],
    installed: '1.1.0',
    expected: '1.2.0 any',
  },
  {
    name: 'until the newer one is ready, the way out is taken',
    releases: [
      { version: '1.2.0', rollout: [{ at: '2026-01-01T00:00:00Z', cohorts: 0 }] },
      { version: '1.1.0', yanked: { ...YANKED, goTo: '1.0.0' } },
      { version: '1.0.0' },
    ],
    installed: '1.1.0',
    expected: '1.0.0 any',
    available: '1.2.0 any',
  },
  {
    name: 'a chain of yanks is followed to its end',
    releases: [
      { version: '1.2.0', yanked: { ...YANKED, goTo: '1.1.0' } },
      { version: '1.1.0', yanked: { ...YANKED, goTo: '1.0.0' } },
      { version: '1.0.0' },
    ],
    installed: '1.2.0',
    expected: '1.0.0 any',
  },
  {
    name: 'a circle of yanks leads nowhere',
    releases: [
      { version: '1.2.0', yanked: { ...YANKED, goTo: '1.1.0' } },
      { version: '1.1.0', yanked: { ...YANKED, goTo: '1.2.0' } },
    ],
    installed: '1.2.0',
    expected: 'way-out',
  },
  {
    name: 'where a yank leads, no cohort waits',
    releases: [
      { version: '1.2.0', rollout: [{ at: '2026-01-01T00:00:00Z', cohorts: 0 }] },
      { version: '1.1.0', yanked: { ...YANKED, goTo: '1.2.0' } },
    ],
    installed: '1.1.0',
    expected: '1.2.0 any',
  },
  {
    name: 'a hold is stronger than a yank',
    releases: [{ version: '1.1.0', yanked: { ...YANKED, goTo: '1.0.0' } }, { version: '1.0.0' }],
    installed: '1.1.0',
    hold: { since: '2026-01-01T00:00:00Z', until: undefined },
    expected: 'not-held',
  },
  {
    name: 'of a yanked build and a good one of the same version, the machine has the good one',
    releases: [
      { version: '1.1.0', platform: 'linux-x64' },
      { version: '1.1.0', yanked: { ...YANKED, goTo: '1.0.0' } },
      { version: '1.0.0' },
    ],
    installed: '1.1.0',
    expected: 'newer',
  },
  {
    name: 'what is not ready is passed over for an older release that is',
    releases: [{ version: '1.2.0' }, { version: '1.1.0' }],
    settings: { approval: 'required' },
    verdicts: { '1.1.0': 'approved' },
    installed: '1.0.0',
    expected: '1.1.0 any',
  },
  {
    name: 'a skipped version is passed over',
    releases: [{ version: '1.2.0' }, { version: '1.1.0' }],
    verdicts: { '1.2.0': 'skipped' },
    installed: '1.0.0',
    expected: '1.1.0 any',
    available: '1.2.0 any',
  },
]

describe('decisions', () => {
  test.each(cases)('$name', (given) => {
    const decision = decide(given)
    expect(answerOf(decision)).toBe(given.expected)
    if (given.available !== undefined) expect(decision.available?.label).toBe(given.available)
  })

  test.each(cases)('in any order: $name', (given) => {
    expect(decide({ ...given, releases: [...given.releases].reverse() })).toEqual(decide(given))
  })
})

describe('the trace', () => {
  test('tells every rule with its values, in order', () => {
    const { rules } = decide({
      releases: [
        { version: '3.0.0', minimumPreviousVersion: '2.0.0' },
        { version: '2.0.0' },
        { version: '4.0.0', channels: ['beta'] },
      ],
      installed: '1.0.0',
    })
    expect(rules).toEqual([
      { rule: 'signed', passed: true, detail: '3 signed releases of acme' },
      { rule: 'channel', passed: true, detail: '2 of 3 in channel stable' },
      { rule: 'platform', passed: true, detail: '2 of 2 for linux-x64 or any' },
      { rule: 'version-range', passed: true, detail: 'every version is let in' },
      { rule: 'newer', passed: true, detail: '3.0.0 is newer than the installed 1.0.0' },
      {
        rule: 'previous-version',
        passed: false,
        detail: '3.0.0 can follow 2.0.0 or newer; installed is 1.0.0',
        version: '3.0.0',
      },
      { rule: 'chosen', passed: true, detail: '2.0.0 for any, published 2026-01-02T03:04:05Z' },
    ])
  })

  test('says why something is marked bad, and since when', () => {
    const { rules } = decide({ releases: [{ version: '1.1.0' }], bad: [['1.1.0', 'probe']] })
    expect(rules.at(-1)).toEqual({
      rule: 'bad-mark',
      version: '1.1.0',
      passed: false,
      detail: '1.1.0 is marked bad on this machine since 2026-01-05T00:00:00Z: it ended with exit code 3',
    })
  })

  test('names what there is instead', () => {
    const { rules } = decide({
      releases: [{ version: '1.0.0', channels: ['beta', 'nightly'] }],
    })
    expect(rules.at(-1)?.detail).toBe('none of 1 release is in channel stable; there is beta, nightly')
  })
})

test('what goes in comes out: the release keeps its own type and identity', () => {
  const given = candidate({ version: '1.0.0' })
  const decision = plan({ ...inputOf({ releases: [] }), releases: [given] })
  const chosen: { readonly release: Release; readonly label: string } | undefined =
    decision.kind === 'update' ? decision.release : undefined
  expect(chosen).toBe(given)
})
