// The whole origin in this process, on real repositories and over loopback.

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import { openSwarm } from '@updraft/core/swarm/webtorrent-swarm'
import type { Health } from '../../publisher/src/origin/pages.ts'
import { type OriginOptions, startOrigin } from '../../publisher/src/origin.ts'
import { openRepository } from '../../publisher/src/repository.ts'
import { publishRelease } from './origin-releases.ts'
import { makeRepository, recordingLog, untilTrue } from './origin-support.ts'

let folder: string
let made: Awaited<ReturnType<typeof makeRepository>>

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'origin-'))
  made = await makeRepository(folder, new Date())
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const start = async (overrides: Partial<OriginOptions> = {}) => {
  const { log, lines } = recordingLog()
  const origin = await startOrigin({
    directory: made.directory,
    host: '127.0.0.1',
    port: 0,
    seed: { port: 0, releasesMax: 3, allowLoopback: true },
    keys: undefined,
    now: () => new Date(),
    log,
    pollMs: 20,
    ...overrides,
  })
  return Object.assign(origin, { lines })
}

const healthOf = async (url: string): Promise<Health> => (await (await fetch(`${url}healthz`)).json()) as Health
const seeds = (url: string, count: number) => untilTrue(async () => (await healthOf(url)).seeding === count)

/** What is in the swarm of a release, fetched as an agent fetches it, from peers alone. */
const fetchFromSwarm = async (trackers: readonly string[], version: string): Promise<Buffer> => {
  const { releases } = await openRepository(made.directory)
  const published = releases.find(({ release }) => release.version === version)
  if (published === undefined) throw new Error(version)
  const directory = join(folder, `fetched-${version}`)
  await mkdir(directory, { recursive: true })
  await using swarm = await openSwarm({ port: 0, allowLoopback: true, dht: false, localDiscovery: false })
  const metainfo = parseMetainfo(await readFile(published.metainfo.file))
  const torrent = await swarm.add({ metainfo, directory, have: 'check', trackers, webSeeds: [] })
  await torrent.whenDone({ stallTimeoutMs: 30_000 })
  return await readFile(join(directory, metainfo.name, 'pack'))
}

describe('what it serves', () => {
  test('files, tracker on three protocols and a seeder, under the addresses that it tells', async () => {
    await publishRelease(made, '1.0.0')
    await using origin = await start()
    const { port } = new URL(origin.url)
    expect(origin.url).toBe(`http://127.0.0.1:${port}/`)
    expect(origin.trackerUrls).toEqual(['http', 'udp', 'ws'].map((p) => `${p}://127.0.0.1:${port}/announce`))
    expect(origin.swarmPort).toBeGreaterThan(0)
    expect(origin.fingerprint).toMatch(/^sha256:[0-9a-f]{64}$/)
    const timestamp = await fetch(`${origin.url}metadata/timestamp.json`)
    expect(await timestamp.text()).toBe(await readFile(join(made.directory, 'metadata/timestamp.json'), 'utf8'))
    const web = await fetch(`${origin.url}bundles/acme_1.0.0_any/pack`)
    const pack = await readFile(join(made.directory, 'bundles/acme_1.0.0_any/pack'))
    expect(Buffer.from(await web.bytes()).equals(pack)).toBe(true)
    await seeds(origin.url, 1)
    const [http = ''] = origin.trackerUrls
    expect((await fetchFromSwarm([http], '1.0.0')).equals(pack)).toBe(true)
  })

  test('the page names products and newest versions, and nothing in it is markup from outside', async () => {
    await publishRelease(made, '1.0.0')
    await publishRelease(made, '1.1.0')
    await using origin = await start()
    const response = await fetch(origin.url)
    const page = await response.text()
    expect(response.headers.get('content-type')).toContain('text/html')
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(page).toContain('<h2>acme</h2>')
    expect([...page.matchAll(/<strong>([^<]*)/g)].map(([, version]) => version)).toEqual(['1.1.0', '1.0.0'])
    expect((await fetch(`${origin.url}nothing`)).status).toBe(404)
  })

  test('without seeding: metadata and tracker, but not one byte of a bundle', async () => {
    await publishRelease(made, '1.0.0')
    await using origin = await start({ seed: undefined })
    expect(origin.swarmPort).toBe(0)
    expect((await fetch(`${origin.url}metadata/timestamp.json`)).status).toBe(200)
    for (const name of ['index', 'pack']) {
      const response = await fetch(`${origin.url}bundles/acme_1.0.0_any/${name}`)
      expect([response.status, (await response.text()).length < 100]).toEqual([404, true])
    }
    expect(await healthOf(origin.url)).toMatchObject({ status: 'ok', releases: 1, seeding: 0 })
  })

  test('only the newest releases are seeded, those of each platform for themselves; all are tracked', async () => {
    for (const version of ['1.0.0', '1.1.0', '1.2.0']) await publishRelease(made, version)
    await publishRelease(made, '1.0.0', { platform: 'linux-x64' })
    await using origin = await start({ seed: { port: 0, releasesMax: 2, allowLoopback: true } })
    await seeds(origin.url, 3)
    const seeded = origin.lines.filter(({ text }) => text.startsWith('seeding ')).map(({ text }) => text)
    expect(seeded.join()).not.toContain('acme 1.0.0 (any)')
  })
})

describe('changes while it runs', () => {
  test('a new release is tracked and seeded, and what is no longer among the newest is not', async () => {
    await publishRelease(made, '1.0.0')
    await using origin = await start({ seed: { port: 0, releasesMax: 1, allowLoopback: true } })
    await seeds(origin.url, 1)
    await publishRelease(made, '1.1.0')
    await untilTrue(async () => (await healthOf(origin.url)).releases === 2)
    await untilTrue(() => origin.lines.some(({ text }) => text.startsWith('no longer seeding')))
    await seeds(origin.url, 1)
    const [http = ''] = origin.trackerUrls
    const pack = await readFile(join(made.directory, 'bundles/acme_1.1.0_any/pack'))
    expect((await fetchFromSwarm([http], '1.1.0')).equals(pack)).toBe(true)
  })

  test('a state that does not verify is reported, and the last good one stays', async () => {
    await publishRelease(made, '1.0.0')
    await using origin = await start()
    await seeds(origin.url, 1)
    const file = join(made.directory, 'metadata/timestamp.json')
    const intact = await readFile(file)
    await writeFile(
      file,
      intact.toString('utf8').replace(/"sig": ?"[0-9a-f]{8}/, (sig) => `${sig.slice(0, -8)}00000000`),
    )
    await untilTrue(async () => (await healthOf(origin.url)).status === 'degraded')
    const { problems, seeding } = await healthOf(origin.url)
    expect([problems.length, seeding]).toEqual([1, 1])
    expect(problems).toEqual(['the repository does not verify'])
    expect((await fetch(`${origin.url}bundles/acme_1.0.0_any/pack`)).status).toBe(200)
    await writeFile(file, intact)
    await untilTrue(async () => (await healthOf(origin.url)).status === 'ok')
  })

  test("another repository in the place of this one is not followed, though it is another's good one", async () => {
    await publishRelease(made, '1.0.0')
    await using origin = await start()
    await seeds(origin.url, 1)
    const other = await makeRepository(join(folder, 'other'), new Date())
    await publishRelease(other, '9.0.0')
    await cp(other.directory, made.directory, { recursive: true, force: true })
    await untilTrue(async () => (await healthOf(origin.url)).status === 'degraded')
    expect(await healthOf(origin.url)).toMatchObject({ releases: 1, seeding: 1 })
  })

  test('it renews what is due, and follows its own renewal', async () => {
    let now = new Date()
    await using origin = await start({ keys: made.keys, now: () => now, renewCheckMs: 20 })
    now = new Date(now.getTime() + 13 * 60 * 60 * 1_000)
    await untilTrue(async () => {
      const { roles } = await openRepository(made.directory)
      return roles.find(({ role }) => role === 'timestamp')?.metadataVersion === 2
    })
    const timestampExpires = async () =>
      (await healthOf(origin.url)).expires.find(({ role }) => role === 'timestamp')?.at
    await untilTrue(async () => Date.parse((await timestampExpires()) ?? '') > now.getTime() + 23 * 60 * 60 * 1_000)
  })

  test('what has expired makes it unhealthy, for monitors as well', async () => {
    let now = new Date()
    await using origin = await start({ now: () => now })
    expect((await fetch(`${origin.url}healthz`)).status).toBe(200)
    now = new Date(now.getTime() + 2 * 24 * 60 * 60 * 1_000)
    const response = await fetch(`${origin.url}healthz`)
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ status: 'expired' })
  })
})

describe('bundles that are not what was signed', () => {
  test.each<[string, (bundle: string) => Promise<void>]>([
    ['a flipped byte', (bundle) => flip(join(bundle, 'pack'))],
    ['a flipped byte of the index', (bundle) => flip(join(bundle, 'index'))],
    ['a missing file', (bundle) => rm(join(bundle, 'pack'))],
    ['a byte too many', async (bundle) => writeFile(join(bundle, 'pack'), 'x', { flag: 'a' })],
    ['a flipped byte of the metainfo', async () => flip((await published()).metainfo.file)],
  ])('%s: not seeded, reported, left as it is; the others are seeded', async (_, damage) => {
    await publishRelease(made, '1.0.0')
    await publishRelease(made, '1.1.0')
    const { bundleDirectory } = await published()
    await damage(bundleDirectory)
    await using origin = await start()
    await untilTrue(async () => (await healthOf(origin.url)).status === 'degraded')
    const { seeding, problems } = await healthOf(origin.url)
    expect(seeding).toBe(1)
    // Everyone may see this: nothing in it says where on the disk.
    expect(problems).toEqual(['acme 1.0.0 (any) is not seeded'])
    expect(origin.lines.some(({ level, text }) => level === 'error' && text.includes('is not seeded'))).toBe(true)
  })

  const published = async () => {
    const { releases } = await openRepository(made.directory)
    const found = releases.find(({ release }) => release.version === '1.0.0')
    if (found === undefined) throw new Error('no 1.0.0')
    return found
  }

  const flip = async (file: string): Promise<void> => {
    const bytes = await readFile(file)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    await writeFile(file, bytes)
  }
})

describe('what stops it from starting', () => {
  test('a folder that is not a repository', async () => {
    await expect(start({ directory: folder })).rejects.toMatchObject({ code: 'REPOSITORY_INVALID' })
  })

  test('a damaged repository', async () => {
    await writeFile(join(made.directory, 'metadata/timestamp.json'), '{}')
    await expect(start()).rejects.toMatchObject({ code: 'REPOSITORY_INVALID' })
  })

  test('a TCP port, a UDP port or a swarm port in use; and nothing stays open after that', async () => {
    const tcp = createServer().listen(0, '127.0.0.1')
    await once(tcp, 'listening')
    const taken = (tcp.address() as AddressInfo).port
    await expect(start({ port: taken })).rejects.toMatchObject({ code: 'PORT_IN_USE' })

    const udp = createSocket('udp4').bind(0, '127.0.0.1')
    await once(udp, 'listening')
    await expect(start({ port: udp.address().port })).rejects.toMatchObject({ code: 'PORT_IN_USE' })
    // HTTP had the port already when UDP was refused: it has to be free again.
    const again = createServer().listen(udp.address().port, '127.0.0.1')
    await once(again, 'listening')

    const seed = { port: taken, releasesMax: 3, allowLoopback: true }
    await expect(start({ seed })).rejects.toMatchObject({ code: 'PORT_IN_USE' })
    tcp.close()
    again.close()
    udp.close()
  })
})
