// Learns what a source offers: TUF from the pinned root down to the releases of each product, on a cache that a kill cannot
// break and floors that deleting it cannot lower. The only maker of TrustedRelease; fetches no release and decides nothing.
import { join } from 'node:path'
import type { Signer } from '@updraft/core/control/api'
import { hasCode, UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import type { Product } from '@updraft/core/names'
import type { Release } from '@updraft/core/release'
import type { SignedRole } from '@updraft/core/trust/holders'
import { type Metadata, parseMetadata } from '@updraft/core/trust/metadata'
import type { Ask } from './ask.ts'
import type { Carrier } from './carrier.ts'
import { download } from './download.ts'
import type { CacheDisk } from './refresh/cache.ts'
import type { VersionFloors } from './refresh/floors.ts'
import { followSource, isAboutSource } from './refresh/follow.ts'
import { type ListedTarget, loadProductRole, type ProductRole, releasesOf } from './refresh/product-role.ts'
import type { Session, TopLevel } from './refresh/session.ts'
import { fingerprintOf, type TrustedSource } from './trust-store.ts'

export type { VersionFloors } from './refresh/floors.ts'

/** A file of the repository as it was signed. */
export type TargetFile = ListedTarget

export interface ReleaseFacts {
  /** Name of the source. */
  readonly source: string
  /** Base URL of the mirror that served the metadata; hints are resolved against it. */
  readonly repositoryUrl: string
  readonly release: Release
  readonly index: TargetFile
  readonly metainfo: TargetFile
  /** Who signed the product's role. */
  readonly signers: readonly Signer[]
  readonly threshold: number
}

declare const trusted: unique symbol

/** A release that TUF's client workflow and our policy accepted. */
export type TrustedRelease = ReleaseFacts & { readonly [trusted]: true }

export interface RefreshOptions {
  /** The caches of all sources; each has a folder of its own. */
  readonly cacheDirectory: string
  readonly floors: VersionFloors
  readonly now: () => Date
  readonly ask?: Ask | undefined
  /** What brings the files of the source, in place of all its mirrors. */
  readonly carrier?: Carrier | undefined
  readonly signal?: AbortSignal | undefined
  /** For one metadata file. */
  readonly timeoutMs?: number | undefined
  readonly disk?: CacheDisk | undefined
}

export interface RoleExpiry {
  readonly role: string
  /** ISO 8601 in UTC. */
  readonly at: string
}

export interface RefreshResult {
  /** All releases of the products, in no particular order. */
  readonly releases: readonly TrustedRelease[]
  /** Releases that are signed and malformed. The others are not affected. */
  readonly rejected: readonly { readonly path: string; readonly error: UpdateError }[]
  /** Products whose own role is unknown or was refused. The others are not affected. */
  readonly failed: readonly { readonly product: Product; readonly error: UpdateError }[]
  /** Who signed each product's role, and what was signed about them. */
  readonly signedRoles: readonly SignedRole[]
  readonly rootVersion: number
  /** The first of the roles in use to expire. */
  readonly expires: RoleExpiry
  /** All of them. */
  readonly expiries: readonly RoleExpiry[]
  /** Whether the trusted metadata is other than before. */
  readonly changed: boolean
  /** Mirrors that were passed over, and why. */
  readonly skipped: readonly { readonly url: string; readonly error: UpdateError }[]
}

/**
 * Brings the trusted metadata of `source` up to date, and lists the releases of `products`. What was verified is kept,
 * even if a later step fails: a new root above all.
 *
 * Errors: ROOT_UNKNOWN (what was carried here comes from another repository); SOURCE_UNREACHABLE (nobody answers, or a file
 *         is not there); METADATA_UNTRUSTED, METADATA_ROLLBACK, METADATA_EXPIRED, METADATA_POLICY, LIMIT_EXCEEDED (somebody
 *         answers, and it was refused); LOCKED, ABORTED, STATE_DAMAGED, DISK_FULL, PERMISSION, IO.
 * Source: TUF 1.0.34, 5 (client workflow).
 */
export const refresh = async (
  source: TrustedSource,
  products: readonly Product[],
  options: RefreshOptions,
): Promise<RefreshResult> => {
  const { cacheDirectory, carrier, ...rest } = options
  if (carrier !== undefined) await assertSameRoot(carrier, source, options)
  const followable = {
    name: source.name,
    metadataUrls: (carrier === undefined ? source.urls : [carrier.url]).map((url) => `${url}${METADATA}`),
    rootBytes: source.rootBytes,
    pin: source.pin.fingerprint,
  }
  const followed = await followSource(
    followable,
    { ...rest, ask: carrier?.ask ?? rest.ask, directory: join(cacheDirectory, source.name) },
    async (session, topLevel) => {
      const offer = await readOffer(session, topLevel, products)
      return { result: offer, flaw: offer.failed[0]?.error }
    },
  )
  const { topLevel, roles, failed, mirror } = followed.result
  // Who shares what was carried here looks for others where everybody does.
  const repositoryUrl = carrier === undefined ? mirror.slice(0, -METADATA.length) : source.urls[0]
  const expiries = expiriesOf(topLevel, roles)
  const listings = roles.map((role) => ({ role, ...releasesOf(role) }))
  return {
    releases: listings.flatMap(({ role: { signers, threshold }, releases }) =>
      releases.map((listed) => trust({ source: source.name, repositoryUrl, ...listed, signers, threshold })),
    ),
    rejected: listings.flatMap(({ rejected }) => rejected),
    failed,
    signedRoles: roles.map((role) => signedRoleOf(role, topLevel)),
    rootVersion: topLevel.root.signed.version,
    expires: expiries.reduce((first, other) => (other.at < first.at ? other : first)),
    expiries,
    changed: followed.changed,
    skipped: followed.skipped.map(({ url, error }) => ({ url: url.slice(0, -METADATA.length), error })),
  }
}

const METADATA = 'metadata/'

/** Whoever carries a file here should learn that it is another repository's, and not that some signature is missing. */
const assertSameRoot = async (
  { url, ask }: Carrier,
  { rootBytes, pin, name }: TrustedSource,
  { signal }: RefreshOptions,
): Promise<void> => {
  const { version } = (parseMetadata(rootBytes, 'the pinned root') as Metadata).signed
  const limits = { maxBytes: LIMITS.rootLengthBytes, timeoutMs: LIMITS.metadataTimeoutMs }
  const answer = await download(`${url}${METADATA}${version}.root.json`, { ...limits, ask, signal })
  if (answer.kind === 'bytes' && answer.bytes.equals(rootBytes)) return
  const its =
    answer.kind === 'bytes' ? `root ${version} in it is ${fingerprintOf(answer.bytes)}` : `it has no root ${version}`
  throw new UpdateError(
    'ROOT_UNKNOWN',
    `${url} does not come from the source ${name}: ${its}, pinned is ${pin.fingerprint}`,
    {
      hint: 'it was exported from another repository; if that one deserves trust, add it as a source of its own',
    },
  )
}

interface Offer {
  readonly mirror: string
  readonly topLevel: TopLevel
  readonly roles: readonly ProductRole[]
  readonly failed: RefreshResult['failed']
}

/** One product's people cannot stop the updates of another: what is wrong with a product's role stays with it. */
const readOffer = async (session: Session, topLevel: TopLevel, products: readonly Product[]): Promise<Offer> => {
  const roles: ProductRole[] = []
  const failed: { product: Product; error: UpdateError }[] = []
  for (const product of new Set(products)) {
    try {
      roles.push(await loadProductRole(session, topLevel, product))
    } catch (error) {
      if (!isAboutSource(error) && !hasCode(error, 'PRODUCT_UNKNOWN')) throw error
      failed.push({ product, error })
    }
  }
  return { mirror: session.mirror, topLevel, roles, failed }
}

const signedRoleOf = ({ product, signers, threshold }: ProductRole, { targets }: TopLevel): SignedRole => ({
  role: product,
  identity: targets.signed.delegations?.roles.find(({ name }) => name === product)?.identity,
  keys: targets.signed.delegations?.keys ?? {},
  signers: signers.map(({ keyId }) => keyId),
  threshold,
})

const trust = (facts: ReleaseFacts): TrustedRelease => facts as TrustedRelease

const expiriesOf = (
  { root, timestamp, snapshot, targets }: TopLevel,
  roles: readonly ProductRole[],
): readonly RoleExpiry[] => [
  ...Object.entries({ root, timestamp, snapshot, targets }).map(([role, { signed }]) => ({ role, at: signed.expires })),
  ...roles.map(({ product, metadata }) => ({ role: product, at: metadata.signed.expires })),
]
