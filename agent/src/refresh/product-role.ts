// A delegated role, loaded through a session and checked once more by our own eyes; and the releases that a product's role lists.
import type { Signer } from '@updraft/core/control/api'
import { UpdateError } from '@updraft/core/errors'
import { metainfoPathOf, type Product, releaseNameOfIndexPath } from '@updraft/core/names'
import { parseRelease, type Release } from '@updraft/core/release'
import type { Metadata, SignedTargets, TufTarget } from '@updraft/core/trust/metadata'
import { signersOf } from '@updraft/core/trust/signatures'
import type { Session, TopLevel } from './session.ts'

export interface LoadedRole {
  readonly metadata: Metadata<SignedTargets>
  /** Who signed it, of those who may. At least `threshold`. */
  readonly signers: readonly Signer[]
  readonly threshold: number
}

export interface ProductRole extends LoadedRole {
  readonly product: Product
}

/**
 * Loads the role of `product`.
 *
 * Errors: PRODUCT_UNKNOWN if the repository has no such product; those of `Session.find`.
 */
export const loadProductRole = async (session: Session, topLevel: TopLevel, product: Product): Promise<ProductRole> => {
  const loaded = await loadRole(session, topLevel, product)
  if (loaded !== undefined) return { product, ...loaded }
  throw new UpdateError('PRODUCT_UNKNOWN', `${session.mirror} offers no product ${product}`, {
    hint: 'check the name of the product, and which source it comes from',
  })
}

/** Loads a role that targets delegates to; undefined if it does not. Errors: those of `Session.load`. */
export const loadRole = async (
  session: Session,
  { targets, snapshot }: TopLevel,
  name: string,
): Promise<LoadedRole | undefined> => {
  const { delegations } = targets.signed
  const role = delegations?.roles.find((delegated) => delegated.name === name)
  if (delegations === undefined || role === undefined) return undefined
  const file = `${name}.json`
  const listed = Object.hasOwn(snapshot.signed.meta, file) ? snapshot.signed.meta[file] : undefined
  if (listed === undefined) {
    throw untrusted(`${file} is not listed in the snapshot from ${session.mirror}, though its role exists`)
  }
  await session.load(name)

  const metadata = session.read(name)
  if (metadata === undefined || metadata.signed.version !== listed.version) {
    throw untrusted(`${file} from ${session.mirror} is not the version ${listed.version} that the snapshot lists`)
  }
  const keyIds = signersOf(metadata, { role, keys: delegations.keys })
  if (keyIds.length < role.threshold) {
    throw untrusted(`${file} carries ${keyIds.length} of the ${role.threshold} signatures that it needs`)
  }
  return { metadata, signers: keyIds.map((keyId) => ({ keyId })), threshold: role.threshold }
}

export interface ListedRelease {
  readonly release: Release
  readonly index: ListedTarget
  readonly metainfo: ListedTarget
}

export interface ListedTarget {
  readonly path: string
  readonly lengthBytes: number
  readonly sha256: string
}

export interface Listing {
  readonly releases: readonly ListedRelease[]
  /** What claims to be a release and is malformed. The others are not affected. */
  readonly rejected: readonly { readonly path: string; readonly error: UpdateError }[]
}

/** Every release of the role, whatever its channel, platform or version. */
export const releasesOf = ({ metadata }: ProductRole): Listing => {
  const { targets } = metadata.signed
  const releases: ListedRelease[] = []
  const rejected: { path: string; error: UpdateError }[] = []
  for (const [path, target] of Object.entries(targets)) {
    if (releaseNameOfIndexPath(path) === undefined) continue // The metainfo of a release; it is taken up with its index.
    try {
      releases.push(releaseAt(path, target, targets))
    } catch (error) {
      rejected.push({ path, error: error as UpdateError })
    }
  }
  return { releases, rejected }
}

const releaseAt = (path: string, target: TufTarget, targets: SignedTargets['targets']): ListedRelease => {
  const release = parseRelease(target.custom, path)
  const metainfoPath = metainfoPathOf(release)
  const metainfo = Object.hasOwn(targets, metainfoPath) ? targets[metainfoPath] : undefined
  if (metainfo === undefined) throw invalid(`release at ${path} has no ${metainfoPath}`)
  if (release.sizes.indexBytes !== target.length) {
    throw invalid(
      `release at ${path} says that its index has ${release.sizes.indexBytes} bytes; signed are ${target.length}`,
    )
  }
  return { release, index: listedTarget(path, target), metainfo: listedTarget(metainfoPath, metainfo) }
}

/** The policy demands SHA-256 of every target of a product. */
const listedTarget = (path: string, { length, hashes }: TufTarget): ListedTarget => ({
  path,
  lengthBytes: length,
  sha256: hashes.sha256 ?? '',
})

const invalid = (message: string): UpdateError => new UpdateError('RELEASE_INVALID', message)

const untrusted = (message: string): UpdateError =>
  new UpdateError('METADATA_UNTRUSTED', message, { hint: 'nothing of it was used; the source is asked again later' })
