// How the pack of a bundle lies on this machine: a file for each frame, so that a frame which several releases have in common
// is stored once. To the swarm it is still the one file of the torrent.
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { BundleIndex } from '@updraft/core/bundle/index-file'
import { frameFiles } from '@updraft/core/bundle/pack-place'
import type { Metainfo } from '@updraft/core/swarm/metainfo'
import type { StoredFile } from '@updraft/core/swarm/swarm'

const FOLDER = 'pack.frames'

export const packPathOf = (bundleDirectory: string): string => join(bundleDirectory, FOLDER)

/** What the torrent's content is kept in, for those who may mend it: every piece that they write was checked. */
export const storedFilesOf = (index: BundleIndex, { files: [indexFile] }: Metainfo): readonly StoredFile[] => [
  { path: 'index', lengthBytes: indexFile?.lengthBytes ?? 0, isFixed: false },
  ...frameFiles(index).map(({ name, lengthBytes }) => ({ path: `${FOLDER}/${name}`, lengthBytes, isFixed: false })),
]

/**
 * The same for a bundle that is not verified yet: what it has in common with a verified one is not written to.
 *
 * Errors: those of the file system, if a file is not there.
 */
export const stagedFilesOf = async (
  index: BundleIndex,
  metainfo: Metainfo,
  bundleDirectory: string,
): Promise<readonly StoredFile[]> =>
  await Promise.all(
    storedFilesOf(index, metainfo).map(async (file) => {
      const { nlink } = await stat(join(bundleDirectory, file.path))
      return { ...file, isFixed: nlink > 1 }
    }),
  )
