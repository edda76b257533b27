// How a build becomes a release that every client of a repository can see: the whole story on one screen. Each line of
// `publish` is a room of its own; a kill between any two of them leaves the repository as clients saw it before.
import type { ProgressListener } from '@updraft/core/progress'
import { type KeySource, openSigners } from './keys/signer.ts'
import { findBuild, pack } from './pack.ts'
import { makePatches } from './patches.ts'
import { planRelease, type ReleaseRequest } from './publish/plan.ts'
import { type Published, publishedOf } from './publish/result.ts'
import { commitFiles } from './repository/commit.ts'
import { assertClock } from './repository/demands.ts'
import { changeRepository, lockRepository, openRepository, rolesNamed, withEdition } from './repository.ts'
import { releaseChange } from './sign/release.ts'
import { signChange } from './sign.ts'
import { makeTorrents } from './torrent.ts'

export interface PublishRequest extends ReleaseRequest {
  /** A folder or a single file. */
  readonly build: string
  readonly repository: string
  /** Only so that it is never published itself. */
  readonly keysDirectory: string
}

export interface PublishOptions {
  readonly keys: KeySource
  readonly now: Date
  /** What begins now: `check`, `sweep`, `pack`, `patch`, `torrent`, `sign`, `bundle`, `targets`, the product, `snapshot`, `timestamp`. */
  readonly onStep?: ((step: string) => void) | undefined
  readonly onProgress?: ProgressListener | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Publishes `request.build` as a release. Everything that can be refused is refused before any work is begun.
 *
 * Errors: REPOSITORY_INVALID, LOCKED, PRODUCT_UNKNOWN, VERSION_NOT_NEWER, METADATA_EXPIRED, CLOCK_WRONG, BUILD_MISSING, BUILD_EMPTY,
 *         BUILD_UNSUPPORTED, BUILD_CHANGED, KEY_MISSING, PASSPHRASE_MISSING, PASSPHRASE_WRONG, DISK_FULL, PERMISSION, IO,
 *         ABORTED.
 */
export const publish = async (request: PublishRequest, options: PublishOptions): Promise<Published> => {
  const { keys, now, onStep = () => {} } = options
  onStep('check')
  using _lock = await lockRepository(request.repository)
  const repository = await openRepository(request.repository, { fingerprints: await keys.rootFingerprints() })
  assertClock(repository, now)
  const plan = planRelease(repository, request, now)
  const build = await findBuild(request.build, [repository.directory, request.keysDirectory])
  const signers = await openSigners(keys, rolesNamed(repository, [plan.product, 'snapshot', 'timestamp']))

  onStep('sweep')
  return await changeRepository(repository, async (staging) => {
    onStep('pack')
    const bundle = await pack(build, plan, staging, options)
    onStep('patch')
    const patches = await makePatches(bundle, plan, staging, options)
    onStep('torrent')
    const torrents = await makeTorrents(bundle, patches, repository.settings, options)
    onStep('sign')
    const { change, targets } = releaseChange(repository.edition, plan, { bundle, patches, torrents }, now)
    const { expiryDays } = repository.settings
    const { edition, changed } = await signChange(repository.edition, change, { signers, expiryDays, now })
    const bundles = [bundle, ...patches.ofContent]
    await commitFiles(repository.directory, { bundles, targets, metadata: changed }, onStep)
    return publishedOf(withEdition(repository, edition), plan, bundle)
  })
}
