// Where things lie in a repository directory. Names only; nothing here touches the disk.
import { isAbsolute, join, posix, relative } from 'node:path'
import { LIMITS } from '@updraft/core/limits'

export interface Layout {
  readonly metadata: string
  readonly targets: string
  readonly bundles: string
  /** A publish in progress. Nothing in it is referenced, and the next publish sweeps it. */
  readonly staging: string
}

export const layoutOf = (directory: string): Layout => ({
  metadata: join(directory, 'metadata'),
  targets: join(directory, 'targets'),
  bundles: join(directory, 'bundles'),
  staging: join(directory, '.staging'),
})

export const LOCK_NAME = '.lock'

/** Only the timestamp has no version in its name: it is what clients ask for first. Source: TUF 6.2. */
export const metadataFileName = (role: string, version: number): string =>
  role === 'timestamp' ? 'timestamp.json' : `${version}.${role}.json`

/** What clients accept, so that nothing larger is read or written. */
export const metadataMaxBytes = (role: string): number => {
  switch (role) {
    case 'root':
      return LIMITS.rootLengthBytes
    case 'snapshot':
      return LIMITS.snapshotLengthBytes
    case 'timestamp':
      return LIMITS.timestampLengthBytes
    default:
      return LIMITS.targetsLengthBytes
  }
}

export interface Digests {
  readonly sha256: string
  readonly sha512: string
}

/**
 * The names, below `targets/`, that clients may ask for the target at `path`. The first is the one with the SHA-256.
 *
 * Source: TUF 6.2 leaves it to the client which listed hash it puts in front; go-tuf takes any one of them.
 */
export const targetFileNames = (path: string, { sha256, sha512 }: Digests): readonly [string, string] => [
  targetFileName(path, sha256),
  targetFileName(path, sha512),
]

export const targetFileName = (path: string, digest: string): string => {
  const { dir, base } = posix.parse(path)
  return join(dir, `${digest}.${base}`)
}

/** True also if both are the same folder. */
export const isInside = (path: string, folder: string): boolean => {
  const way = relative(folder, path)
  return !isAbsolute(way) && way.split(/[/\\]/)[0] !== '..'
}
