// What the origin answers to people and to monitors: one page, the same as JSON, `/healthz` and `/metrics`. Reads a snapshot of
// the origin's state; changes nothing.
import { EXPOSITION_TYPE } from '@updraft/core/exposition'
import { Hono } from 'hono'
import { textOfOriginMetrics } from './metrics.ts'
import { frontPage, LIVE_SCRIPT, livePart } from './page/front.ts'
import type { OriginStatus } from './status.ts'

/** Nothing from elsewhere, and no script but our own. */
const POLICY = [
  "default-src 'none'",
  "style-src 'unsafe-inline'",
  "script-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

export const createPages = (status: () => OriginStatus): ((request: Request) => Response | Promise<Response>) => {
  const app = new Hono()
  app.use(async (context, next) => {
    await next()
    context.header('cache-control', 'no-store')
  })
  app.get('/', (context) => {
    context.header('content-security-policy', POLICY)
    return context.html(frontPage(status()))
  })
  app.get('/live', (context) => context.html(livePart(status())))
  app.get('/live.js', (context) => context.body(LIVE_SCRIPT, 200, { 'content-type': 'text/javascript; charset=utf-8' }))
  app.get('/status.json', (context) => context.json(status()))
  app.get('/metrics', async (context) =>
    context.body(await textOfOriginMetrics(status()), 200, { 'content-type': EXPOSITION_TYPE }),
  )
  app.get('/healthz', (context) => {
    const health = healthOf(status())
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

const healthOf = ({ at, products, releases, seeding, expires, problems }: OriginStatus): Health => ({
  status: expires.some((role) => role.at <= at) ? 'expired' : problems.length > 0 ? 'degraded' : 'ok',
  products: new Set(products.map(({ product }) => product)).size,
  releases,
  seeding,
  expires,
  problems,
})
