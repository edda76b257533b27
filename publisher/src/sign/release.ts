// What is signed about one release: its payload, and its two targets. Pure.
import { createHash } from 'node:crypto'
import { indexPatchPathOf, indexPathOf, metainfoPathOf, patchMetainfoPathOf } from '@updraft/core/names'
import { parseRelease, RELEASE_SCHEMA, type ReleasePayload } from '@updraft/core/release'
import type { TufTarget } from '@updraft/core/trust/metadata'
import type { PackedBundle } from '../pack.ts'
import type { Patches } from '../patches.ts'
import type { ReleasePlan } from '../publish/plan.ts'
import type { NewTarget } from '../repository/commit.ts'
import type { Edition } from '../repository/edition.ts'
import type { Digests } from '../repository/layout.ts'
import type { Change } from '../sign.ts'
import type { Torrents } from '../torrent.ts'

/** What the rooms before this one have made. */
export interface PreparedRelease {
  readonly bundle: PackedBundle
  readonly patches: Patches
  readonly torrents: Torrents
}

export interface ReleaseChange {
  readonly change: Change
  readonly targets: readonly NewTarget[]
}

/** Errors: RELEASE_INVALID if the payload is one that agents would refuse, such as notes beyond the limit. */
export const releaseChange = (
  edition: Edition,
  plan: ReleasePlan,
  { bundle, patches, torrents }: PreparedRelease,
  published: Date,
): ReleaseChange => {
  const index = newTarget(indexPathOf(plan), bundle.indexBytes)
  const metainfo = newTarget(metainfoPathOf(plan), torrents.metainfo.bytes)
  const indexPatches = patches.ofIndex.map(({ bytes }) => newTarget(indexPatchPathOf(plan), bytes))
  const patchMetainfos = torrents.patches.map(({ bytes }) => newTarget(patchMetainfoPathOf(plan), bytes))
  const payload: ReleasePayload = {
    ...payloadOf(plan, bundle, torrents, published),
    ...(indexPatches.length === 0
      ? {}
      : { indexPatches: patches.ofIndex.map(({ from }, row) => ({ from, ...described(indexPatches[row]) })) }),
    ...(patches.ofContent.length === 0
      ? {}
      : {
          patches: patches.ofContent.map(({ from, lengthBytes, sha256 }, row) => ({
            from,
            lengthBytes,
            sha256,
            btih: torrents.patches[row]?.infoHash ?? '',
            metainfo: described(patchMetainfos[row]),
          })),
        }),
  }
  parseRelease(payload, index.path)

  const product = edition.products.get(plan.product)
  if (product === undefined) throw new TypeError(`no role ${plan.product}: the plan should have refused`)
  const targets = {
    ...product.metadata.signed.targets,
    [index.path]: { ...targetFile(index), custom: payload },
    [metainfo.path]: targetFile(metainfo),
  }
  return {
    change: { products: new Map([[plan.product, { targets }]]) },
    targets: [index, metainfo, ...[...indexPatches, ...patchMetainfos].map(withoutSha512)],
  }
}

const described = (target: NewTarget | undefined): { lengthBytes: number; sha256: string } => ({
  lengthBytes: target?.bytes.length ?? 0,
  sha256: target?.sha256 ?? '',
})

/** Only agents know of patches, and they ask by SHA-256. */
const withoutSha512 = ({ path, bytes, sha256 }: NewTarget): NewTarget => ({ path, bytes, sha256 })

const payloadOf = (plan: ReleasePlan, bundle: PackedBundle, torrents: Torrents, published: Date): ReleasePayload => ({
  schema: RELEASE_SCHEMA,
  product: plan.product,
  version: plan.version,
  platform: plan.platform,
  channels: plan.channels,
  published: published.toISOString(),
  ...(plan.notes === undefined ? {} : { notes: plan.notes }),
  torrent: {
    btih: torrents.metainfo.infoHash,
    pieceLength: torrents.metainfo.pieceLength,
    metainfo: metainfoPathOf(plan),
    trackers: torrents.trackers,
    webSeeds: torrents.webSeeds,
  },
  sizes: bundle.sizes,
  ...(plan.rollout === undefined ? {} : { rollout: plan.rollout.map((step) => ({ ...step })) }),
  ...(process.versions.zstd === undefined ? {} : { zstd: process.versions.zstd }),
})

const newTarget = (path: string, bytes: Uint8Array): NewTarget & Digests => ({
  path,
  bytes,
  sha256: createHash('sha256').update(bytes).digest('hex'),
  sha512: createHash('sha512').update(bytes).digest('hex'),
})

/** SHA-256 comes first: tuf-js and python-tuf ask for the file under the first hash that is listed. */
const targetFile = ({ bytes, sha256, sha512 }: NewTarget & Digests): TufTarget => ({
  length: bytes.length,
  hashes: { sha256, sha512 },
})
