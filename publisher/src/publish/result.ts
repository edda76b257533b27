// What publishing tells once it has succeeded: enough for a person to check it, and for a script to go on from it.
import { join } from 'node:path'
import { indexPathOf } from '@updraft/core/names'
import type { ReleasePayload } from '@updraft/core/release'
import type { PackedBundle } from '../pack.ts'
import type { Repository } from '../repository.ts'
import type { ReleasePlan } from './plan.ts'

export interface Published {
  readonly product: string
  readonly version: string
  readonly platform: string
  readonly channels: readonly string[]
  /** SHA-1 of the info dictionary, in hex. */
  readonly infoHash: string
  readonly pieceLength: number
  readonly sizes: ReleasePayload['sizes']
  /** The release whose chunks were carried over, and how many bytes of the pack they are. */
  readonly previousVersion?: string
  readonly reusedBytes: number
  /** What a machine on each of these versions fetches instead of chunks. */
  readonly patches: readonly { readonly fromVersion: string; readonly lengthBytes: number }[]
  readonly files: { readonly index: string; readonly pack: string; readonly metainfo: string }
  /** By role, as they are in force now. */
  readonly metadataVersions: Readonly<Record<string, number>>
}

/** `repository` as it is after the release. */
export const publishedOf = (repository: Repository, plan: ReleasePlan, { reusedBytes }: PackedBundle): Published => {
  const found = repository.releases.find(({ index }) => index.path === indexPathOf(plan))
  if (found === undefined) throw new TypeError(`${indexPathOf(plan)} was not signed`)
  const { release, index, metainfo, bundleDirectory } = found
  const [previous] = plan.recent
  return {
    product: release.product,
    version: release.version,
    platform: release.platform,
    channels: release.channels,
    infoHash: release.torrent.btih,
    pieceLength: release.torrent.pieceLength,
    sizes: release.sizes,
    ...(previous === undefined ? {} : { previousVersion: previous.release.version }),
    reusedBytes,
    patches: (release.patches ?? []).map(({ from, lengthBytes }) => ({
      fromVersion: plan.recent.find(({ index }) => index.sha256 === from)?.release.version ?? '',
      lengthBytes,
    })),
    files: { index: index.file, pack: join(bundleDirectory, 'pack'), metainfo: metainfo.file },
    metadataVersions: Object.fromEntries(repository.roles.map(({ role, metadataVersion }) => [role, metadataVersion])),
  }
}
