// What metadata files are called, and how long each may be.
import { LIMITS } from '@updraft/core/limits'

/** A role, and its version where the file's name carries one. */
export interface RoleFile {
  readonly role: string
  readonly version?: number | undefined
}

/** `2.root.json`, `timestamp.json`, `acme.json`. Source: TUF 6.2; role names are escaped as in a URL. */
export const fileNameOf = ({ role, version }: RoleFile): string =>
  `${version === undefined ? '' : `${version}.`}${encodeURIComponent(role)}.json`

/** The role that a file of a repository or of the cache holds; undefined for any other file. */
export const roleOfFile = (name: string): RoleFile | undefined => {
  const match = /^(?:([1-9][0-9]{0,14})\.)?([^/]+)\.json$/.exec(name)
  if (match === null) return undefined
  const [, version, encoded = ''] = match
  try {
    return { role: decodeURIComponent(encoded), version: version === undefined ? undefined : Number(version) }
  } catch {
    return undefined // Malformed escapes: a name that no repository of ours has.
  }
}

export const maxBytesOf = (role: string): number => {
  switch (role) {
    case 'root':
      return LIMITS.rootLengthBytes
    case 'timestamp':
      return LIMITS.timestampLengthBytes
    case 'snapshot':
      return LIMITS.snapshotLengthBytes
    default:
      return LIMITS.targetsLengthBytes
  }
}
