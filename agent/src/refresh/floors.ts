// Version floors: what was ever accepted is remembered outside the cache, so that deleting the cache brings no older state
// back. Pure. A floor is kept per signing key, because a publisher who recovers from stolen keys replaces them and may
// then start at lower versions: what only the old keys vouched for no longer counts.
import type { Metadata, SignedRoot, SignedSnapshot, SignedTimestamp, TufRole } from '@updraft/core/trust/metadata'
import { signersOf } from '@updraft/core/trust/signatures'

/** Versions by floor name. */
export type Floors = Readonly<Record<string, number>>

/** Where floors are kept. One that was raised never sinks. */
export interface VersionFloors {
  read(source: string): Floors
  raise(source: string, versions: Floors): void
}

/** What was verified so far, in the order of the TUF workflow. */
export interface VerifiedSet {
  /** Fingerprint of the pinned root. Another pin is another repository, with versions of its own. */
  readonly pin: string
  readonly root: Metadata<SignedRoot>
  readonly timestamp?: Metadata<SignedTimestamp> | undefined
  readonly snapshot?: Metadata<SignedSnapshot> | undefined
  /** Delegated roles that were loaded. */
  readonly products: readonly string[]
}

export interface BelowFloor {
  /** The file that says so. */
  readonly sayer: 'root' | 'timestamp' | 'snapshot'
  readonly role: string
  /** Undefined if the role is no longer mentioned at all. */
  readonly version: number | undefined
  readonly floor: number
}

/** The floors that accepting `set` establishes. */
export const floorsFrom = (set: VerifiedSet): Floors => {
  const floors: Record<string, number> = { [rootFloor(set.pin)]: set.root.signed.version }
  const { roles, keys } = set.root.signed
  if (set.timestamp !== undefined) {
    for (const keyId of signersOf(set.timestamp, { role: roles.timestamp, keys })) {
      floors[floorName('timestamp', keyId)] = set.timestamp.signed.version
      floors[floorName('snapshot', keyId)] = set.timestamp.signed.meta['snapshot.json'].version
    }
  }
  if (set.snapshot !== undefined) {
    for (const keyId of signersOf(set.snapshot, { role: roles.snapshot, keys })) {
      for (const role of ['targets', ...set.products]) {
        const version = set.snapshot.signed.meta[`${role}.json`]?.version
        if (version !== undefined) floors[floorName(role, keyId)] = version
      }
    }
  }
  return floors
}

/**
 * The first thing in `set` that lies below what was accepted before, or undefined.
 *
 * Source: TUF 5.3.5, 5.4.3, 5.5.5 (rollback), 5.3.11 (recovery from fast-forward attacks); here without a cache.
 */
export const findBelowFloor = (floors: Floors, set: VerifiedSet): BelowFloor | undefined => {
  const { roles, version } = set.root.signed
  const below = (sayer: BelowFloor['sayer'], role: string, found: number | undefined, floor: number) =>
    (found ?? 0) < floor ? { sayer, role, version: found, floor } : undefined

  const rolesListed = rolesWithFloors(floors, roles.snapshot)
  return (
    below('root', 'root', version, floors[rootFloor(set.pin)] ?? 0) ??
    (set.timestamp &&
      (below('timestamp', 'timestamp', set.timestamp.signed.version, floorOf(floors, 'timestamp', roles.timestamp)) ??
        below(
          'timestamp',
          'snapshot',
          set.timestamp.signed.meta['snapshot.json'].version,
          floorOf(floors, 'snapshot', roles.timestamp),
        ))) ??
    (set.snapshot &&
      rolesListed
        .map((role) =>
          below(
            'snapshot',
            role,
            set.snapshot?.signed.meta[`${role}.json`]?.version,
            floorOf(floors, role, roles.snapshot),
          ),
        )
        .find((found) => found !== undefined))
  )
}

/**
 * The version that a threshold of today's keys has vouched for: the threshold-th highest of theirs. With fewer, what was
 * accepted then would not be accepted today either.
 */
const floorOf = (floors: Floors, role: string, { keyids, threshold }: TufRole): number => {
  const versions = keyids.map((keyId) => floors[floorName(role, keyId)] ?? 0).sort((a, b) => b - a)
  return versions[threshold - 1] ?? 0
}

const rolesWithFloors = (floors: Floors, { keyids }: TufRole): readonly string[] => {
  const roles = Object.keys(floors).flatMap((name) => {
    const at = name.lastIndexOf('@')
    return keyids.includes(name.slice(at + 1)) ? [name.slice(0, at)] : []
  })
  // The same key may sign both snapshot and timestamp; these two are not listed in a snapshot.
  return [...new Set(roles)].filter((role) => role !== 'timestamp' && role !== 'snapshot')
}

const rootFloor = (pin: string): string => `root@${pin}`
const floorName = (role: string, keyId: string): string => `${role}@${keyId}`
