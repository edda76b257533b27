// Proves offline what an exported file or an installed tree is: signed by whom, when, under which root, until when, and everything
// that is not as it was signed. By the same refresh room as an update, in a folder that is thrown away: it changes nothing on this
// machine, raises no floor, and never talks to anybody.
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { type ExportFile, openExport } from '@updraft/core/archive/export-file'
import { parseIndexInTurns } from '@updraft/core/bundle/index-file'
import type { Signer } from '@updraft/core/control/api'
import type { Home } from '@updraft/core/control/home'
import { fromFileSystem, hasCode, UpdateError } from '@updraft/core/errors'
import { readFileBounded, removeAll } from '@updraft/core/files/atomic'
import { bundleNameOf, type Product } from '@updraft/core/names'
import { FINDINGS } from '@updraft/core/trust/finding'
import { readAuthorities } from './authorities.ts'
import { type Carrier, carrierOf } from './carrier.ts'
import { BEFORE_EVERYTHING } from './identified-refresh.ts'
import { identify } from './identity.ts'
import { findingsInBundle } from './proof/bundle.ts'
import { carrierOfCache } from './proof/cached-metadata.ts'
import { altered, finding, type ProofFinding, refusalOf, unknownRelease } from './proof/findings.ts'
import { type Difference, differencesOf } from './proof/tree.ts'
import { findingsOfUse } from './proof/use.ts'
import { type RefreshResult, refresh, type TrustedRelease, type VersionFloors } from './refresh.ts'
import { readSettings } from './settings.ts'
import { databasePathOf, openStore, type Store } from './store.ts'
import { assertRoot, fingerprintOf, readTrustedSource, readTrustedSources, type TrustedSource } from './trust-store.ts'

export interface Proof {
  readonly kind: 'file' | 'tree'
  readonly path: string
  readonly product: string
  /** The pinned root that everything else was verified from. */
  readonly source?: { readonly name: string; readonly fingerprint: string; readonly pinnedBy: string }
  readonly rootVersion?: number
  /** The first role to expire. */
  readonly expires?: RefreshResult['expires']
  readonly releases: readonly ProvenRelease[]
  readonly findings: readonly ProofFinding[]
  /** Of a tree: what is on disk and not as it was signed. */
  readonly differences: readonly Difference[]
  /** Nothing but remarks was found. */
  readonly isGood: boolean
}

export interface ProvenRelease {
  readonly version: string
  readonly platform: string
  readonly channels: readonly string[]
  readonly published: string
  readonly infoHash: string
  readonly signers: readonly Signer[]
  readonly threshold: number
}

export interface ProofOptions {
  readonly home: Home
  /** Instead of the roots that are pinned on this machine. */
  readonly rootBytes?: Buffer | undefined
  readonly now: Date
  readonly signal: AbortSignal
}

/**
 * Errors: ROOT_UNKNOWN if there is no root to begin with; PERMISSION, IO, ABORTED. What is wrong with the file is a finding.
 */
export const proveFile = async (path: string, options: ProofOptions): Promise<Proof> => {
  const subject = { kind: 'file', path } as const
  let opened: ExportFile
  try {
    opened = await openExport(path, { signal: options.signal })
  } catch (error) {
    return proofOf({ ...subject, product: '' }, { findings: [refusalOf(error, true)] })
  }
  await using file = opened
  const { product } = file
  const carrier = carrierOf(file)
  const source = await sourceOfFile(file, options)
  const judged = await judge(source, product, carrier, options)
  const releases = judged.releases.filter(({ release }) => carrier.carries(release))
  const findings = [...judged.findings]
  for (const name of file.releases) {
    const trusted = releases.find(({ release }) => bundleNameOf(release) === bundleNameOf(name))
    if (trusted !== undefined) findings.push(...(await findingsInBundle(file, carrier, trusted, options.signal)))
    else if (judged.isVerified) findings.push(unknownRelease(name))
  }
  return proofOf({ ...subject, product }, { ...judged, source, releases, findings })
}

/**
 * Errors: RELEASE_UNKNOWN if nothing of it is installed; ROOT_UNKNOWN if its source is gone; STATE_DAMAGED, PERMISSION, IO,
 *         ABORTED. What is wrong with the tree is a finding, or a difference.
 */
export const proveTree = async (product: Product, options: ProofOptions): Promise<Proof> => {
  const { home, signal } = options
  const installed = readStore(home, (store) => store.installed.current(product))
  if (installed === undefined) {
    throw new UpdateError('RELEASE_UNKNOWN', `nothing of ${product} is installed by the agent of this home`, {
      hint: `for a file, give its path: ./${product}`,
    })
  }
  const pinned = await readTrustedSource(home.stateDirectory, installed.source)
  const source = options.rootBytes === undefined ? pinned : { ...pinned, ...givenRoot(options.rootBytes) }
  const carrier = carrierOfCache(join(home.stateDirectory, 'metadata', pinned.name, 'current'), pinned.rootBytes)
  const judged = await judge(source, product, carrier, options)
  const name = { product, version: installed.version, platform: installed.platform }
  const release = judged.releases.find((each) => bundleNameOf(each.release) === bundleNameOf(name))
  const subject = { kind: 'tree', path: installed.path, product } as const
  const findings = [...judged.findings]
  if (release === undefined) {
    if (judged.isVerified) findings.push(unknownRelease(name))
    return proofOf(subject, { ...judged, source, releases: [], findings })
  }
  const differences: Difference[] = []
  try {
    const place = await placeOf(installed.path)
    const expected = join(await realpath(home.dataDirectory), 'products', product, 'versions')
    // Installed over itself a version stands in a folder of another name; see current-link.ts.
    if (![installed.version, `${installed.version}~again`].includes(relative(expected, place))) {
      findings.push(altered(`${installed.path} leads to ${place}, where no version of ${product} is`))
    }
    const indexBytes = await readFileBounded(
      join(home.dataDirectory, 'bundles', bundleNameOf(name), 'index'),
      release.index.lengthBytes,
    )
    assertDigest(indexBytes, release.index.sha256, 'the index that is kept on this machine')
    const index = await parseIndexInTurns(indexBytes, signal)
    differences.push(...(await differencesOf(index, place, signal)))
  } catch (error) {
    findings.push(refusalOf(error, true))
  }
  findings.push(...(await findingsOfUse(product, options)))
  if (differences.length > 0) findings.push(altered(`${differences.length} of its files are not as they were signed`))
  return proofOf(subject, { ...judged, source, releases: [release], findings, differences })
}

interface Judged {
  readonly releases: readonly TrustedRelease[]
  readonly findings: readonly ProofFinding[]
  /** The metadata verified, expired or not. */
  readonly isVerified: boolean
  readonly rootVersion?: number
  readonly expires?: RefreshResult['expires']
}

/** The refresh room's word on the metadata. What has expired is told, and the rest is judged as it was before. */
const judge = async (
  source: TrustedSource,
  product: Product,
  carrier: Carrier,
  { home, now, signal }: ProofOptions,
): Promise<Judged> => {
  const findings: ProofFinding[] = []
  if (source.pin.pinnedBy === 'first-use') {
    findings.push(
      finding('root-on-first-use', `the root ${source.pin.fingerprint} was never compared with the publisher`),
    )
  }
  const floors: VersionFloors = {
    read: (name) => readStore(home, (store) => store.floors.read(name)) ?? {},
    raise: () => {},
  }
  const cacheDirectory = await mkdtemp(join(tmpdir(), 'updraft-proof-'))
  const run = (at: Date) => refresh(source, [product], { cacheDirectory, floors, carrier, now: () => at, signal })
  try {
    const today = await run(now).catch((error: unknown) => error)
    const expired = expiryIn(today)
    if (expired.length === 0 && Error.isError(today)) throw today
    findings.push(...expired.map((error) => refusalOf(error, false)))
    const result = expired.length === 0 ? (today as RefreshResult) : await run(BEFORE_EVERYTHING)
    for (const { error } of [...result.failed, ...result.rejected]) findings.push(refusalOf(error, false))
    const { rootVersion, expires } = result
    const identified = await identifiedAs(product, result, { home, now })
    findings.push(...identified.findings)
    const releases = result.releases.map((release) => ({ ...release, signers: identified.signers ?? release.signers }))
    return { releases, findings, isVerified: result.failed.length === 0, rootVersion, expires }
  } catch (error) {
    return { releases: [], findings: [...findings, refusalOf(error, false)], isVerified: false }
  } finally {
    await removeAll(cacheDirectory)
  }
}

/** What the authorities that this machine's owner has pinned for the product say of who signed it. */
const identifiedAs = async (
  product: Product,
  { signedRoles: [role] }: RefreshResult,
  { home, now }: Pick<ProofOptions, 'home' | 'now'>,
): Promise<{ readonly signers?: readonly Signer[]; readonly findings: readonly ProofFinding[] }> => {
  const { products } = await readSettings(home.configDirectory)
  const settings = products.find(({ name }) => name === product)
  if (settings === undefined || role === undefined) return { findings: [] }
  const authorities = await readAuthorities(settings.authorities)
  const { signers, findings } = identify({ role, authorities, level: settings.verification, installedSigners: [], now })
  return {
    signers,
    findings: findings.map(({ code, message, hint, severity }) => ({
      ...finding(code, message, hint),
      severity: severity ?? FINDINGS[code].severity,
    })),
  }
}

/** The source's metadata has expired, or that of the product alone. */
const expiryIn = (outcome: unknown): readonly unknown[] =>
  Error.isError(outcome)
    ? [outcome].filter((error) => hasCode(error, 'METADATA_EXPIRED'))
    : (outcome as RefreshResult).failed.flatMap(({ error }) => (hasCode(error, 'METADATA_EXPIRED') ? [error] : []))

const assertDigest = (bytes: Buffer, signed: string, what: string): void => {
  const is = createHash('sha256').update(bytes).digest('hex')
  if (is !== signed) throw new UpdateError('BUNDLE_INVALID', `${what} has the SHA-256 ${is}, signed is ${signed}`)
}

/** Where the link leads. Errors: IO. */
const placeOf = async (path: string): Promise<string> => {
  try {
    return await realpath(path)
  } catch (error) {
    throw fromFileSystem(error, `cannot find what is installed at ${path}`)
  }
}

/** A product that is subscribed to has its source; otherwise the root that is in the file says which. */
const sourceOfFile = async (file: ExportFile, { home, rootBytes }: ProofOptions): Promise<TrustedSource> => {
  if (rootBytes !== undefined) return givenRoot(rootBytes)
  const { products } = await readSettings(home.configDirectory)
  const subscribed = products.find(({ name }) => name === file.product)
  if (subscribed !== undefined) return await readTrustedSource(home.stateDirectory, subscribed.source)
  const sources = await readTrustedSources(home.stateDirectory)
  for (const source of sources) {
    const name = `metadata/${assertRoot(source.rootBytes).signed.version}.root.json`
    if (file.has(name) && (await file.read(name, file.lengthOf(name))).equals(source.rootBytes)) return source
  }
  const [first] = sources
  if (first !== undefined) return first
  throw new UpdateError('ROOT_UNKNOWN', 'there is no root to verify the file from', {
    hint: 'give the one of the publisher with --root FILE, or pin it: updraft-agent trust add URL --root FILE',
  })
}

const givenRoot = (rootBytes: Buffer): TrustedSource => {
  assertRoot(rootBytes)
  const urls = ['http://unknown.invalid/'] as const // Nothing is asked of it.
  const fingerprint = fingerprintOf(rootBytes)
  return { name: 'given', urls, rootBytes, pin: { urls, pinnedBy: 'file', fingerprint, addedAt: '' } }
}

const readStore = <T>({ stateDirectory }: Home, read: (store: Store) => T): T | undefined => {
  if (!existsSync(databasePathOf(stateDirectory))) return undefined // No agent has ever run here.
  using store = openStore(stateDirectory, { readOnly: true })
  return read(store)
}

const proofOf = (
  subject: Pick<Proof, 'kind' | 'path' | 'product'>,
  found: Partial<Omit<Judged, 'releases'>> & {
    readonly releases?: readonly TrustedRelease[]
    readonly source?: TrustedSource
    readonly differences?: readonly Difference[]
  },
): Proof => {
  const { source, rootVersion, expires, releases = [], findings = [], differences = [] } = found
  return {
    ...subject,
    ...(source === undefined
      ? {}
      : { source: { name: source.name, fingerprint: source.pin.fingerprint, pinnedBy: source.pin.pinnedBy } }),
    ...(rootVersion === undefined ? {} : { rootVersion }),
    ...(expires === undefined ? {} : { expires }),
    releases: releases.map(({ release, signers, threshold }) => ({
      version: release.version,
      platform: release.platform,
      channels: release.channels,
      published: release.published,
      infoHash: release.torrent.btih,
      signers,
      threshold,
    })),
    findings,
    differences,
    isGood: differences.length === 0 && findings.every(({ severity }) => severity === 'info'),
  }
}
