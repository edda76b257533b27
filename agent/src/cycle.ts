// ★ The agent's whole story: one product, once, from "is there something new?" to "given back to the swarm". Each room takes
// what only the room before it can make, so none can be left out; and what happens is reported before it does.
import { join } from 'node:path'
import { hasCode, type UpdateError } from '@updraft/core/errors'
import { bundleNameOf, type ReleaseName, type ReleaseVersion } from '@updraft/core/names'
import { readCurrentVersion } from './current-link.ts'
import type { Cycle, CycleDependencies } from './cycle-types.ts'
import { expiryNotice } from './expiry-notice.ts'
import { chooseLocal } from './fetch/local.ts'
import { type FetchOptions, fetchBundle, type StagedBundle } from './fetch.ts'
import { type IdentifiedRefresh, refreshIdentified } from './identified-refresh.ts'
import { activatorFor, keepInUse } from './in-use.ts'
import { type InstalledVersion, type InstallOptions, installBundle, takeUpInstalled } from './install.ts'
import { removeLeftovers } from './leftovers.ts'
import { readMachineFacts } from './machine-facts.ts'
import { findingsOfYank } from './plan/yank.ts'
import { type Plan, type PlanInput, plan } from './plan.ts'
import { type HealthyVersion, probeVersion } from './probe.ts'
import { recover } from './recover.ts'
import type { RefreshResult, TrustedRelease } from './refresh.ts'
import { findingCodeOf } from './report.ts'
import { putBack, rollBack } from './rollback.ts'
import { bundleDirectoryOf, keepBundle, seedBundle } from './seed.ts'
import { askElsewhere } from './seen-elsewhere.ts'
import type { ProductSettings } from './settings.ts'
import type { NewFinding } from './store/findings.ts'
import { timesInterrupted } from './store/journal.ts'
import { removeSurplus } from './surplus.ts'
import { readTrustedSource, type TrustedSource } from './trust-store.ts'
import { type VerifiedBundle, verifyBundle } from './verify.ts'

export const runCycle: Cycle = async (product, dependencies) => {
  const waiting = await finishInterrupted(product, dependencies)
  if (waiting !== undefined) return { kind: 'to-be-started', version: waiting }
  if (isByImportOnly(dependencies)) {
    dependencies.report.notAsked()
    if (dependencies.isUntidy) await tidyUp(product, dependencies)
    return { kind: 'current' }
  }
  const trusted = await refreshSource(product, dependencies)
  const release = await planUpdate(product, trusted, dependencies)
  if (release === undefined) {
    await seedAgain(product, trusted, dependencies)
    if (dependencies.isUntidy) await tidyUp(product, dependencies)
    return { kind: 'current' }
  }
  await using staged = await fetchRelease(release, dependencies)
  const verified = await verifyStaged(staged, dependencies)
  if (!(await isStillPlanned(release, product, trusted, dependencies))) return { kind: 'current' }
  const installed = await installVerified(verified, product, dependencies)
  const healthy = await probeInstalled(installed, product, dependencies)
  if (isNextAgent(healthy, dependencies)) {
    await seedVerified(verified, dependencies)
    dependencies.report.entering(healthy, 'probing') // It goes on in that state: to start is its probe.
    return { kind: 'to-be-started', version: healthy.version }
  }
  commitHealthy(healthy, dependencies)
  await seedVerified(verified, dependencies)
  await tidyUp(product, dependencies)
  return { kind: 'installed', version: healthy.version }
}

/** There is no network to ask: what comes is carried here. */
const isByImportOnly = ({ settings, carrier }: CycleDependencies): boolean =>
  settings.importOnly && carrier === undefined

/**
 * What an agent that was killed had begun: the way back is finished, and what is in place unproved is probed. Answers with a
 * version that another agent has to prove: the one that it is.
 */
const finishInterrupted = async (
  product: ProductSettings,
  dependencies: CycleDependencies,
): Promise<ReleaseVersion | undefined> => {
  const { store } = dependencies
  const unproved = await recover(product, dependencies)
  if (unproved === undefined) {
    await keepInUse(product, dependencies)
    return undefined
  }
  if (isNextAgent(unproved, dependencies)) return unproved.version
  const signedBy = store.checks.decision(product.name) ?? { signers: [], threshold: 0 }
  const options = installOptions(product, dependencies)
  const installed = await orPutBack(unproved, product, dependencies, () => takeUpInstalled(unproved, signedBy, options))
  if (installed === undefined) return undefined
  commitHealthy(await probeInstalled(installed, product, dependencies), dependencies)
  return undefined
}

/** A version of the agent itself, other than the one that runs. */
const isNextAgent = ({ product, version }: ReleaseName, { self }: CycleDependencies): boolean =>
  self?.product === product && self.version !== version

/** What the source offers of the product, all of it trusted. */
const refreshSource = async (product: ProductSettings, dependencies: CycleDependencies): Promise<IdentifiedRefresh> => {
  const { home, store, report, carrier } = dependencies
  const source = await readTrustedSource(home.stateDirectory, product.source)
  const result = await refreshIdentified(source, product, dependencies)
  dependencies.peersOf?.(source).settled(result)
  const { rootVersion, expires, refusal } = result
  const installed = store.installed.current(product.name)?.version
  const yanked = findingsOfYank(product, result.releases, installed)
  const expiring = expiryNotice(result.expiries, dependencies.now()) ?? []
  const findings = [...findingsOf(source, result), ...yanked, ...result.findings].concat(expiring)
  report.refreshed({ rootVersion, expires, findings })
  if (refusal !== undefined) throw refusal
  if (carrier === undefined) return result
  // Signed are all releases, brought is one of them. A yanked one is never picked, but says where to go instead.
  const isOffered = ({ release }: TrustedRelease) => carrier.carries(release) || release.yanked !== undefined
  return { ...result, releases: result.releases.filter(isOffered) }
}

/** The release to install now, or undefined; either way the decision is reported with its reasons. */
const planUpdate = async (
  product: ProductSettings,
  trusted: IdentifiedRefresh,
  dependencies: CycleDependencies,
): Promise<TrustedRelease | undefined> => {
  const decision = plan(await planInput(product, trusted, dependencies))
  reportDecision(decision, dependencies)
  return decision.kind === 'update' ? decision.release : undefined
}

/**
 * Fetching may have taken hours: a window may have closed meanwhile, or the owner has said to wait. What was fetched stays
 * staged then. What the update itself has used up, disk, processor and network, is not held against it.
 */
const isStillPlanned = async (
  { release: { version, platform } }: TrustedRelease,
  product: ProductSettings,
  trusted: IdentifiedRefresh,
  dependencies: CycleDependencies,
): Promise<boolean> => {
  const isIt = (candidate: TrustedRelease | undefined) =>
    candidate?.release.version === version && candidate.release.platform === platform
  const input = await planInput({ ...product, maximumLoad: undefined, onMetered: 'install' }, trusted, dependencies)
  const decision = plan({ ...input, machine: { ...input.machine, freeBytes: undefined } })
  if (decision.kind === 'update' && isIt(decision.release)) return true
  reportDecision(decision, dependencies)
  if (decision.kind === 'nothing' && isIt(decision.later)) {
    dependencies.report.entering({ product: product.name, version, platform }, 'waiting')
  }
  return false
}

const planInput = async (
  { onMetered, ...others }: ProductSettings,
  { releases, identityChange }: IdentifiedRefresh,
  dependencies: CycleDependencies,
): Promise<PlanInput<TrustedRelease>> => {
  const { home, settings, store, agentVersion, now, carrier } = dependencies
  // What is carried here costs no network.
  const product: ProductSettings = { ...others, onMetered: carrier === undefined ? onMetered : 'install' }
  const metered = product.onMetered === 'wait' ? settings.metered : undefined
  const machine = await readMachineFacts(home, now(), { metered, asker: product.name })
  const offered = releases.map(({ release, index }) => ({ name: bundleNameOf(release), digest: index.sha256 }))
  const firstSeen = store.firstSeen.note(product.name, offered, machine.now.toISOString())
  return {
    product,
    releases,
    installed: store.installed.current(product.name)?.version,
    agentVersion,
    machine,
    badMarks: store.badMarks.all(product.name),
    wishes: store.wishes.of(product.name),
    identityChange,
    firstSeen,
    seenElsewhere: await askElsewhere(product, releases, firstSeen, dependencies),
  }
}

const reportDecision = (decision: Plan<TrustedRelease>, { report }: CycleDependencies): void => {
  const { available, rules } = decision
  report.decided({
    available: available?.release,
    rules,
    update: decision.kind === 'update' ? decision.release.release : undefined,
    later: decision.kind === 'nothing' ? decision.later?.release : undefined,
    signers: available?.signers ?? [],
    threshold: available?.threshold ?? 0,
  })
}

const fetchRelease = async (release: TrustedRelease, dependencies: CycleDependencies): Promise<StagedBundle> => {
  dependencies.report.entering(release.release, 'downloading')
  // Whoever goes back to an older version may still share it from `bundles/`, where staging it again would never end.
  await dependencies.torrentOf(release.release.torrent.btih)?.remove()
  return fetchBundle(release, await fetchOptions(release, dependencies))
}

const fetchOptions = async (
  { release, source, isFromPeer }: TrustedRelease,
  { home, store, settings, swarm, report, carrier, peersOf, signal }: CycleDependencies,
): Promise<FetchOptions> => {
  const peers = peersOf?.(await readTrustedSource(home.stateDirectory, source))
  return {
    stagingDirectory: join(home.dataDirectory, 'staging'),
    local: localSeeds(release, store).map((seed) => ({
      bundleDirectory: bundleDirectoryOf(join(home.dataDirectory, 'bundles'), bundleNameOf(seed)),
      treePath: join(home.dataDirectory, 'products', seed.product, 'versions', seed.version),
    })),
    carrier,
    others: { peers, isUnreachable: isFromPeer },
    swarm,
    peers: [...new Set([...settings.network.peers, ...(peers?.addresses() ?? [])])],
    stallTimeoutMs: settings.network.stallTimeoutSeconds * 1000,
    signal,
    onProgress: report.transferring,
    onWarning: report.warning,
  }
}

/** The release itself comes first: it may be here whole, kept by an agent that was ended before it could note that. */
const localSeeds = (release: ReleaseName, store: CycleDependencies['store']): readonly ReleaseName[] => {
  const kept = chooseLocal(store.seeds.all(), release.product)
  return kept.some((seed) => bundleNameOf(seed) === bundleNameOf(release)) ? kept : [release, ...kept]
}

/** Begins while the download still goes on: what is there already is verified in the meantime. */
const verifyStaged = (staged: StagedBundle, { report, signal }: CycleDependencies): Promise<VerifiedBundle> =>
  verifyBundle(staged, { signal, onComplete: () => report.entering(staged.release.release, 'verifying') })

const installVerified = (
  verified: VerifiedBundle,
  product: ProductSettings,
  dependencies: CycleDependencies,
): Promise<InstalledVersion> => {
  const { release } = verified.release
  dependencies.report.entering(release, 'activating')
  const options = installOptions(product, dependencies)
  return orPutBack(release, product, dependencies, () => installBundle(verified, options))
}

const installOptions = (product: ProductSettings, dependencies: CycleDependencies): InstallOptions => ({
  productsDirectory: join(dependencies.home.dataDirectory, 'products'),
  activator: activatorFor(product, dependencies),
  previous: dependencies.store.installed.current(product.name)?.version,
})

/** What cannot be brought into use is left again, at once. It is marked bad only if it is to blame. */
const orPutBack = async <T>(
  release: ReleaseName,
  product: ProductSettings,
  dependencies: CycleDependencies,
  work: () => Promise<T>,
): Promise<T> => {
  try {
    return await work()
  } catch (error) {
    if (hasCode(error, 'ACTIVATION_FAILED')) await rollBack(product, release, 'install', error, dependencies)
    else if (!dependencies.signal.aborted && (await isCurrent(release, dependencies))) {
      await putBack(product, release, dependencies)
    }
    throw error
  }
}

const isCurrent = async ({ product, version }: ReleaseName, { home }: CycleDependencies): Promise<boolean> =>
  (await readCurrentVersion(join(home.dataDirectory, 'products'), product)) === version

/** A version that is not well is left again, at once; then the cycle ends with why. */
const probeInstalled = async (
  installed: InstalledVersion,
  product: ProductSettings,
  dependencies: CycleDependencies,
): Promise<HealthyVersion> => {
  const { name, probe } = product
  const { store, report, signal } = dependencies
  const interruptions = timesInterrupted(store.journal.steps(name))
  if (probe !== undefined) report.entering(installed, 'probing')
  try {
    return await probeVersion(installed, { probe, interruptions, signal })
  } catch (error) {
    if (hasCode(error, 'PROBE_FAILED')) await rollBack(product, installed, 'probe', error, dependencies)
    // An agent that stops in good order was not ended by what it probed: this must not count as an interruption.
    else if (signal.aborted) report.entering(installed, 'activating')
    throw error
  }
}

const commitHealthy = (healthy: HealthyVersion, { report }: CycleDependencies): void => report.installed(healthy)

const seedVerified = async (verified: VerifiedBundle, { home, swarm, report }: CycleDependencies): Promise<void> => {
  const bundlesDirectory = join(home.dataDirectory, 'bundles')
  const { metainfo, release } = verified
  const kept = await keepBundle(verified, bundlesDirectory)
  const stamp = await seedBundle(kept, { bundlesDirectory, swarm, onWarning: report.warning })
  report.seeding({ release: release.release, ...kept, lengthBytes: metainfo.lengthBytes, stamp })
}

/**
 * The installed version is shared even if an earlier cycle did not come so far, or its bundle was lost since. Most of its
 * bytes are still on this machine.
 */
const seedAgain = async (
  { name }: ProductSettings,
  { releases }: RefreshResult,
  dependencies: CycleDependencies,
): Promise<void> => {
  const { store, carrier, signal } = dependencies
  const installed = store.installed.current(name)
  if (installed === undefined) return
  const isIt = ({ version, platform }: ReleaseName) => version === installed.version && platform === installed.platform
  const release = releases.find((candidate) => isIt(candidate.release))
  if (release === undefined || store.seeds.all().some((seed) => seed.product === name && isIt(seed))) return
  if (carrier?.carries(release.release) === false) return
  const silent = { ...(await fetchOptions(release, dependencies)), onProgress: () => {} } // This is no update.
  await using staged = await fetchBundle(release, silent)
  await seedVerified(await verifyBundle(staged, { signal, onComplete: () => {} }), dependencies)
}

/** At the end of a look, since it is no reason not to update. */
const tidyUp = async ({ name }: ProductSettings, dependencies: CycleDependencies): Promise<void> => {
  const { store } = dependencies
  const installed = store.installed.current(name)
  // While nobody knows which version is in use, it may be one that would go.
  const inUse = store.activations.of(name)
  if (inUse !== undefined && inUse.version !== installed?.version) return
  if (installed !== undefined) await removeSurplus(installed, dependencies)
  await removeLeftovers(name, dependencies)
}

const findingsOf = ({ pin }: TrustedSource, result: RefreshResult): readonly NewFinding[] => {
  const findings: NewFinding[] = result.rejected.map(({ error }) => ({
    code: 'release-invalid',
    message: error.message,
    hint: error.hint ?? 'tell the publisher; the other releases are not affected',
  }))
  if (result.sourceError !== undefined) findings.push(findingOfSource(result.sourceError, result.from.url))
  if (pin.pinnedBy === 'first-use') {
    findings.push({
      code: 'root-on-first-use',
      message: `the root ${pin.fingerprint} was taken from the source itself when it was added`,
      hint: 'compare the fingerprint with the one that the publisher gives, then add the source again with --fingerprint',
    })
  }
  return findings
}

/** Updates go on, so it is a warning, whatever is wrong with the source. */
const findingOfSource = ({ code, message, hint = '' }: UpdateError, from: string): NewFinding => ({
  code: findingCodeOf(code, false) ?? 'source-unreachable',
  message: `${message}; what is known comes from another machine, ${from}`,
  hint,
  severity: 'warning',
})
