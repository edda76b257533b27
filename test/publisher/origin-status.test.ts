// What an origin tells of itself: machines by version, bytes by where they came from, and the page, in a real browser.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import type { Swarm } from '@updraft/core/swarm/swarm'
import { openSwarm } from '@updraft/core/swarm/webtorrent-swarm'
import { parseRollout, rollout } from '../../publisher/src/amend/rollout.ts'
import { yank } from '../../publisher/src/amend/yank.ts'
import { type Amendment, amend } from '../../publisher/src/amend.ts'
import { machinesOf } from '../../publisher/src/origin/fleet.ts'
import { merged } from '../../publisher/src/origin/page/chart.ts'
import type { OriginStatus } from '../../publisher/src/origin/status.ts'
import { openTraffic } from '../../publisher/src/origin/traffic.ts'
import { startOrigin } from '../../publisher/src/origin.ts'
import { openRepository, type PublishedRelease } from '../../publisher/src/repository.ts'
import { launchChromium } from '../support/chromium.ts'
import { parseExposition } from '../support/exposition.ts'
import { describeWith, needsProgram } from '../support/needs.ts'
import { publishRelease } from './origin-releases.ts'
import { makeRepository, silentLog, until } from './origin-support.ts'

let folder: string
let made: Awaited<ReturnType<typeof makeRepository>>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'origin-'))
  made = await makeRepository(folder, new Date())
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const amended = (version: string, amendment: Amendment) =>
  amend(
    { repository: made.directory, product: parseProduct('acme'), version: parseReleaseVersion(version) },
    amendment,
    { keys: made.keys, now: new Date() },
  )

const start = () =>
  startOrigin({
    directory: made.directory,
    host: '127.0.0.1',
    port: 0,
    seed: { port: 0, releasesMax: 3, allowLoopback: true },
    keys: undefined,
    now: () => new Date(),
    log: silentLog,
    pollMs: 20,
  })

const statusOf = async (url: string): Promise<OriginStatus> =>
  (await (await fetch(`${url}status.json`)).json()) as OriginStatus

/** A machine: one swarm, in which it has fetched these versions and shares them. */
const machine = async (name: string, trackers: readonly string[], versions: readonly string[]): Promise<Swarm> => {
  const { releases } = await openRepository(made.directory)
  const swarm = await openSwarm({ port: 0, allowLoopback: true, dht: false, localDiscovery: false })
  for (const version of versions) {
    const published = releases.find(({ release }) => release.version === version)
    const directory = join(folder, name, version)
    await mkdir(directory, { recursive: true })
    const metainfo = parseMetainfo(await readFile(published?.metainfo.file ?? ''))
    const torrent = await swarm.add({ metainfo, directory, have: 'check', trackers, webSeeds: [] })
    await torrent.whenDone({ stallTimeoutMs: 20_000 })
  }
  return swarm
}

test('the bytes over time of earlier runs are there after a restart, of one day, and nobody is served the file', async () => {
  const at = (hoursAgo: number) => new Date(Date.now() - hoursAgo * 3_600_000).toISOString()
  const sample = { at: at(2), originBytes: 70, peerBytes: 700 }
  const samples = [{ ...sample, at: at(30) }, sample, { ...sample, at: at(-1) }]
  await writeFile(join(made.directory, '.traffic.json'), JSON.stringify({ version: 1, samples }))
  for (let run = 0; run < 2; run += 1) {
    await using origin = await start()
    const { traffic } = await statusOf(origin.url)
    expect(traffic.samples.slice(0, -1).filter(({ originBytes }) => originBytes > 0)).toEqual([sample])
    expect(traffic.originBytes).toBe(0)
    expect((await fetch(`${origin.url}.traffic.json`)).status).toBe(404)
  }
  await writeFile(join(made.directory, '.traffic.json'), '{"version":1,"samples":[{"at":"now"}]}')
  await using origin = await start()
  expect((await statusOf(origin.url)).traffic.samples).toHaveLength(1)
})

describe('figures', () => {
  const releaseAt = (version: string) =>
    ({ release: { product: 'acme', platform: 'any', version, torrent: { btih: version } } }) as PublishedRelease

  test('a machine counts once, for the newest that it has whole', () => {
    const releases = ['1.9.0', '1.10.0'].map(releaseAt)
    const members = [
      { infoHash: '1.9.0', peerId: 'both', complete: true },
      { infoHash: '1.10.0', peerId: 'both', complete: true },
      { infoHash: '1.9.0', peerId: 'behind', complete: true },
      { infoHash: '1.10.0', peerId: 'behind', complete: false },
      { infoHash: 'a patch', peerId: 'behind', complete: true },
    ]
    expect(Object.fromEntries(machinesOf(releases, members))).toEqual({
      '1.10.0': { have: 1, fetching: 1 },
      '1.9.0': { have: 1, fetching: 0 },
    })
  })

  test('bytes from peers are what machines say without what was sent, and a liar cannot say more than a torrent has', () => {
    let seeded = 0
    using traffic = openTraffic({ seededBytes: () => seeded, now: () => new Date(), peersMax: 3 })
    seeded = 600
    traffic.sent(400)
    traffic.announced('torrent', 'a', 1_000, 1_000)
    expect(traffic.totals()).toEqual({ originBytes: 1_000, peerBytes: 0 })
    traffic.announced('torrent', 'b', 900, 1_000)
    traffic.announced('torrent', 'b', 1_000, 1_000)
    expect(traffic.totals().peerBytes).toBe(1_000)
    for (const lie of [1e300, Number.NaN, -5, Number.POSITIVE_INFINITY]) traffic.announced('torrent', 'c', lie, 1_000)
    expect(traffic.totals().peerBytes).toBe(2_000)
    expect(traffic.samples()).toMatchObject([{ originBytes: 1_000, peerBytes: 2_000 }])
  })

  test('a day of samples is drawn as fewer points with the same sum', () => {
    const samples = Array.from({ length: 1_439 }, (_, row) => ({ at: `${row}`, originBytes: row, peerBytes: 1 }))
    const points = merged(samples, 180)
    expect(points.length).toBeLessThanOrEqual(180)
    expect(points.reduce((sum, { originBytes }) => sum + originBytes, 0)).toBe((1_438 * 1_439) / 2)
  })
})

describeWith([needsProgram('chromium')], 'the page in a real browser', () => {
  test('machines, bytes and rollouts, live, on a phone and in the dark', async () => {
    await publishRelease(made, '1.0.0')
    await publishRelease(made, '1.1.0')
    await using origin = await start()
    await until(async () => ((await statusOf(origin.url)).seeding === 2 ? true : undefined), 30_000)
    const [http = ''] = origin.trackerUrls
    await using ahead = await machine('ahead', [http], ['1.0.0', '1.1.0'])
    await using behind = await machine('behind', [http], ['1.0.0'])
    void [ahead, behind]
    const seen = await until(async () => {
      const status = await statusOf(origin.url)
      return status.products[0]?.machines.have === 2 && status.traffic.peerBytes + status.traffic.originBytes > 0
        ? status
        : undefined
    }, 30_000)
    expect(seen.products[0]?.releases.map(({ version, machines }) => [version, machines.have])).toEqual([
      ['1.1.0', 1],
      ['1.0.0', 1],
    ])
    const metrics = parseExposition(await (await fetch(`${origin.url}metrics`)).text())
    const labels = { product: 'acme', platform: 'any', version: '1.1.0', state: 'has' }
    expect(metrics.valueAt('updraft_origin_machines', labels)).toBe(1)
    expect(metrics.valueAt('updraft_origin_bytes_total', { from: 'origin' })).toBeGreaterThan(0)

    await using browser = await launchChromium()
    const page = await browser.newPage()
    const faults: string[] = []
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text())
    })
    await page.goto(origin.url)
    const rowOf = (version: string) => page.locator('tr', { has: page.locator(`strong:text-is("${version}")`) })
    expect(await rowOf('1.1.0').locator('td').last().textContent()).toMatch(/^1\b/)
    expect(await page.locator('svg.chart path.origin').getAttribute('d')).not.toBe('')
    expect(await page.locator('svg.chart title').textContent()).toContain('from this origin')

    // Live: nobody reloads.
    await amended('1.1.0', rollout(parseRollout(['10%', '100%@24h'], new Date())))
    await rowOf('1.1.0').getByText('10 %', { exact: false }).first().waitFor({ timeout: 20_000 })
    await amended('1.1.0', yank({ reason: 'it <b>breaks</b> & more', goTo: parseReleaseVersion('1.0.0') }, new Date()))
    await page.getByText('withdrawn: it <b>breaks</b> & more').waitFor({ timeout: 20_000 })

    const screenshots = process.env.UPDRAFT_SCREENSHOTS
    for (const [name, width, colorScheme] of [
      ['wide-light', 1280, 'light'],
      ['phone-dark', 390, 'dark'],
    ] as const) {
      await page.setViewportSize({ width, height: 900 })
      await page.emulateMedia({ colorScheme })
      const overflow = await page.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      )
      expect([name, overflow]).toEqual([name, 0])
      if (screenshots !== undefined) {
        await page.screenshot({ path: join(screenshots, `origin-${name}.png`), fullPage: true })
      }
    }
    expect(faults).toEqual([])
  })
})
