// What the origin tells Prometheus: its status as numbers. Built anew for each scrape.
import { Counter, Gauge, Registry } from 'prom-client'
import type { OriginStatus } from './status.ts'

/**
 * The text of one scrape.
 *
 * Units:  seconds, bytes, and Unix time in seconds, each named in the metric.
 * Source: Prometheus, "Exposition formats" (text 0.0.4) and "Metric and label naming".
 */
export const textOfOriginMetrics = (status: OriginStatus): Promise<string> => {
  const registry = new Registry()
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name, help, labelNames, registers: [registry] })
  const line = ['product', 'platform', 'version']
  const machines = gauge('updraft_origin_machines', 'Machines that the tracker sees, by what they have.', [
    ...line,
    'state',
  ])
  const seeded = gauge('updraft_origin_release_seeded', '1 for a release that this origin seeds.', line)
  for (const { product, platform, releases } of status.products) {
    for (const { version, machines: at, isSeeded } of releases) {
      machines.set({ product, platform, version, state: 'has' }, at.have)
      machines.set({ product, platform, version, state: 'fetching' }, at.fetching)
      seeded.set({ product, platform, version }, Number(isSeeded))
    }
  }
  const expiry = gauge('updraft_origin_metadata_expiry_timestamp_seconds', 'When the metadata of a role expires.', [
    'role',
  ])
  for (const { role, at } of status.expires) expiry.set({ role }, Date.parse(at) / 1_000)
  gauge('updraft_origin_problems', 'Problems that need a person.').set(status.problems.length)
  const bytes = new Counter({
    name: 'updraft_origin_bytes_total',
    help: 'Bytes of releases that machines got since the start, from this origin or, as they say, from each other.',
    labelNames: ['from'],
    registers: [registry],
  })
  bytes.inc({ from: 'origin' }, status.traffic.originBytes)
  bytes.inc({ from: 'peers' }, status.traffic.peerBytes)
  gauge('process_resident_memory_bytes', 'Resident memory.').set(process.memoryUsage.rss())
  return registry.metrics()
}
