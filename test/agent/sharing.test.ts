// The agent's part in the swarm: opened once, reopened on other settings, every torrent known, nothing left behind.
import { expect, test } from '@jest/globals'
import type { NetworkSettings } from '@updraft/agent/settings'
import { parseSettings } from '@updraft/agent/settings'
import { openSharing } from '@updraft/agent/sharing'
import { UpdateError } from '@updraft/core/errors'
import type { Swarm, SwarmOptions, TorrentOptions } from '@updraft/core/swarm/swarm'
import { type IdleSwarm, idleSwarm } from '../support/fake-agent-parts.ts'

const network = (changes: Record<string, unknown> = {}): NetworkSettings =>
  parseSettings(JSON.stringify({ network: changes }), 'agent.json').network

const torrent = (infoHash: string): TorrentOptions => ({
  metainfo: {
    infoHash,
    name: 'n',
    files: [],
    lengthBytes: 1,
    pieceLength: 16_384,
    pieceHashes: new Uint8Array(),
    trackers: [],
    webSeeds: [],
    bytes: new Uint8Array(),
  },
  directory: '/d',
  have: 'all',
  trackers: [],
  webSeeds: [],
})

/** Opens idle swarms, except on the ports that are taken. */
const opener = (taken: readonly number[] = []) => {
  const opened: (IdleSwarm & { readonly options: SwarmOptions })[] = []
  const openSwarm = async (options: SwarmOptions): Promise<Swarm> => {
    if (taken.includes(options.port)) throw new UpdateError('PORT_IN_USE', `port ${options.port} is taken`)
    const swarm = { ...idleSwarm(options.port === 0 ? 50_000 : options.port), options }
    opened.push(swarm)
    return swarm
  }
  return { opened, openSwarm }
}

test('the settings of the network become those of the swarm', async () => {
  const { opened, openSwarm } = opener()
  const settings = network({ port: 7_000, allowLoopback: true, uploadLimitBytes: 2_000 })
  await using sharing = openSharing({ openSwarm, network: settings, resume: async () => {} })
  await sharing.ready()
  expect(opened[0]?.options).toEqual({
    port: 7_000,
    allowLoopback: true,
    dht: false,
    localDiscovery: false,
    lan: [],
    webSeedDelayMs: 1_000,
    uploadLimit: 2_000,
    yields: true,
    bans: undefined,
  })
  expect(sharing.swarm.port).toBe(7_000)
})

test('every torrent is known while it is in the swarm, whoever added it', async () => {
  const { openSwarm } = opener()
  await using sharing = openSharing({
    openSwarm,
    network: network(),
    resume: async (swarm) => void (await swarm.add(torrent('kept'))),
  })
  const added = await sharing.swarm.add(torrent('new'))
  expect(sharing.torrentOf('kept')?.state()).toMatchObject({ peers: 2 })
  expect(sharing.torrentOf('new')?.infoHash).toBe('new')
  expect(sharing.transfers()).toMatchObject([
    { uploadedBytes: 7, peers: { origin: 1, complete: 1, partial: 0, webSeeds: 1 } },
    { uploadedBytes: 7 },
  ])
  await added.remove()
  expect(sharing.torrentOf('new')).toBeUndefined()
  await sharing.torrentOf('kept')?.remove()
  expect(sharing.torrentOf('kept')).toBeUndefined()
  expect(sharing.transfers()).toEqual([])
})

test('a torrent that was removed and added again is known by its new self', async () => {
  const { openSwarm } = opener()
  await using sharing = openSharing({ openSwarm, network: network(), resume: async () => {} })
  const first = await sharing.swarm.add(torrent('t'))
  await first.remove()
  await sharing.swarm.add(torrent('t'))
  await first.remove()
  expect(sharing.torrentOf('t')).toBeDefined()
})

test('a port in use is told to whoever waits, and closing is still fine', async () => {
  const { openSwarm } = opener([7_000])
  await using sharing = openSharing({ openSwarm, network: network({ port: 7_000 }), resume: async () => {} })
  await expect(sharing.ready()).rejects.toMatchObject({ code: 'PORT_IN_USE' })
  expect(sharing.swarm.port).toBe(0)
})

test('other settings close the old swarm, open a new one and take up the kept bundles again', async () => {
  const { opened, openSwarm } = opener()
  await using sharing = openSharing({
    openSwarm,
    network: network(),
    resume: async (swarm) => void (await swarm.add(torrent('kept'))),
  })
  await sharing.ready()
  expect(sharing.isOther(network())).toBe(false)
  expect(sharing.isOther(network({ dht: true }))).toBe(true)
  expect(sharing.isOther(network({ uploadLimitBytes: 3_000, schedule: [{ from: '08:00', to: '18:00' }] }))).toBe(false)
  await sharing.reopen(network({ port: 7_001 }))
  expect(opened.map((swarm) => swarm.closed())).toEqual([true, false])
  expect(sharing.swarm.port).toBe(7_001)
  expect(sharing.torrentOf('kept')).toBeDefined()
})

test('settings that cannot be had leave the old ones in force', async () => {
  const { opened, openSwarm } = opener([7_000])
  await using sharing = openSharing({ openSwarm, network: network({ port: 7_001 }), resume: async () => {} })
  await expect(sharing.reopen(network({ port: 7_000 }))).rejects.toMatchObject({ code: 'PORT_IN_USE' })
  expect(sharing.swarm.port).toBe(7_001)
  expect(opened.map((swarm) => swarm.closed())).toEqual([true, false])
  await sharing.swarm.add(torrent('t'))
})

test('a swarm that could not be opened is tried again by the next who needs it', async () => {
  let isTaken = true
  const openSwarm = async (): Promise<Swarm> => {
    if (isTaken) throw new UpdateError('PORT_IN_USE', 'taken')
    return idleSwarm()
  }
  await using sharing = openSharing({ openSwarm, network: network(), resume: async () => {} })
  await expect(sharing.swarm.add(torrent('t'))).rejects.toMatchObject({ code: 'PORT_IN_USE' })
  isTaken = false
  await sharing.swarm.add(torrent('t'))
  expect(sharing.torrentOf('t')).toBeDefined()
})

test('closing stops the taking up of bundles and closes the swarm', async () => {
  const { opened, openSwarm } = opener()
  let stopped = false
  const sharing = openSharing({
    openSwarm,
    network: network(),
    resume: (_, signal) =>
      new Promise((resolve) =>
        signal.addEventListener('abort', () => {
          stopped = true
          resolve()
        }),
      ),
  })
  await sharing.ready()
  await sharing[Symbol.asyncDispose]()
  expect(stopped).toBe(true)
  expect(opened[0]?.closed()).toBe(true)
})
