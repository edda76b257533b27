// A plan with as little said as possible: releases by their version, settings by what differs, a machine of which nothing is
// asked.

import { type Plan, type PlanInput, plan } from '@updraft/agent/plan'
import type { MachineFacts, OwnerWishes } from '@updraft/agent/plan/facts'
import { type ProductSettings, parseSettings } from '@updraft/agent/settings'
import type { BadMark } from '@updraft/agent/store/bad-marks'
import {
  bundleNameOf,
  indexPathOf,
  metainfoPathOf,
  parsePlatform,
  parseProduct,
  parseReleaseVersion,
} from '@updraft/core/names'
import { parseRelease, type ReleasePayload } from '@updraft/core/release'

export type Made = Partial<
  Pick<
    ReleasePayload,
    'minimumPreviousVersion' | 'minimumAgentVersion' | 'rollout' | 'urgent' | 'yanked' | 'sizes' | 'published'
  >
> & {
  readonly version: string
  readonly platform?: string
  readonly channels?: readonly string[]
  readonly product?: string
  /** The role that says that it is urgent, as the refresh room found it. */
  readonly urgentBy?: string | undefined
}

export const candidate = ({
  version,
  platform = 'any',
  channels = ['stable'],
  product = 'acme',
  urgentBy,
  ...others
}: Made) => {
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
    ...others,
  }
  const urgency = urgentBy === undefined ? undefined : { role: urgentBy, signers: [{ keyId: 'ab'.repeat(32) }] }
  return { release: parseRelease(payload, indexPathOf(name)), urgency, label: `${version} ${platform}` }
}

export type Candidate = ReturnType<typeof candidate>

export const settingsOf = (changes: Record<string, unknown> = {}): ProductSettings => {
  const product = { source: 'main', platform: 'linux-x64', ...changes }
  const [settings] = parseSettings(JSON.stringify({ products: { acme: product } }), 'agent.json').products
  if (settings === undefined) throw new Error('no settings')
  return settings
}

export const NOW = new Date('2026-01-14T12:00:00.000Z') // A Wednesday.

export interface Given {
  readonly releases: readonly Made[]
  readonly settings?: Record<string, unknown>
  readonly installed?: string | undefined
  readonly agent?: string
  readonly machine?: Partial<MachineFacts>
  readonly hold?: OwnerWishes['hold']
  readonly verdicts?: Readonly<Record<string, 'approved' | 'skipped'>>
  readonly bad?: readonly (readonly [version: string, by: BadMark['by']])[]
  /** By version. */
  readonly firstSeen?: Readonly<Record<string, string>>
  readonly identityChange?: PlanInput<Candidate>['identityChange']
}

export const inputOf = ({ releases, settings, installed, agent = '1.0.0', ...given }: Given): PlanInput<Candidate> => {
  const candidates = releases.map(candidate)
  const { firstSeen = {} } = given
  return {
    product: settingsOf(settings),
    releases: candidates,
    installed: installed === undefined ? undefined : parseReleaseVersion(installed),
    agentVersion: parseReleaseVersion(agent),
    machine: {
      now: NOW,
      timeZone: 'UTC',
      machineId: '0'.repeat(64),
      onBattery: undefined,
      metered: undefined,
      load: undefined,
      freeBytes: undefined,
      stagedBytes: new Map(),
      ...given.machine,
    },
    wishes: {
      hold: given.hold,
      verdicts: new Map(
        Object.entries(given.verdicts ?? {}).map(([version, verdict]) => [parseReleaseVersion(version), verdict]),
      ),
    },
    badMarks: (given.bad ?? []).map(([version, by]) => ({
      product: parseProduct('acme'),
      version: parseReleaseVersion(version),
      by,
      problem: { type: 't', title: 't', status: 500, detail: 'it ended with exit code 3', code: 'PROBE_FAILED' },
      at: '2026-01-05T00:00:00Z',
    })),
    identityChange: given.identityChange,
    firstSeen: new Map(
      candidates.flatMap(({ release }) => {
        const at = firstSeen[release.version]
        return at === undefined ? [] : [[bundleNameOf(release), at] as const]
      }),
    ),
  }
}

export const decide = (given: Given): Plan<Candidate> => plan(inputOf(given))

/** `version platform` of what is chosen, or the last rule that did not pass. */
export const answerOf = (decision: Plan<Candidate>): string | undefined =>
  decision.kind === 'update' ? decision.release.label : decision.rules.findLast(({ passed }) => !passed)?.rule
