// What the origin tells Prometheus: its status as numbers. Built anew for each scrape.
import { newExposition } from '@updraft/core/exposition'
import type { OriginStatus } from './status.ts'

/**
 * The text of one scrape.
 *
 * Units:  bytes, and Unix time in seconds, each named in the metric.
 */
export const textOfOriginMetrics = (status: OriginStatus): Promise<string> => {
  const metrics = newExposition()
  for (const { product, platform, releases } of status.products) {
    for (const { version, machines, isSeeded } of releases) {
      const line = { product, platform, version }
      const help = 'Machines that the tracker sees, by what they have.'
      metrics.set('updraft_origin_machines', help, { ...line, state: 'has' }, machines.have)
      metrics.set('updraft_origin_machines', help, { ...line, state: 'fetching' }, machines.fetching)
      metrics.set('updraft_origin_release_seeded', '1 for a release that is seeded here.', line, Number(isSeeded))
    }
  }
  for (const { role, at } of status.expires) {
    const help = 'When the metadata of a role expires.'
    metrics.set('updraft_origin_metadata_expiry_timestamp_seconds', help, { role }, Date.parse(at) / 1_000)
  }
  metrics.set('updraft_origin_problems', 'Problems that need a person.', {}, status.problems.length)
  const help = 'Bytes of releases that machines got since the start, from this origin or, as they say, from each other.'
  metrics.add('updraft_origin_bytes_total', help, { from: 'origin' }, status.traffic.originBytes)
  metrics.add('updraft_origin_bytes_total', help, { from: 'peers' }, status.traffic.peerBytes)
  metrics.set('process_resident_memory_bytes', 'Resident memory.', {}, process.memoryUsage.rss())
  return metrics.text()
}
