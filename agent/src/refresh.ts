// Learns what a source offers: TUF from the pinned root down to the releases of each product, on a cache that a kill cannot
// break and floors that deleting it cannot lower. The only maker of TrustedRelease; fetches no release and decides nothing.
import { join } from 'node:path'
import { takeTurns } from '@updraft/core/bundle/turns'
import type { Signer } from '@updraft/core/control/api'
import { hasCode, UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import { type Product, URGENT_ROLE } from '@updraft/core/names'
import type { Release } from '@updraft/core/release'
import type { SignedRole } from '@updraft/core/trust/holders'
import { type Metadata, parseMetadata } from '@updraft/core/trust/metadata'
import type { Ask } from './ask.ts'
import type { Carrier } from './carrier.ts'
import { download } from './download.ts'
import type { MetadataOrigin, PeerSource } from './peer-source.ts'
import type { CacheDisk } from './refresh/cache.ts'
import type { VersionFloors } from './refresh/floors.ts'
import { followSource, isAboutSource } from './refresh/follow.ts'
import {
  type ListedTarget,
  type Listing,
  loadProductRole,
  type ProductRole,
  releasesOf,
} from './refresh/product-role.ts'
import type { Session, TopLevel } from './refresh/session.ts'
import { loadUrgentRole, type Urgency, type UrgentRole, urgencyOf } from './refresh/urgency.ts'
import { fingerprintOf, type TrustedSource } from './trust-store.ts'

export type { VersionFloors } from './refresh/floors.ts'
export type { Urgency } from './refresh/urgency.ts'

/** A file of the repository as it was signed. */
export type TargetFile = ListedTarget

export interface ReleaseFacts {
  /** Name of the source. */
  readonly source: string
  /** Base URL of the mirror that served the metadata; hints are resolved against it. */
  readonly repositoryUrl: string
  /** No mirror was of use: the metadata came from another machine. */
  readonly isFromPeer: boolean
  readonly release: Release
  readonly index: TargetFile
  readonly metainfo: TargetFile
  /** Who signed the product's role. */
  readonly signers: readonly Signer[]
  readonly threshold: number
  /** Who says that it need not wait for its age; undefined if nobody does whose word counts, or if that was not asked for. */
  readonly urgency: Urgency | undefined
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
  /** Other machines, for when no mirror is of use, or when they say that they have something newer. */
  readonly peers?: PeerSource | undefined
  readonly signal?: AbortSignal | undefined
  /** For one metadata file. */
  readonly timeoutMs?: number | undefined
  readonly disk?: CacheDisk | undefined
  /** Whether it matters which releases are urgent: then the role that says so is loaded as well. */
  readonly urgency?: boolean | undefined
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
  /** The same of the role `urgent`, if it was asked for and the repository has it; or why it was refused. No product is affected. */
  readonly urgentRole: SignedRole | UpdateError | undefined
  readonly rootVersion: number
  /** The first of the roles in use to expire. */
  readonly expires: RoleExpiry
  /** All of them. */
  readonly expiries: readonly RoleExpiry[]
  /** Whether the trusted metadata is other than before. */
  readonly changed: boolean
  /** Mirrors that were passed over, and why. */
  readonly skipped: readonly { readonly url: string; readonly error: UpdateError }[]
  /** Why no mirror was of use, where another machine was instead. */
  readonly sourceError: UpdateError | undefined
  readonly from: MetadataOrigin
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
    {
      ...rest,
      ask: carrier?.ask ?? rest.ask,
      peers: carrier === undefined ? rest.peers : undefined,
      directory: join(cacheDirectory, source.name),
    },
    async (session, topLevel) => {
      const offer = await readOffer(session, topLevel, products, options.urgency ?? false)
      return { result: offer, flaw: offer.failed[0]?.error ?? refusalOf(offer.urgent) }
    },
  )
  const { topLevel, roles, failed, urgent, mirror } = followed.result
  const from = mirror.slice(0, -METADATA.length)
  // Who has it from a file or from another machine looks for files and others where everybody does.
  const isMirror = source.urls.includes(from)
  const repositoryUrl = isMirror ? from : source.urls[0]
  const isFromPeer = carrier === undefined && !isMirror
  const expiries = expiriesOf(topLevel, roles)
  const turn = takeTurns(options.signal)
  const listings: ({ readonly role: ProductRole } & Listing)[] = []
  for (const role of roles) {
    await turn()
    listings.push({ role, ...releasesOf(role) })
  }
  return {
    releases: listings.flatMap(({ role, releases }) =>
      releases.map((listed) => {
        const { signers, threshold } = role
        const urgency = urgencyOf(listed, role, urgent)
        return trust({ source: source.name, repositoryUrl, isFromPeer, ...listed, signers, threshold, urgency })
      }),
    ),
    rejected: listings.flatMap(({ rejected }) => rejected),
    failed,
    signedRoles: roles.map((role) => signedRoleOf(role.product, role, topLevel)),
    urgentRole: urgent.kind === 'read' ? signedRoleOf(URGENT_ROLE, urgent, topLevel) : refusalOf(urgent),
    rootVersion: topLevel.root.signed.version,
    expires: expiries.reduce((first, other) => (other.at < first.at ? other : first)),
    expiries,
    changed: followed.changed,
    skipped: followed.skipped.map(({ url, error }) => ({ url: url.slice(0, -METADATA.length), error })),
    sourceError: followed.sourceError,
    from: {
      kind: isMirror ? 'mirror' : carrier === undefined ? (rest.peers?.kindOf(from) ?? 'peer') : 'file',
      url: from,
    },
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
  readonly urgent: UrgentRole
}

const refusalOf = (urgent: UrgentRole): UpdateError | undefined =>
  urgent.kind === 'refused' ? urgent.error : undefined

/** One product's people cannot stop the updates of another: what is wrong with a product's role stays with it. */
const readOffer = async (
  session: Session,
  topLevel: TopLevel,
  products: readonly Product[],
  wantsUrgency: boolean,
): Promise<Offer> => {
  const roles: ProductRole[] = []
  const failed: { product: Product; error: UpdateError }[] = []
  const turn = takeTurns()
  for (const product of new Set(products)) {
    await turn()
    try {
      roles.push(await loadProductRole(session, topLevel, product))
    } catch (error) {
      if (!isAboutSource(error) && !hasCode(error, 'PRODUCT_UNKNOWN')) throw error
      failed.push({ product, error })
    }
  }
  const urgent = await loadUrgentRole(session, topLevel, wantsUrgency)
  return { mirror: session.mirror, topLevel, roles, failed, urgent }
}

const signedRoleOf = (
  role: string,
  { signers, threshold }: Pick<ProductRole, 'signers' | 'threshold'>,
  { targets }: TopLevel,
): SignedRole => ({
  role,
  identity: targets.signed.delegations?.roles.find(({ name }) => name === role)?.identity,
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
