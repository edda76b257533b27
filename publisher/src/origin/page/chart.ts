// Bytes over time as a stacked area, drawn into SVG by the server: a page without any script shows it as well. Pure.
import { formatBytes } from '@updraft/core/terminal/progress'
import { html } from 'hono/html'
import type { TrafficSample } from '../traffic.ts'

const WIDTH = 900
const HEIGHT = 220
const BOTTOM = 34
const POINTS_MAX = 180

/** From the first sample to the last; several samples share a point if there are many. */
export const trafficChart = (samples: readonly TrafficSample[]) => {
  const drawn = merged(samples, POINTS_MAX)
  const [only] = drawn
  const points = drawn.length === 1 && only !== undefined ? [only, only] : drawn // A point has no area.
  const top = niceTop(Math.max(0, ...points.map(({ originBytes, peerBytes }) => originBytes + peerBytes)))
  const x = (row: number) => (row * WIDTH) / Math.max(1, points.length - 1)
  const y = (bytes: number) => (HEIGHT - BOTTOM) * (1 - bytes / top)
  const area = (low: (point: TrafficSample) => number, high: (point: TrafficSample) => number) => {
    const there = points.map((point, row) => `${x(row).toFixed(1)},${y(high(point)).toFixed(1)}`)
    const back = points.map((point, row) => `${x(row).toFixed(1)},${y(low(point)).toFixed(1)}`).reverse()
    return `M${[...there, ...back].join('L')}Z`
  }
  const [first, last] = [points[0], points.at(-1)]
  return html`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="chart-title">
<title id="chart-title">${summaryOf(samples)}</title>
<path class="origin" d="${area(
    () => 0,
    ({ originBytes }) => originBytes,
  )}"/>
<path class="peers" d="${area(
    ({ originBytes }) => originBytes,
    ({ originBytes, peerBytes }) => originBytes + peerBytes,
  )}"/>
${[0, 0.5, 1].map(
  (share) => html`<line class="grid" x1="0" x2="${WIDTH}" y1="${y(top * share)}" y2="${y(top * share)}"/>
${share === 0 ? '' : html`<text x="2" y="${y(top * share)}" dy="1.1em">${formatBytes(top * share)}</text>`}`,
)}
<text x="0" y="${HEIGHT - 6}">${clockOf(first)}</text>
<text x="${WIDTH}" y="${HEIGHT - 6}" text-anchor="end">${clockOf(last)}</text>
</svg>`
}

export const summaryOf = (samples: readonly TrafficSample[]): string => {
  const sum = (bytes: (sample: TrafficSample) => number) => samples.reduce((all, sample) => all + bytes(sample), 0)
  const origin = sum(({ originBytes }) => originBytes)
  const peers = sum(({ peerBytes }) => peerBytes)
  const share = origin + peers === 0 ? '' : ` (${Math.round((100 * peers) / (origin + peers))} %)`
  return `${formatBytes(origin)} from this origin, ${formatBytes(peers)} from other machines${share}`
}

/** Neighbours together, so that there are no more than `max`. */
export const merged = (samples: readonly TrafficSample[], max: number): readonly TrafficSample[] => {
  const step = Math.ceil(samples.length / max)
  return Array.from({ length: Math.ceil(samples.length / Math.max(1, step)) }, (_, row) => {
    const group = samples.slice(row * step, (row + 1) * step)
    return {
      at: group.at(-1)?.at ?? '',
      originBytes: group.reduce((sum, { originBytes }) => sum + originBytes, 0),
      peerBytes: group.reduce((sum, { peerBytes }) => sum + peerBytes, 0),
    }
  })
}

/** The next 1, 2 or 5 of a power of 1,024 and ten, so that the lines have round numbers. */
const niceTop = (bytes: number): number => {
  const unit = 1024 ** Math.max(1, Math.floor(Math.log(Math.max(1, bytes)) / Math.log(1024)))
  const power = 10 ** Math.floor(Math.log10(Math.max(1, bytes / unit)))
  return unit * power * ([1, 2, 5, 10].find((step) => step * power * unit >= bytes) ?? 10)
}

const clockOf = (sample: TrafficSample | undefined): string => `${sample?.at.slice(11, 16) ?? ''} UTC`
