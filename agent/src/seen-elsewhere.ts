// Asks the machines that the owner has named since when they know the releases that are too young here, where the owner wants that.
import { bundleNameOf } from '@updraft/core/names'
import type { CycleDependencies } from './cycle-types.ts'
import { NAMED_PEERS_MIN, seenByPeers } from './plan/seen-by-peers.ts'
import { HOUR_MS } from './plan/times.ts'
import type { TrustedRelease } from './refresh.ts'
import type { ProductSettings } from './settings.ts'
import { readTrustedSource } from './trust-store.ts'

/** The newest few: older ones are seldom what is waited for. */
const ASKED_MAX = 16

/** By the name of each release, the moment that counts; undefined if nobody is to be asked. Errors: ABORTED. */
export const askElsewhere = async (
  { minimumAgeHours, minimumAgeFrom, source }: ProductSettings,
  releases: readonly TrustedRelease[],
  firstSeen: ReadonlyMap<string, string>,
  { home, settings, now, carrier, peersOf, signal }: CycleDependencies,
): Promise<ReadonlyMap<string, string> | undefined> => {
  const named = new Set(settings.network.peers).size
  if (minimumAgeFrom === 'this-machine' || minimumAgeHours === 0 || carrier !== undefined) return undefined
  if (peersOf === undefined || named < NAMED_PEERS_MIN) return undefined
  const oldest = now().getTime() - minimumAgeHours * HOUR_MS
  const young = releases
    .filter(({ release }) => Date.parse(firstSeen.get(bundleNameOf(release)) ?? '') > oldest)
    .sort((a, b) => (a.release.published < b.release.published ? 1 : -1))
    .slice(0, ASKED_MAX)
  if (young.length === 0) return undefined
  const asked = young.map(({ release, index }) => ({ name: bundleNameOf(release), digest: index.sha256 }))
  const told = await peersOf(await readTrustedSource(home.stateDirectory, source)).firstSeen(asked, signal)
  const moments = young.flatMap(({ release }): (readonly [string, string])[] => {
    const name = bundleNameOf(release)
    const moment = seenByPeers({ times: told.get(name) ?? [], named, published: release.published })
    return moment === undefined ? [] : [[name, moment]]
  })
  return new Map(moments)
}
