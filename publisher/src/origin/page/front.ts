// The page of an origin for people: what is released, who has it, what expires, and where the bytes came from. All of it is
// text and drawing from the server; the one script only fetches the changing part anew. Pure.
import { count } from '@updraft/core/terminal/plain-text'
import { formatBytes } from '@updraft/core/terminal/progress'
import { html, raw } from 'hono/html'
import type { OriginStatus, ProductLine, ReleaseStatus } from '../status.ts'
import { merged, summaryOf, trafficChart } from './chart.ts'

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#0002, #fff3); --soft: light-dark(#555, #aaa);
  --origin: light-dark(#b45309, #f59e0b); --peers: light-dark(#1d6fb8, #5db0f5); --bad: light-dark(#b3261e, #ff8a80) }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem }
h2 { margin-top: 2.2rem; font-size: 1.15rem }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line) }
th { font-weight: 600; color: var(--soft) }
.problem { border-left: 4px solid var(--bad); padding-left: .8rem }
.bad { color: var(--bad) }
.soft { color: var(--soft) }
.bar { display: block; height: .45rem; border-radius: .2rem; background: var(--line) }
.bar > i { display: block; height: 100%; border-radius: .2rem; background: var(--peers) }
.chart { width: 100%; height: auto; font-size: 12px }
.chart text { fill: var(--soft); paint-order: stroke; stroke: Canvas; stroke-width: 4px }
.chart .grid { stroke: var(--line) }
.chart .origin { fill: var(--origin) }
.chart .peers { fill: var(--peers) }
.key::before { content: ''; display: inline-block; width: .8rem; height: .8rem; margin-right: .4rem; border-radius: .2rem }
.key.origin::before { background: var(--origin) }
.key.peers::before { background: var(--peers) }
@media (max-width: 44rem) {
  thead { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden }
  tr { display: block; padding: .6rem 0; border-bottom: 1px solid var(--line) }
  td { display: flex; gap: 1rem; border: 0; padding: .1rem 0 }
  .chart { font-size: 26px }
  td::before { content: attr(data-name); flex: 0 0 7rem; color: var(--soft) }
}`

/** The whole page. */
export const frontPage = (status: OriginStatus) => html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Updraft origin</title><style>${raw(STYLE)}</style><script src="/live.js" defer></script></head><body>
<h1>Updraft origin</h1>
<p>Signed software updates, delivered from peer to peer. This is the repository, the tracker and the first seeder of the
products below; machines follow it with <code>updraft-agent</code>. Nothing on this page is signed: trust only what the agent
verified against a root that you compared.</p>
<main id="live">${livePart(status)}</main>
</body></html>
`

/** What changes while it is looked at. */
export const livePart = (status: OriginStatus) => html`
${status.problems.map((summary) => html`<p class="problem">${summary}</p>`)}
${status.products.length === 0 ? html`<p>Nothing has been published yet.</p>` : status.products.map(productPart)}
<h2>Bytes</h2>
<p><span class="key origin">this origin</span> &ensp; <span class="key peers">other machines</span></p>
${trafficChart(status.traffic.samples)}
<p>${summaryOf(status.traffic.samples)}, since ${timeOf(status.traffic.samples[0]?.at ?? status.at)} at the earliest. What
machines got from each other is what they say.</p>
<details><summary>As a table</summary>${trafficTable(status)}</details>
<h2>Signatures</h2>
<table><thead><tr><th>Role</th><th>Expires</th></tr></thead><tbody>${status.expires.map(
  ({ role, at }) =>
    html`<tr><td data-name="Role">${role}</td><td data-name="Expires">${expiryText(at, status.at)}</td></tr>`,
)}</tbody></table>
<p class="soft">As of ${timeOf(status.at)}. The same for programs: <a href="/status.json">status.json</a>,
<a href="/metrics">metrics</a>.</p>`

/** Fetches the changing part once in a while; while nobody looks at it, not at all. */
export const LIVE_SCRIPT = `
const refresh = async () => {
  if (!document.hidden) {
    try {
      const response = await fetch('/live')
      if (response.ok) {
        const main = document.getElementById('live')
        const open = main.querySelector('details')?.open
        main.innerHTML = await response.text()
        main.querySelector('details').open = open
      }
    } catch {}
  }
  setTimeout(refresh, 3000)
}
setTimeout(refresh, 3000)
`

const productPart = ({ product, platform, machines, releases }: ProductLine) => html`
<h2>${product}${platform === 'any' ? '' : html` <span class="soft">${platform}</span>`}</h2>
<p>${count(machines.have, 'machine')} known to the tracker, ${machines.fetching} fetching.</p>
<table><thead><tr><th>Version</th><th>Channels</th><th>Offered to</th><th>Published</th><th>Size</th><th>Machines</th></tr></thead>
<tbody>${releases.map((release) => releaseRow(release, machines.have))}</tbody></table>`

const releaseRow = (release: ReleaseStatus, allMachines: number) => {
  const { version, channels, offered, rollout, urgent, yanked, published, installedBytes, isSeeded, machines } = release
  const share = allMachines === 0 ? 0 : Math.round((100 * machines.have) / allMachines)
  return html`<tr><td data-name="Version"><strong>${version}</strong></td>
<td data-name="Channels">${channels.join(', ') || 'none'}</td>
<td data-name="Offered to">${
    yanked === undefined
      ? html`<span>${offered}${urgent ? ', urgent' : ''}${
          rollout === undefined ? '' : html`<br><span class="soft">${rollout.map(stepText).join(', ')}</span>`
        }</span>`
      : html`<span class="bad">withdrawn: ${yanked}</span>`
  }</td>
<td data-name="Published"><time datetime="${published}">${published.slice(0, 10)}</time></td>
<td data-name="Size">${formatBytes(installedBytes)}</td>
<td data-name="Machines"><span>${machines.have}${machines.fetching === 0 ? '' : `, ${machines.fetching} fetching`}${isSeeded ? ', seeded here' : ''}
<span class="bar" role="img" aria-label="${share} % of the machines"><i style="width: ${share}%"></i></span></span></td></tr>`
}

const stepText = ({ at, cohorts }: { readonly at: string; readonly cohorts: number }): string =>
  `${cohorts / 100} % from ${timeOf(at)}`

const ROWS = 24

const trafficTable = ({ traffic }: OriginStatus) => html`<table>
<thead><tr><th>Until</th><th>This origin</th><th>Other machines</th></tr></thead><tbody>${merged(traffic.samples, ROWS)
  .toReversed()
  .map(
    ({ at, originBytes, peerBytes }) => html`<tr><td data-name="Until">${timeOf(at)}</td>
<td data-name="This origin">${formatBytes(originBytes)}</td><td data-name="Other machines">${formatBytes(peerBytes)}</td></tr>`,
  )}</tbody></table>`

const DAY_MS = 86_400_000

const expiryText = (at: string, now: string) => {
  const days = (Date.parse(at) - Date.parse(now)) / DAY_MS
  if (days <= 0) return html`<span class="bad">expired at ${timeOf(at)}</span>`
  const left = days < 2 ? `${Math.floor(days * 24)} hours` : `${Math.floor(days)} days`
  return html`<span>${timeOf(at)} <span class="soft">in ${left}</span></span>`
}

const timeOf = (at: string): string => `${at.slice(0, 16).replace('T', ' ')} UTC`
