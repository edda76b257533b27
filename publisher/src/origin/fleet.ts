// How many machines have which version, as far as the tracker can see: a machine shares what it has installed, and often the
// version before it as well, so that it is counted once, for the newest that it has whole. Pure.
import { compareVersions } from '@updraft/core/names'
import type { PublishedRelease } from '../repository.ts'

/** Somebody who announced itself for a torrent. */
export interface Member {
  readonly infoHash: string
  /** The same for all torrents of one program. Not proved: whoever wants to be counted twice is. */
  readonly peerId: string
  readonly complete: boolean
}

/** Machines at one release. */
export interface Machines {
  readonly have: number
  readonly fetching: number
}

export const NO_MACHINES: Machines = { have: 0, fetching: 0 }

/** By infohash of the releases; patches do not count. */
export const machinesOf = (
  releases: readonly PublishedRelease[],
  members: readonly Member[],
): ReadonlyMap<string, Machines> => {
  const published = new Map(releases.map(({ release }) => [release.torrent.btih, release]))
  const newest = new Map<string, string>()
  const machines = new Map<string, { have: number; fetching: number }>()
  const at = (infoHash: string) => {
    const known = machines.get(infoHash) ?? { have: 0, fetching: 0 }
    machines.set(infoHash, known)
    return known
  }
  for (const { infoHash, peerId, complete } of members) {
    const release = published.get(infoHash)
    if (release === undefined) continue
    if (!complete) {
      at(infoHash).fetching += 1
      continue
    }
    const line = `${release.product}/${release.platform}/${peerId}`
    const other = published.get(newest.get(line) ?? '')
    if (other === undefined || compareVersions(release.version, other.version) > 0) newest.set(line, infoHash)
  }
  for (const infoHash of newest.values()) at(infoHash).have += 1
  return machines
}
