// What the origin answers to people and to monitors: one plain page that says what this is, and `/healthz`. Reads a
// snapshot of the origin's state; changes nothing.

import { formatBytes } from '@updraft/core/terminal/progress'
import { Hono } from 'hono'
import { html } from 'hono/html'
import type { PublishedRelease } from '../repository.ts'
import { bySoonest, type Catalog, newestReleases } from './catalog.ts'
import type { Problem } from './problem.ts'
import type { SwarmCounts } from './tracker.ts'

export interface PagesOptions {
  readonly catalog: () => Catalog
  readonly countsOf: (infoHash: string) => SwarmCounts
  /** Infohashes that this process seeds. */
  readonly seeding: () => ReadonlySet<string>
  /** What is wrong now. Of each, everyone sees the summary only. */
  readonly problems: () => readonly Problem[]
  readonly now: () => Date
}

/** Neither scripts nor anything from elsewhere: the page is text, a table and a few lines of style. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

export const createPages = (options: PagesOptions): ((request: Request) => Response | Promise<Response>) => {
  const app = new Hono()
  app.use(async (context, next) => {
    await next()
    context.header('cache-control', 'no-store')
  })
  app.get('/', (context) => {
    context.header('content-security-policy', POLICY)
    return context.html(frontPage(options))
  })
  app.get('/healthz', (context) => {
    const health = healthOf(options)
    return context.json(health, health.status === 'expired' ? 503 : 200)
  })
  app.notFound((context) => context.text('not found\n', 404))
  return app.fetch
}

/**
 * The answer of `/healthz`: `ok`, `degraded` (it serves, but something needs a person) or `expired` (clients refuse what
 * it serves: status 503). Times are ISO 8601 in UTC.
 */
export interface Health {
  readonly status: 'ok' | 'degraded' | 'expired'
  readonly products: number
  readonly releases: number
  readonly seeding: number
  readonly expires: readonly { readonly role: string; readonly at: string }[]
  readonly problems: readonly string[]
}

const healthOf = ({ catalog, seeding, problems, now }: PagesOptions): Health => {
  const roles = bySoonest(catalog())
  const expired = roles.some(({ expires }) => expires <= now())
  const { releases } = catalog()
  return {
    status: expired ? 'expired' : problems().length > 0 ? 'degraded' : 'ok',
    products: new Set(releases.map(({ release }) => release.product)).size,
    releases: releases.length,
    seeding: releases.filter(({ release }) => seeding().has(release.torrent.btih)).length,
    expires: roles.map(({ role, expires }) => ({ role, at: expires.toISOString() })),
    problems: problems().map(({ summary }) => summary),
  }
}

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color-scheme: light dark }
table { border-collapse: collapse; width: 100% } th, td { text-align: left; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884 }
.problem { border-left: 4px solid #c33; padding-left: .8rem }`

const frontPage = ({ catalog, countsOf, seeding, problems, now }: PagesOptions) => {
  const { releases } = catalog()
  const row = ({ release }: PublishedRelease) => {
    const { seeders, leechers } = countsOf(release.torrent.btih)
    const seeded = seeding().has(release.torrent.btih) ? ', this origin among them' : ''
    return html`<tr><td>${release.product}</td><td>${release.version}</td><td>${release.platform}</td>
      <td>${release.channels.join(', ')}</td><td><time datetime="${release.published}">${dayOf(release.published)}</time></td>
      <td>${formatBytes(release.sizes.installedBytes)}</td><td>${seeders} seeding${seeded}, ${leechers} fetching</td></tr>`
  }
  const [soonest] = bySoonest(catalog())
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Updraft origin</title>
<style>${STYLE}</style></head><body>
<h1>Updraft origin</h1>
<p>Signed software updates, delivered from peer to peer. This is the repository, the tracker and the first seeder of the
products below; machines follow it with <code>updraft-agent</code>. Nothing on this page is signed: trust only what the agent
verified against a root that you compared.</p>
${problems().map(({ summary }) => html`<p class="problem">${summary}</p>`)}
<table><thead><tr><th>Product</th><th>Newest</th><th>Platform</th><th>Channels</th><th>Published</th><th>Size</th><th>Machines</th></tr></thead>
<tbody>${newestReleases(releases, 1).map(row)}</tbody></table>
${releases.length === 0 ? html`<p>Nothing has been published yet.</p>` : ''}
${soonest === undefined ? '' : html`<p>The ${soonest.role} signature ${soonest.expires <= now() ? 'expired' : 'expires'} at ${soonest.expires.toISOString()}.</p>`}
</body></html>
`
}

const dayOf = (isoTime: string): string => isoTime.slice(0, 10)
