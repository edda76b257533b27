// Attacks on the way of the bytes, against a real agent process: hints and redirects that would make it speak to somebody whom
// its owner did not name. Those that keep it waiting: slow.test.ts.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect } from '@jest/globals'
import { attackTest } from '../support/attack-row.ts'
import { type Hijack, sendEndlessly } from './hostile-origin.ts'
import { expectInstalled, expectRefused, openScene } from './scene.ts'

const UNREACHABLE = { exitCode: 7, error: 'SOURCE_UNREACHABLE', finding: 'source-unreachable' }
const STALLED = { exitCode: 7, error: 'SWARM_STALLED' }

/** A service that trusts whoever reaches it, such as those on loopback do. */
interface Bystander extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** How often somebody connected. */
  calls(): number
}

const openBystander = async (): Promise<Bystander> => {
  let calls = 0
  const server = createServer((socket) => {
    calls += 1
    socket.on('error', () => {}).destroy()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    port,
    calls: () => calls,
    [Symbol.asyncDispose]: async () => {
      server.close()
      await once(server, 'close')
    },
  }
}

const redirecting =
  (isThis: (path: string) => boolean, to: string): Hijack =>
  (path, _, response) => {
    if (!isThis(path)) return false
    response.writeHead(302, { location: to }).end()
    return true
  }

attackTest('request forgery', 'web seed and trackers of a signed release name a service on loopback', async (saw) => {
  await using bystander = await openBystander()
  const { url, port } = bystander
  await using scene = await openScene({
    allowLoopback: false,
    stallTimeoutSeconds: 2,
    first: {
      webSeeds: [url, `http://localhost:${port}/`, `http://[::ffff:7f00:1]:${port}/`, `http://2130706433:${port}/`],
      trackers: [`${url}announce`, `http://localhost:${port}/announce`, `ws://127.0.0.1:${port}/`],
    },
  })
  expectRefused(saw(await scene.victim.look()), STALLED)
  expect(bystander.calls()).toBe(0)
})

attackTest('request forgery', 'a tracker names a service on loopback as a peer', async (saw) => {
  await using bystander = await openBystander()
  await using scene = await openScene({ first: null })
  await scene.release('1.0.0', { trackers: ['announce'] })
  let announces = 0
  scene.origin.hijack = (path, _, response) => {
    if (!path.startsWith('announce')) return false
    announces += 1
    const peers = Buffer.from([127, 0, 0, 1, bystander.port >> 8, bystander.port & 255])
    response.end(Buffer.concat([Buffer.from('d8:intervali900e5:peers6:'), peers, Buffer.from('e')]))
    return true
  }
  // With loopback allowed the tracker is heard, and a peer that hangs up costs nothing but a call.
  expectInstalled(saw(await scene.victim.look()), scene, '1.0.0')
  expect(announces).toBeGreaterThan(0)
  expect(bystander.calls()).toBeLessThan(10)
})

attackTest(
  'lying tracker',
  'it names a thousand peers that are none, and wants to be asked all the time',
  async (saw) => {
    await using bystander = await openBystander()
    await using scene = await openScene({ first: null })
    await scene.release('1.0.0', { trackers: ['announce'] })
    let announces = 0
    const address = Buffer.from([127, 0, 0, 1, bystander.port >> 8, bystander.port & 255])
    const others = Array.from({ length: 1_000 }, (_, number) => Buffer.from([127, 0, number >> 8, number & 255, 0, 1]))
    scene.origin.hijack = (path, _, response) => {
      if (!path.startsWith('announce')) return false
      announces += 1
      const peers = Buffer.concat([address, address, ...others])
      response.end(
        Buffer.concat([
          Buffer.from(`d8:intervali0e12:min intervali0e5:peers${peers.length}:`),
          peers,
          Buffer.from('e'),
        ]),
      )
      return true
    }
    expectInstalled(saw(await scene.victim.look()), scene, '1.0.0')
    expect(announces).toBeGreaterThan(0)
    expect(announces).toBeLessThan(10)
    expect(bystander.calls()).toBeLessThan(10)
  },
)

attackTest('lying tracker', 'its answer never ends', async (saw) => {
  await using scene = await openScene({ first: null })
  await scene.release('1.0.0', { trackers: ['announce'] })
  let sent = 0
  scene.origin.hijack = (path, _, response) => {
    if (!path.startsWith('announce')) return false
    sendEndlessly(response, (bytes) => {
      sent += bytes
    })
    return true
  }
  expectInstalled(saw(await scene.victim.look()), scene, '1.0.0')
  expect(sent).toBeGreaterThan(0)
  expect(sent).toBeLessThan(64 * 1024 * 1024)
})

attackTest('redirect', 'metadata is redirected to a service on loopback', async (saw) => {
  await using bystander = await openBystander()
  await using scene = await openScene()
  scene.origin.hijack = redirecting((path) => path.startsWith('metadata/'), bystander.url)
  expectRefused(saw(await scene.victim.look()), UNREACHABLE)
  expect(bystander.calls()).toBe(0)
})

attackTest('redirect', 'the signed index is redirected to a service on loopback', async (saw) => {
  await using bystander = await openBystander()
  await using scene = await openScene()
  scene.origin.hijack = redirecting((path) => path.endsWith('.index'), bystander.url)
  expectRefused(saw(await scene.victim.look()), UNREACHABLE)
  expect(bystander.calls()).toBe(0)
})

attackTest('redirect', 'the web seed redirects to file:', async (saw) => {
  await using scene = await openScene({ stallTimeoutSeconds: 2 })
  scene.origin.hijack = redirecting((path) => path.startsWith('bundles/'), 'file:///etc/passwd')
  expectRefused(saw(await scene.victim.look()), STALLED)
})

attackTest('redirect', 'the web seed redirects in a circle', async (saw) => {
  await using scene = await openScene({ stallTimeoutSeconds: 2 })
  scene.origin.hijack = (path, _, response) => {
    if (!path.startsWith('bundles/')) return false
    response.writeHead(302, { location: `/${path}` }).end()
    return true
  }
  expectRefused(saw(await scene.victim.look()), STALLED)
  expect(scene.origin.requests.filter((path) => path.startsWith('bundles/')).length).toBeLessThan(40)
})
