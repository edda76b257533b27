// What the origin's rooms ask of a verified repository. Pure: nothing is read here.
import { compareVersions } from '@updraft/core/names'
import type { PublishedRelease, Repository, RoleState } from '../repository.ts'

/** What of a repository the pages and the seeder look at. */
export type Catalog = Pick<Repository, 'releases' | 'roles'>

/** The newest `count` releases of each product on each platform, newest first within each. */
export const newestReleases = (releases: readonly PublishedRelease[], count: number): readonly PublishedRelease[] =>
  [...Map.groupBy(releases, ({ release }) => `${release.product}/${release.platform}`)]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([, group]) => group.sort((a, b) => compareVersions(b.release.version, a.release.version)).slice(0, count))

/** The infohashes of all releases and their patches: a machine may still be fetching an older one. */
export const infoHashesOf = ({ releases }: Catalog): ReadonlySet<string> =>
  new Set(releases.flatMap(({ torrents }) => torrents.map(({ infoHash }) => infoHash)))

/** Roles in the order in which they expire. */
export const bySoonest = ({ roles }: Catalog): readonly RoleState[] =>
  roles.toSorted((a, b) => a.expires.getTime() - b.expires.getTime())
