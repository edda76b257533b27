// Numbers for Prometheus, gathered anew for each scrape, so that what is gone leaves nothing behind.
// Source: Prometheus, "Exposition formats" (text 0.0.4) and "Metric and label naming".
import { Counter, Gauge, Registry } from 'prom-client'

type Labels = Readonly<Record<string, string>>

export interface Exposition {
  /** A value that may fall. Metrics of one name have the same labels. */
  set(name: string, help: string, labels: Labels, value: number): void
  /** A sum that only grows, by convention named `_total`. */
  add(name: string, help: string, labels: Labels, value: number): void
  text(): Promise<string>
}

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

export const newExposition = (): Exposition => {
  const registry = new Registry()
  const optionsOf = (name: string, help: string, labels: Labels) => ({
    name,
    help,
    labelNames: Object.keys(labels),
    registers: [registry],
  })
  return {
    set: (name, help, labels, value) => {
      const known = registry.getSingleMetric(name)
      const gauge = known instanceof Gauge ? known : new Gauge(optionsOf(name, help, labels))
      gauge.set({ ...labels }, value)
    },
    add: (name, help, labels, value) => {
      const known = registry.getSingleMetric(name)
      const counter = known instanceof Counter ? known : new Counter(optionsOf(name, help, labels))
      counter.inc({ ...labels }, value)
    },
    text: () => registry.metrics(),
  }
}
