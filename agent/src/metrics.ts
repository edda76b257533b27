// What the agent tells Prometheus: the status as numbers, and what the process uses. Built anew for each scrape, so that
// a product that is gone leaves nothing behind; measures nothing between scrapes, so that an idle agent stays idle.
import {
  type BytesFrom,
  type ProductStatus,
  type Sharing,
  type SourceStatus,
  type Status,
  UPDATE_STATES,
} from '@updraft/core/control/api'
import { type Exposition, newExposition } from '@updraft/core/exposition'
import { SEVERITIES } from '@updraft/core/trust/finding'

export interface MetricsInput {
  readonly status: Status
  /** Bytes since the start of the process, by product. */
  readonly transferred: ReadonlyMap<string, BytesFrom>
  /** Payload to peers since the start of the process. */
  readonly uploaded: { readonly lan: number; readonly outside: number }
  /** How often web seeds had to be asked since then, by reason. */
  readonly fallbacks: ReadonlyMap<string, number>
  readonly process: ProcessUse
}

/** What the process uses at this moment. */
export interface ProcessUse {
  readonly cpuSeconds: number
  readonly residentBytes: number
  readonly heapUsedBytes: number
}

export const processUse = (): ProcessUse => {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  return { cpuSeconds: (user + system) / 1_000_000, residentBytes: rss, heapUsedBytes: heapUsed }
}

/**
 * The text of one scrape.
 *
 * Units:  seconds, bytes, and Unix time in seconds, each named in the metric.
 * Source: Prometheus, "Exposition formats" (text 0.0.4) and "Metric and label naming".
 */
export const textOfMetrics = (input: MetricsInput): Promise<string> => {
  const { status, transferred, uploaded, fallbacks, process: use } = input
  const metrics = newExposition()
  addAgent(metrics, status, use)
  for (const product of status.products) addProduct(metrics, product)
  for (const source of status.sources) addSource(metrics, source)
  for (const [product, bytes] of transferred) addTransferred(metrics, product, bytes)
  for (const to of ['lan', 'outside'] as const) {
    metrics.add('updraft_uploaded_bytes_total', 'Bytes sent to peers since the start.', { to }, uploaded[to])
  }
  for (const [reason, times] of fallbacks) {
    const help = 'Downloads in which web seeds had to be asked since the start, by reason.'
    metrics.add('updraft_fallbacks_total', help, { reason }, times)
  }
  if (status.sharing !== undefined) addSharing(metrics, status.sharing)
  return metrics.text()
}

const addAgent = (metrics: Exposition, { agent }: Status, use: ProcessUse): void => {
  metrics.set('updraft_agent_info', 'Version of the agent.', { version: agent.version }, 1)
  metrics.set('updraft_swarm_listening', '1 while peers can reach the swarm.', {}, Number(agent.swarmPort !== 0))
  metrics.set('process_start_time_seconds', 'Unix time at which the agent started.', {}, unix(agent.startedAt))
  metrics.add('process_cpu_seconds_total', 'User and system time used.', {}, use.cpuSeconds)
  metrics.set('process_resident_memory_bytes', 'Resident memory.', {}, use.residentBytes)
  metrics.set('nodejs_heap_size_used_bytes', 'Heap of JavaScript in use.', {}, use.heapUsedBytes)
}

const addProduct = (metrics: Exposition, status: ProductStatus): void => {
  const { name: product, source, channel, platform, installed, available, update, trust, seeding } = status
  const labels = { product }
  const versions = { installed: installed?.version ?? '', available: available?.version ?? '' }
  metrics.set('updraft_product_info', 'What each product is.', { product, source, channel, platform, ...versions }, 1)
  const isCurrent = installed !== undefined && (available === undefined || available.version === installed.version)
  metrics.set('updraft_product_current', '1 if the newest known release is installed.', labels, Number(isCurrent))
  if (installed !== undefined) {
    const help = 'Unix time of the installation.'
    metrics.set('updraft_product_installed_timestamp_seconds', help, labels, unix(installed.installedAt))
  }
  for (const state of UPDATE_STATES) {
    const help = '1 for the state of the newest update of the product.'
    metrics.set('updraft_update_state', help, { product, state }, Number(update?.state === state))
  }
  metrics.set('updraft_update_peers', 'Peers of the update under way.', labels, update?.peers ?? 0)
  metrics.set('updraft_update_have_bytes', 'Bytes of the newest update here.', labels, update?.haveBytes ?? 0)
  metrics.set('updraft_update_size_bytes', 'Whole length of the newest update.', labels, update?.totalBytes ?? 0)
  for (const severity of SEVERITIES) {
    const findings = trust.findings.filter((finding) => finding.severity === severity)
    metrics.set('updraft_findings', 'Trust findings that hold.', { product, severity }, findings.length)
  }
  metrics.set('updraft_seeding_releases', 'Releases shared with the swarm.', labels, seeding.releases)
  metrics.set('updraft_seeding_peers', 'Peers of the shared releases.', labels, seeding.peers)
  const help = 'Bytes given to peers of the releases shared now.'
  metrics.set('updraft_seeding_uploaded_bytes', help, labels, seeding.uploadedBytes)
}

const addSharing = (metrics: Exposition, { sentBytes, quotaBytes, paused }: Sharing): void => {
  const help = 'Bytes sent to peers in this calendar month.'
  for (const to of ['lan', 'outside'] as const) metrics.set('updraft_upload_month_bytes', help, { to }, sentBytes[to])
  if (quotaBytes !== undefined) {
    metrics.set('updraft_upload_quota_bytes', 'Most that is sent out of the LAN in a month.', {}, quotaBytes)
  }
  for (const reason of ['quota', 'metered', 'schedule'] as const) {
    const what = '1 for the reason why nothing is sent out of the LAN.'
    metrics.set('updraft_sharing_paused', what, { reason }, Number(paused === reason))
  }
}

const addSource = (metrics: Exposition, status: SourceStatus): void => {
  const { name: source, root, expires, lastCheck, nextCheckAt, importOnly, newest } = status
  metrics.set('updraft_source_root_version', 'Version of the trusted root.', { source }, root.version)
  if (importOnly) return // Nothing of it is late, whenever the next file comes.
  if (lastCheck !== undefined) {
    const [when, result] = ['Unix time of the last check.', '1 if the last check succeeded.']
    metrics.set('updraft_source_last_check_timestamp_seconds', when, { source }, unix(lastCheck.at))
    metrics.set('updraft_source_last_check_success', result, { source }, Number(lastCheck.error === undefined))
  }
  if (newest !== undefined) {
    const help = '1 for where the newest metadata came from: mirror, peer, dht or file.'
    metrics.set('updraft_source_newest_from', help, { source, from: newest.from }, 1)
  }
  if (nextCheckAt !== undefined) {
    const help = 'Unix time of the next check.'
    metrics.set('updraft_source_next_check_timestamp_seconds', help, { source }, unix(nextCheckAt))
  }
  if (expires !== undefined) {
    const help = 'Unix time at which the first trusted role expires.'
    const labels = { source, role: expires.role }
    metrics.set('updraft_metadata_expiry_timestamp_seconds', help, labels, unix(expires.at))
  }
}

const addTransferred = (metrics: Exposition, product: string, bytes: BytesFrom): void => {
  for (const from of ['peers', 'origin', 'reused'] as const) {
    const help = 'Bytes of updates since the start, by where they came from.'
    metrics.add('updraft_transferred_bytes_total', help, { product, from }, bytes[from])
  }
}

const unix = (at: string): number => Date.parse(at) / 1_000
