// The state of an origin at one moment, for everyone to see: what the page shows, and `/status.json` says. Pure; no path of this
// machine and no address of a peer is in it.
import { compareVersions } from '@updraft/core/names'
import type { RolloutStep } from '@updraft/core/release'
import { shareNowText } from '../release-text.ts'
import type { PublishedRelease } from '../repository.ts'
import { bySoonest, type Catalog } from './catalog.ts'
import { type Machines, type Member, machinesOf, NO_MACHINES } from './fleet.ts'
import type { Problem } from './problem.ts'
import type { TrafficSample, TrafficTotals } from './traffic.ts'

export interface OriginStatus {
  readonly at: string
  /** In the repository, shown or not. */
  readonly releases: number
  /** Releases that this origin seeds. */
  readonly seeding: number
  readonly products: readonly ProductLine[]
  /** The first to expire first. */
  readonly expires: readonly { readonly role: string; readonly at: string }[]
  readonly problems: readonly string[]
  readonly traffic: TrafficTotals & { readonly samples: readonly TrafficSample[] }
}

/** The releases of a product for one platform, the newest first. */
export interface ProductLine {
  readonly product: string
  readonly platform: string
  /** That the tracker sees, over all releases. */
  readonly machines: Machines
  readonly releases: readonly ReleaseStatus[]
}

export interface ReleaseStatus {
  readonly version: string
  readonly channels: readonly string[]
  readonly published: string
  /** Who may have it now, in words. */
  readonly offered: string
  readonly rollout?: readonly RolloutStep[]
  readonly urgent: boolean
  readonly yanked?: string
  readonly installedBytes: number
  readonly infoHash: string
  /** By this origin. */
  readonly isSeeded: boolean
  readonly machines: Machines
}

export interface OriginFacts {
  readonly now: Date
  readonly catalog: Catalog
  readonly members: readonly Member[]
  readonly seeding: ReadonlySet<string>
  readonly problems: readonly Problem[]
  readonly traffic: OriginStatus['traffic']
}

/** Older ones are shown only while machines have them. */
const NEWEST_SHOWN = 5

export const originStatus = ({ now, catalog, members, seeding, problems, traffic }: OriginFacts): OriginStatus => {
  const machines = machinesOf(catalog.releases, members)
  const releaseOf = ({ release, urgentBy }: PublishedRelease): ReleaseStatus => ({
    version: release.version,
    channels: release.channels,
    published: release.published,
    offered: shareNowText(release, now),
    ...(release.rollout === undefined ? {} : { rollout: release.rollout }),
    urgent: urgentBy !== undefined,
    ...(release.yanked === undefined ? {} : { yanked: release.yanked.reason }),
    installedBytes: release.sizes.installedBytes,
    infoHash: release.torrent.btih,
    isSeeded: seeding.has(release.torrent.btih),
    machines: machines.get(release.torrent.btih) ?? NO_MACHINES,
  })
  const lines = [...Map.groupBy(catalog.releases, ({ release }) => `${release.product}\0${release.platform}`)]
  return {
    at: now.toISOString(),
    releases: catalog.releases.length,
    seeding: catalog.releases.filter(({ release }) => seeding.has(release.torrent.btih)).length,
    products: lines
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([line, group]) => {
        const [product = '', platform = ''] = line.split('\0')
        const all = group.toSorted((a, b) => compareVersions(b.release.version, a.release.version)).map(releaseOf)
        return {
          product,
          platform,
          machines: sumOf(all),
          releases: all.filter(({ machines: { have, fetching } }, row) => row < NEWEST_SHOWN || have + fetching > 0),
        }
      }),
    expires: bySoonest(catalog).map(({ role, expires }) => ({ role, at: expires.toISOString() })),
    problems: problems.map(({ summary }) => summary),
    traffic,
  }
}

const sumOf = (releases: readonly ReleaseStatus[]): Machines => ({
  have: releases.reduce((sum, { machines }) => sum + machines.have, 0),
  fetching: releases.reduce((sum, { machines }) => sum + machines.fetching, 0),
})
