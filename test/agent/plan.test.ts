// The decision table: which release is chosen, and which rule says why not.
import { describe, expect, test } from '@jest/globals'
import { type Plan, plan } from '@updraft/agent/plan'
import type { ProductSettings } from '@updraft/agent/settings'
import { parseSettings } from '@updraft/agent/settings'
import type { BadMark } from '@updraft/agent/store/bad-marks'
import { indexPathOf, metainfoPathOf, parsePlatform, parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { parseRelease, type Release } from '@updraft/core/release'

interface Made {
  readonly version: string
  readonly platform?: string
  readonly channels?: readonly string[]
  readonly product?: string
  readonly minimumPreviousVersion?: string
  readonly minimumAgentVersion?: string
}

const candidate = ({ version, platform = 'any', channels = ['stable'], product = 'acme', ...minimums }: Made) => {
  const name = {
    product: parseProduct(product),
    version: parseReleaseVersion(version),
    platform: parsePlatform(platform),
  }
  const payload = {
    schema: 1,
    ...name,
    channels,
    published: '2026-01-02T03:04:05Z',
    torrent: { btih: 'a'.repeat(40), pieceLength: 65_536, metainfo: metainfoPathOf(name), trackers: [], webSeeds: [] },
    sizes: { files: 1, installedBytes: 1, indexBytes: 1, packBytes: 1 },
    ...minimums,
  }
  return { release: parseRelease(payload, indexPathOf(name)), label: `${version} ${platform}` }
}

interface Case {
  readonly name: string
  readonly releases: readonly Made[]
  readonly settings?: Record<string, unknown>
  readonly installed?: string
  readonly agent?: string
  readonly bad?: readonly (readonly [version: string, by: BadMark['by']])[]
  /** `version platform` of what is chosen, or the rule that nothing passed. */
  readonly expected: string
  readonly available?: string
}

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
]

const settingsOf = (changes: Record<string, unknown> = {}): ProductSettings => {
  const product = { source: 'main', platform: 'linux-x64', ...changes }
  const [settings] = parseSettings(JSON.stringify({ products: { acme: product } }), 'agent.json').products
  if (settings === undefined) throw new Error('no settings')
  return settings
}

const decide = ({
  releases,
  settings,
  installed,
  agent = '1.0.0',
  bad = [],
}: Case): Plan<ReturnType<typeof candidate>> =>
  plan({
    product: settingsOf(settings),
    releases: releases.map(candidate),
    installed: installed === undefined ? undefined : parseReleaseVersion(installed),
    agentVersion: parseReleaseVersion(agent),
    badMarks: bad.map(([version, by]) => ({
      product: parseProduct('acme'),
      version: parseReleaseVersion(version),
      by,
      problem: { type: 't', title: 't', status: 500, detail: 'it ended with exit code 3', code: 'PROBE_FAILED' },
      at: '2026-01-05T00:00:00Z',
    })),
  })

describe('decisions', () => {
  test.each(cases)('$name', (given) => {
    const decision = decide(given)
    const lastFailed = decision.rules.findLast(({ passed }) => !passed)?.rule
    expect(decision.kind === 'update' ? decision.release.label : lastFailed).toBe(given.expected)
    if (given.available !== undefined) expect(decision.available?.label).toBe(given.available)
  })

  test.each(cases)('in any order: $name', (given) => {
    expect(decide({ ...given, releases: [...given.releases].reverse() })).toEqual(decide(given))
  })
})

describe('the trace', () => {
  test('tells every rule with its values, in order', () => {
    const { rules } = decide({
      name: '',
      releases: [
        { version: '3.0.0', minimumPreviousVersion: '2.0.0' },
        { version: '2.0.0' },
        { version: '4.0.0', channels: ['beta'] },
      ],
      installed: '1.0.0',
      expected: '',
    })
    expect(rules).toEqual([
      { rule: 'signed', passed: true, detail: '3 signed releases of acme' },
      { rule: 'channel', passed: true, detail: '2 of 3 in channel stable' },
      { rule: 'platform', passed: true, detail: '2 of 2 for linux-x64 or any' },
      { rule: 'version-range', passed: true, detail: 'every version is let in' },
      { rule: 'newer', passed: true, detail: '3.0.0 is newer than the installed 1.0.0' },
      { rule: 'previous-version', passed: false, detail: '3.0.0 can follow 2.0.0 or newer; installed is 1.0.0' },
      { rule: 'chosen', passed: true, detail: '2.0.0 for any, published 2026-01-02T03:04:05Z' },
    ])
  })

  test('says why something is marked bad, and since when', () => {
    const { rules } = decide({ name: '', releases: [{ version: '1.1.0' }], bad: [['1.1.0', 'probe']], expected: '' })
    expect(rules.at(-1)).toEqual({
      rule: 'bad-mark',
      passed: false,
      detail: '1.1.0 is marked bad on this machine since 2026-01-05T00:00:00Z: it ended with exit code 3',
    })
  })

  test('names what there is instead', () => {
    const { rules } = decide({
      name: '',
      releases: [{ version: '1.0.0', channels: ['beta', 'nightly'] }],
      expected: '',
    })
    expect(rules.at(-1)?.detail).toBe('none of 1 release is in channel stable; there is beta, nightly')
  })
})

test('what goes in comes out: the release keeps its own type and identity', () => {
  const given = candidate({ version: '1.0.0' })
  const decision = plan({
    product: settingsOf(),
    releases: [given],
    installed: undefined,
    agentVersion: parseReleaseVersion('1.0.0'),
    badMarks: [],
  })
  const chosen: { readonly release: Release; readonly label: string } | undefined =
    decision.kind === 'update' ? decision.release : undefined
  expect(chosen).toBe(given)
})
