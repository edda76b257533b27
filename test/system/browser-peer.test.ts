// A browser that runs webtorrent as it comes is a peer like any other: it fetches a release from an agent over WebRTC, with no byte
// from the origin, and gives it to another agent after the first has gone. Chromium of Debian.
import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { networkInterfaces, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { OriginStatus } from '../../publisher/src/origin/status.ts'
import { openRepository } from '../../publisher/src/repository.ts'
import { changeSettings, openStage, type Stage } from '../../scripts/demo/stage.ts'
import { untilTrue } from '../publisher/origin-support.ts'
import { launchChromium } from '../support/chromium.ts'
import { describeWith, type Need, needsProgram } from '../support/needs.ts'
import { makeSmallBuild } from '../support/small-build.ts'

const needsNetwork: Need = {
  name: 'network',
  met: Object.values(networkInterfaces())
    .flat()
    .some((address) => address?.internal === false),
  why: 'this machine has no network interface, and WebRTC does not use loopback',
}

/** The torrent, the library, and a page that joins the two. */
const servePage = async (torrent: Uint8Array, tracker: string): Promise<Server> => {
  const library = join(
    dirname(createRequire(import.meta.url).resolve('webtorrent/package.json')),
    'dist/webtorrent.min.js',
  )
  const page = `<!doctype html><meta charset="utf-8"><title>peer</title><script type="module">
    import WebTorrent from './webtorrent.js'
    const client = new WebTorrent({ tracker: { announce: [${JSON.stringify(tracker)}], rtcConfig: { iceServers: [] } } })
    const metainfo = new Uint8Array(await (await fetch('./torrent')).arrayBuffer())
    window.state = { kinds: [], errors: [], uploaded: () => client.torrents[0].uploaded }
    client.on('error', (error) => window.state.errors.push(String(error)))
    client.add(metainfo, {}, async (torrent) => {
      torrent.on('wire', (wire) => window.state.kinds.push(wire.type))
      const done = async () => {
        const digests = {}
        for (const file of torrent.files) {
          const bytes = await file.arrayBuffer()
          const digest = await crypto.subtle.digest('SHA-256', bytes)
          digests[file.name] = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
        }
        window.state.digests = digests
      }
      if (torrent.done) await done()
      else torrent.on('done', done)
    })
  </script>`
  const server = createServer(async (request, response) => {
    const [type, body] =
      request.url === '/webtorrent.js'
        ? ['text/javascript', await readFile(library)]
        : request.url === '/torrent'
          ? ['application/x-bittorrent', torrent]
          : ['text/html', page]
    response.writeHead(200, { 'content-type': type }).end(body)
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return server
}

interface PageState {
  readonly kinds: readonly string[]
  readonly errors: readonly string[]
  readonly digests: Readonly<Record<string, string>>
}

describeWith([needsProgram('chromium'), needsNetwork], 'a browser as a peer', () => {
  let directory: string
  let stage: Stage

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ub-'))
    stage = await openStage({ directory: join(directory, 's'), product: 'acme' })
  })

  afterAll(async () => {
    await stage[Symbol.asyncDispose]()
    await rm(directory, { recursive: true, force: true })
  })

  const machine = async (name: string) => {
    const agent = await stage.agent(name)
    await changeSettings(agent, (text) =>
      text
        .replace('"network": {', '"network": { "webRtc": true,')
        .replace('"stallTimeoutSeconds": 20', '"stallTimeoutSeconds": 120'),
    )
    await agent.start()
    return { agent, update: await agent.whenInstalled('1.0.0', { timeoutMs: 150_000 }) }
  }

  test('fetches a release from an agent, and gives it to the next one', async () => {
    await stage.init()
    const origin = await stage.startOrigin()
    const tracker = origin.url.replace(/^http/, 'ws')
    const settings = join(stage.repository, 'repository.json')
    await writeFile(settings, JSON.stringify({ ...JSON.parse(await readFile(settings, 'utf8')), trackers: [tracker] }))
    await stage.publish(await makeSmallBuild(join(directory, 'build')), '1.0.0')
    const first = await machine('first')
    await first.agent.stop()
    await origin.stop()
    await stage.startOrigin({ seed: false })
    await first.agent.start()
    // The tracker has to know of the machine: a browser asks it again only after a minute.
    await untilTrue(async () => {
      const status = (await (await fetch(`${origin.url}status.json`)).json()) as OriginStatus
      return status.products[0]?.machines.have === 1
    }, 60_000)

    const [release] = (await openRepository(stage.repository)).releases
    if (release === undefined) throw new Error('nothing was published')
    const server = await servePage(await readFile(release.metainfo.file), tracker)
    try {
      await using browser = await launchChromium()
      const page = await browser.newPage()
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
      await page.waitForFunction('window.state?.digests !== undefined', undefined, { timeout: 60_000 })
      const state: PageState = await page.evaluate('({ ...window.state, uploaded: undefined })')
      const digestOf = async (name: string) =>
        createHash('sha256')
          .update(await readFile(join(release.bundleDirectory, name)))
          .digest('hex')
      expect(state).toMatchObject({
        errors: [],
        digests: { index: await digestOf('index'), pack: await digestOf('pack') },
      })
      expect(new Set(state.kinds)).toEqual(new Set(['webrtc']))

      await first.agent.stop()
      const second = await machine('second')
      expect(second.update.bytes.peers).toBeGreaterThan(0)
      expect(second.update.bytes.origin).toBe(0)
      expect(await page.evaluate('window.state.uploaded()')).toBeGreaterThan(0)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }, 300_000)
})
