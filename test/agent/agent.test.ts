// The daemon in this process, with fake parts: what it opens, what it tells, what it takes over, and what it leaves behind.
import { existsSync, mkdirSync, readdirSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { type AgentOptions, type AgentParts, type Failures, runAgent } from '@updraft/agent/agent'
import type { Cycle } from '@updraft/agent/cycle-types'
import { silentLog } from '@updraft/agent/log'
import { readOfflineStatus } from '@updraft/agent/offline-status'
import { settingsPathOf } from '@updraft/agent/settings'
import { openStore } from '@updraft/agent/store'
import { prepareHome } from '@updraft/agent/taken-home'
import type { AgentEvent } from '@updraft/core/control/api'
import { controlClient } from '@updraft/core/control/client'
import { UpdateError } from '@updraft/core/errors'
import { parsePlatform, parseProduct, parseReleaseVersion } from '@updraft/core/names'
import type { Swarm } from '@updraft/core/swarm/swarm'
import {
  failing,
  fakeParts,
  idleSwarm,
  installing,
  losingStore,
  stuck,
  type TemporaryHome,
  temporaryHome,
} from '../support/fake-agent-parts.ts'

let home: TemporaryHome
let running: { readonly outcome: Promise<Failures>; readonly stop: () => void } | undefined

beforeEach(() => {
  home = temporaryHome()
})
afterEach(async () => {
  running?.stop()
  await running?.outcome.catch(() => {}) // The test has looked at it.
  running = undefined
  home[Symbol.dispose]()
})

const subscribe = (products: Record<string, object>, others: object = {}) => {
  const all = Object.fromEntries(Object.entries(products).map(([name, more]) => [name, { source: 'main', ...more }]))
  writeFileSync(settingsPathOf(home.configDirectory), JSON.stringify({ products: all, ...others }))
}

interface Agent {
  readonly outcome: Promise<Failures>
  readonly events: AgentEvent[]
  readonly stop: () => void
  /** Resolves once an event was told for which `holds`; those of before count. */
  readonly told: (holds: (event: AgentEvent) => boolean) => Promise<void>
}

const start = (parts: AgentParts, options: Partial<AgentOptions> = {}): Agent => {
  const controller = new AbortController()
  const events: AgentEvent[] = []
  const waiting = new Set<() => void>()
  const outcome = runAgent({
    home,
    parts,
    version: parseReleaseVersion('1.0.0'),
    once: false,
    log: silentLog,
    onEvent: ({ event }) => {
      events.push(event)
      for (const wake of waiting) wake()
    },
    signal: controller.signal,
    ...options,
  })
  const stop = () => controller.abort()
  running = { outcome, stop }
  const told = async (holds: (event: AgentEvent) => boolean): Promise<void> => {
    while (!events.some(holds)) {
      await Promise.race([
        new Promise<void>((resolve) => waiting.add(resolve)),
        outcome.then(() => Promise.reject(new Error('the agent has ended'))),
      ])
    }
  }
  return { outcome, events, stop, told }
}

/** Resolves once the agent answers. */
const answering = async (deadline = Date.now() + 50_000): Promise<void> => {
  try {
    await controlClient(home.socketPath).status()
  } catch (error) {
    if (Date.now() > deadline) throw error
    await new Promise((resolve) => setTimeout(resolve, 10))
    await answering(deadline)
  }
}

const isIdle = (product: string) => (event: AgentEvent) => event.kind === 'idle' && event.product === product
const isSettings = (event: AgentEvent) => event.kind === 'settings'

describe('once', () => {
  test('looks at every product, tells what failed, and leaves nothing open', async () => {
    subscribe({ acme: {}, tool: {} })
    const cycle: Cycle = (product, dependencies) =>
      product.name === 'tool'
        ? failing(new UpdateError('SWARM_STALLED', 'no peer'))(product, dependencies)
        : installing('1.2.0')(product, dependencies)
    const swarm = idleSwarm()
    const failures = await start(
      fakeParts(cycle, async () => swarm),
      { once: true },
    ).outcome
    expect([...failures]).toMatchObject([['tool', { code: 'SWARM_STALLED' }]])
    expect(swarm.closed()).toBe(true)
    expect(existsSync(home.socketPath)).toBe(false)
    using store = openStore(home.stateDirectory)
    expect(store.installed.current(parseProduct('acme'))?.version).toBe('1.2.0')
  })

  test('looks only at the products that it is told to', async () => {
    subscribe({ acme: {}, tool: {} })
    const { outcome, events } = start(fakeParts(installing('1.0.0')), { once: true, only: [parseProduct('tool')] })
    await outcome
    expect(events.filter(({ kind }) => kind === 'idle')).toMatchObject([{ product: 'tool' }])
  })

  test('with nothing subscribed to ends at once', async () => {
    expect(await start(fakeParts(stuck()), { once: true }).outcome).toEqual(new Map())
  })

  test('takes up no kept bundle', async () => {
    let seeded = 0
    const count = async () => {
      seeded += 1
      return undefined
    }
    await start({ ...fakeParts(installing('1.0.0')), seedKept: count }, { once: true }).outcome
    expect(seeded).toBe(0)
  })
})

describe('running', () => {
  test('its status tells of products, sources and itself, live', async () => {
    subscribe({ acme: {} })
    const agent = start(fakeParts(installing('1.0.0')))
    await agent.told(isIdle('acme'))
    const status = await controlClient(home.socketPath).status()
    expect(status.agent).toMatchObject({ version: '1.0.0', pid: process.pid, home: home.root, swarmPort: 40_000 })
    expect(status.products).toMatchObject([
      {
        name: 'acme',
        installed: { version: '1.0.0' },
        available: { version: '1.0.0' },
        update: { state: 'committed', bytes: { peers: 60, origin: 40, reused: 100 } },
        trust: { level: 'trusted', threshold: 1 },
      },
    ])
    expect(status.sources).toMatchObject([
      { name: 'main', expires: { role: 'timestamp' }, nextCheckAt: expect.any(String) },
    ])
    const following = controlClient(home.socketPath).events(0)
    expect((await following.next()).value).toMatchObject({ cursor: 1, event: { kind: 'check' } })
    await following.return()
  })

  test('a check looks again, at one product or at all; an unknown one is said to be unknown', async () => {
    subscribe({ acme: {} })
    let looks = 0
    const cycle: Cycle = async () => {
      looks += 1
      return { kind: 'current' }
    }
    const agent = start(fakeParts(cycle))
    await agent.told(isIdle('acme'))
    const client = controlClient(home.socketPath)
    for (const request of [{ product: 'acme' }, {}]) {
      const { cursor } = await client.check(request)
      for await (const { event } of client.events(cursor)) if (event.kind === 'idle') break
    }
    expect(looks).toBe(3)
    await expect(client.check({ product: 'ghost' })).rejects.toMatchObject({ code: 'PRODUCT_UNKNOWN' })
    await expect(client.check({ product: '../etc' })).rejects.toMatchObject({ code: 'PRODUCT_UNKNOWN' })
  })

  test('goes back by hand in the middle of an update, and takes nothing bad again until it is told to', async () => {
    subscribe({ acme: {} })
    const versions = join(home.dataDirectory, 'products/acme/versions')
    for (const version of ['1.0.0', '1.1.0']) mkdirSync(join(versions, version), { recursive: true })
    symlinkSync('versions/1.1.0', join(versions, '../current'))
    const cycle: Cycle = async (product, dependencies) => {
      const { store } = dependencies
      if (store.installed.current(product.name) !== undefined) return stuck()(product, dependencies)
      for (const version of ['1.0.0', '1.1.0']) await installing(version)(product, dependencies)
      return { kind: 'current' }
    }
    const agent = start(fakeParts(cycle))
    await agent.told(isIdle('acme'))
    const client = controlClient(home.socketPath)
    await client.check()
    await agent.told((event) => event.kind === 'update' && event.update.state === 'downloading')

    const { cursor, ...back } = await client.rollback('acme')
    expect(back).toEqual({ version: '1.0.0', previous: '1.1.0' })
    expect(readlinkSync(join(versions, '../current'))).toBe('versions/1.0.0')
    expect(agent.events).toContainEqual({ kind: 'installed', product: 'acme', version: '1.0.0', previous: '1.1.0' })
    expect((await client.history('acme')).updates.map(({ version, state }) => `${version} ${state}`)).toContain(
      '1.1.0 rolled-back',
    )
    expect(cursor).toBeGreaterThan(0)

    await expect(client.rollback('acme')).rejects.toMatchObject({ code: 'RELEASE_UNKNOWN' })
    await expect(client.rollback('acme', { version: '1.1.0' })).rejects.toMatchObject({ code: 'USAGE' })
    await expect(client.rollback('acme', { version: '../1.1.0' })).rejects.toMatchObject({ code: 'VERSION_INVALID' })
    await expect(client.rollback('ghost')).rejects.toMatchObject({ code: 'PRODUCT_UNKNOWN' })
    await expect(client.retry('ghost')).rejects.toMatchObject({ code: 'PRODUCT_UNKNOWN' })
    expect((await client.retry('acme')).lifted).toEqual(['1.1.0'])
    expect((await client.retry('acme')).lifted).toEqual([])
  })

  test('one product that fails, with a defect even, does not hold up another', async () => {
    subscribe({ acme: {}, tool: {} })
    const cycle: Cycle = (product, dependencies) =>
      product.name === 'acme'
        ? failing(new TypeError('x is undefined'))(product, dependencies)
        : installing('1.0.0')(product, dependencies)
    const agent = start(fakeParts(cycle))
    await agent.told(isIdle('acme'))
    await agent.told(isIdle('tool'))
    const { products } = await controlClient(home.socketPath).status()
    expect(products.find(({ name }) => name === 'tool')?.installed?.version).toBe('1.0.0')
    expect(agent.events.find(isIdle('acme'))).toMatchObject({ error: { code: 'DEFECT' } })
  })

  test('a source that fails one product and not another is not well, whoever looked last', async () => {
    subscribe({ acme: {}, tool: {} })
    const cycle: Cycle = (product, dependencies) =>
      (product.name === 'acme' ? failing(new UpdateError('METADATA_EXPIRED', 'it is over')) : installing('1.0.0'))(
        product,
        dependencies,
      )
    const agent = start(fakeParts(cycle))
    await agent.told(isIdle('acme'))
    await agent.told(isIdle('tool'))
    const { products, sources } = await controlClient(home.socketPath).status()
    expect(products.map(({ name, lastCheck }) => [name, lastCheck?.error?.code])).toEqual([
      ['acme', 'METADATA_EXPIRED'],
      ['tool', undefined],
    ])
    expect(sources[0]?.lastCheck).toMatchObject({ error: { code: 'METADATA_EXPIRED' } })
  })

  test('a bundle that was kept is shared again, and one that is lost is let go', async () => {
    subscribe({ acme: {} })
    mkdirSync(home.stateDirectory)
    const seed = (name: string) => ({
      name,
      product: parseProduct('acme'),
      version: parseReleaseVersion('1.0.0'),
      platform: parsePlatform('any'),
      infoHash: name,
      trackers: [],
      lengthBytes: 1,
      since: 't',
    })
    {
      using store = openStore(home.stateDirectory)
      for (const name of ['good', 'lost']) store.seeds.put(seed(name))
    }
    const resumed = Promise.withResolvers<void>()
    const agent = start({
      ...fakeParts(failing(new UpdateError('SOURCE_UNREACHABLE', 'no answer'))),
      seedKept: async ({ name }, { swarm }) => {
        if (name === 'lost') {
          queueMicrotask(resumed.resolve)
          throw new UpdateError('METAINFO_INVALID', 'torn')
        }
        const metainfo = {
          infoHash: name,
          name,
          files: [],
          lengthBytes: 1,
          pieceLength: 1,
          pieceHashes: new Uint8Array(),
          trackers: [],
          webSeeds: [],
          bytes: new Uint8Array(),
        }
        await swarm.add({ metainfo, directory: '/d', have: 'check', trackers: [], webSeeds: [] })
      },
    })
    await resumed.promise
    await agent.told(isIdle('acme'))
    const [acme] = (await controlClient(home.socketPath).status()).products
    expect(acme?.seeding).toEqual({ releases: 1, peers: 2, uploadedBytes: 7 })
    agent.stop()
    await agent.outcome
    using store = openStore(home.stateDirectory)
    expect(store.seeds.all().map(({ name }) => name)).toEqual(['good'])
  })
})

describe('settings that change', () => {
  test('are taken over: new products are looked at, removed ones are let go', async () => {
    subscribe({ acme: {} })
    const agent = start(fakeParts(installing('1.0.0')))
    await agent.told(isIdle('acme'))
    subscribe({ tool: {} })
    await agent.told(isIdle('tool'))
    const { products } = await controlClient(home.socketPath).status()
    expect(products.map(({ name, channel, decision }) => [name, channel, decision[0]?.passed])).toEqual([
      ['tool', 'stable', true],
      ['acme', '', false],
    ])
  })

  test('are read before a check, so that an edit and a check go together', async () => {
    const agent = start(fakeParts(installing('1.0.0')))
    await answering()
    subscribe({ acme: {} })
    await controlClient(home.socketPath).check({ product: 'acme' })
    await agent.told(isIdle('acme'))
  })

  test('that cannot be understood are refused with their place, and the old ones stay', async () => {
    subscribe({ acme: {} })
    const agent = start(fakeParts(installing('1.0.0')))
    await agent.told(isIdle('acme'))
    writeFileSync(settingsPathOf(home.configDirectory), '{\n  "prodcuts": {}\n}')
    await agent.told(isSettings)
    expect(agent.events.find(isSettings)).toMatchObject({
      error: { code: 'SETTINGS_INVALID', detail: expect.stringContaining('agent.json:2:3: prodcuts is not a setting') },
    })
    expect((await controlClient(home.socketPath).status()).products.map(({ name }) => name)).toEqual(['acme'])
  })

  test('of the network open a new swarm, and looks begin anew on it', async () => {
    subscribe({ acme: {} })
    const swarms: ReturnType<typeof idleSwarm>[] = []
    const openSwarm = async ({ port }: { readonly port: number }): Promise<Swarm> => {
      const swarm = idleSwarm(port)
      swarms.push(swarm)
      return swarm
    }
    let begun = () => {}
    const parts = {
      ...fakeParts(stuck(() => begun())),
      openSwarm,
    }
    const first = new Promise<void>((resolve) => (begun = resolve))
    const agent = start(parts)
    await first
    const second = new Promise<void>((resolve) => (begun = resolve))
    subscribe({ acme: {} }, { network: { port: 7_777 } })
    await second
    await agent.told(isSettings)
    expect(swarms.map((swarm) => [swarm.port, swarm.closed()])).toEqual([
      [0, true],
      [7_777, false],
    ])
    expect((await controlClient(home.socketPath).status()).agent.swarmPort).toBe(7_777)
  })

  test('with a port that is taken are refused, and the agent goes on as before', async () => {
    subscribe({ acme: {} })
    const openSwarm = async ({ port }: { readonly port: number }): Promise<Swarm> => {
      if (port === 7_777) throw new UpdateError('PORT_IN_USE', 'port 7777 is taken')
      return idleSwarm(40_001)
    }
    const agent = start({ ...fakeParts(installing('1.0.0')), openSwarm })
    await agent.told(isIdle('acme'))
    subscribe({ acme: {}, tool: {} }, { network: { port: 7_777 } })
    await agent.told(isSettings)
    await agent.told(isIdle('tool'))
    expect(agent.events.find(isSettings)).toMatchObject({ error: { code: 'PORT_IN_USE' } })
    expect((await controlClient(home.socketPath).status()).agent.swarmPort).toBe(40_001)
  })
})

describe('stopping', () => {
  test('in the middle of an update leaves it open, closes everything, and fails nothing', async () => {
    subscribe({ acme: {} })
    const begun = Promise.withResolvers<void>()
    const swarm = idleSwarm()
    const agent = start(fakeParts(stuck(begun.resolve), async () => swarm))
    await begun.promise
    agent.stop()
    expect(await agent.outcome).toEqual(new Map())
    expect(swarm.closed()).toBe(true)
    expect(existsSync(home.socketPath)).toBe(false)
    expect(readdirSync(home.stateDirectory).sort()).toEqual(['agent.db', 'agent.lock', 'remembered.json'])
    const { products } = await readOfflineStatus(home, fakeParts(stuck()))
    expect(products[0]?.update).toMatchObject({ state: 'downloading' })
    expect(products[0]?.update?.endedAt).toBeUndefined()
  })

  test('while it starts is heeded', async () => {
    const controller = new AbortController()
    controller.abort()
    expect(await start(fakeParts(stuck()), { signal: controller.signal }).outcome).toEqual(new Map())
  })
})

test('what is installed is for others to run, and the state for nobody else', async () => {
  const dataDirectory = join(home.root, 'lib')
  const stateDirectory = join(dataDirectory, 'state')
  await prepareHome({ ...home, dataDirectory, stateDirectory })
  expect([dataDirectory, stateDirectory].map((path) => statSync(path).mode & 0o777)).toEqual([0o755, 0o700])
})

describe('what keeps it from starting leaves nothing behind', () => {
  const startFails = async (parts: AgentParts, code: string) => {
    await expect(start(parts).outcome).rejects.toMatchObject({ code })
    expect(existsSync(home.socketPath)).toBe(false)
  }

  test('settings that cannot be understood', async () => {
    writeFileSync(settingsPathOf(home.configDirectory), '{')
    await startFails(fakeParts(stuck()), 'SETTINGS_INVALID')
  })

  test('a port that is taken', async () => {
    subscribe({ acme: {} })
    const cycle = failing(new Error('must not be called'))
    await startFails(
      fakeParts(cycle, () => Promise.reject(new UpdateError('PORT_IN_USE', 'taken'))),
      'PORT_IN_USE',
    )
  })

  test('a database that is damaged', async () => {
    mkdirSync(home.stateDirectory)
    writeFileSync(`${home.stateDirectory}/agent.db`, 'no database at all')
    await startFails(fakeParts(stuck()), 'STATE_DAMAGED')
  })

  test('another agent on the same home, which is left alone', async () => {
    subscribe({ acme: {} })
    const first = start(fakeParts(installing('1.0.0')))
    await first.told(isIdle('acme'))
    await expect(
      runAgent({
        home,
        parts: fakeParts(stuck()),
        version: parseReleaseVersion('1.0.0'),
        once: true,
        log: silentLog,
        signal: new AbortController().signal,
      }),
    ).rejects.toMatchObject({ code: 'AGENT_RUNNING', hint: expect.stringContaining('UPDRAFT_HOME') })
    expect((await controlClient(home.socketPath).status()).products).toHaveLength(1)
  })
})

test('a store that is lost while it runs ends neither the agent nor its schedule', async () => {
  subscribe({ acme: {} })
  await new Promise<void>((resolve, reject) => {
    const error = (message: string) => {
      if (message.startsWith('the last decision cannot be read')) resolve()
    }
    start(fakeParts(losingStore(() => {})), { log: { ...silentLog, error } }).outcome.then(() => reject(), reject)
  })
})
