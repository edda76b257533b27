// Parts for an agent whose updates happen without a network: a swarm that moves nothing and a cycle that does as it is
// told. Each is an ordinary implementation of its seam.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AgentParts } from '@updraft/agent/agent'
import type { Cycle, CycleDependencies } from '@updraft/agent/cycle-types'
import type { ProductSettings } from '@updraft/agent/settings'
import { type Home, homeOf } from '@updraft/core/control/home'
import { UpdateError } from '@updraft/core/errors'
import { bundleNameOf, parseReleaseVersion, type ReleaseName } from '@updraft/core/names'
import type { Swarm, SwarmTorrent } from '@updraft/core/swarm/swarm'

export interface TemporaryHome extends Home, Disposable {
  readonly root: string
}

/** A home of its own below the system's temporary folder, removed when disposed. */
export const temporaryHome = (): TemporaryHome => {
  const root = mkdtempSync(join(tmpdir(), 'updraft-'))
  return {
    ...homeOf({ UPDRAFT_HOME: root }),
    root,
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  }
}

export interface IdleSwarm extends Swarm {
  readonly closed: () => boolean
}

/** Holds what is added and moves no byte. */
export const idleSwarm = (port = 40_000): IdleSwarm => {
  let closed = false
  return {
    port,
    closed: () => closed,
    add: async ({ metainfo }): Promise<SwarmTorrent> => ({
      infoHash: metainfo.infoHash,
      state: () => ({
        done: true,
        haveBytes: metainfo.lengthBytes,
        totalBytes: metainfo.lengthBytes,
        bytes: { peers: 0, origin: 0, reused: metainfo.lengthBytes },
        uploadedBytes: 7,
        peers: 2,
        origins: 1,
        seeds: 1,
        webSeeds: 1,
      }),
      whenDone: async () => {},
      whenHave: async () => {},
      remove: async () => {},
    }),
    table: undefined,
    meet: async () => ({
      call: () => Promise.reject(new UpdateError('SOURCE_UNREACHABLE', 'nobody is here')),
      setTopics: () => {},
      close: () => {},
    }),
    change: () => {},
    uploadedBytes: { lan: 0, outside: 0 },
    [Symbol.asyncDispose]: async () => {
      closed = true
    },
  }
}

export const releaseOf = (product: ProductSettings, version = '1.0.0'): ReleaseName => ({
  product: product.name,
  version: parseReleaseVersion(version),
  platform: product.platform,
})

/** Reports what a real cycle reports when it installs `version`; nothing if that is installed. */
export const installing =
  (version: string): Cycle =>
  async (product, { report, store, home }) => {
    const release = releaseOf(product, version)
    store.firstSeen.note(product.name, [{ name: bundleNameOf(release), digest: version }], new Date().toISOString())
    const isCurrent = store.installed.current(product.name)?.version === version
    report.refreshed({ rootVersion: 1, expires: { role: 'timestamp', at: '2999-01-01T00:00:00.000Z' }, findings: [] })
    report.decided({
      available: { version, published: '2026-01-02T00:00:00.000Z' },
      rules: [
        { rule: 'newer', passed: !isCurrent, detail: isCurrent ? `${version} is installed` : `${version} is newer` },
      ],
      update: isCurrent ? undefined : release,
      signers: [{ keyId: 'ab'.repeat(32) }],
      threshold: 1,
    })
    if (isCurrent) return { kind: 'current' }
    const bytes = { peers: 60, origin: 40, reused: 100 }
    report.entering(release, 'downloading')
    report.transferring({ haveBytes: 100, totalBytes: 200, bytes: { ...bytes, peers: 0, origin: 0 }, peers: 1 })
    report.transferring({ haveBytes: 200, totalBytes: 200, bytes, peers: 3 })
    report.entering(release, 'verifying')
    report.entering(release, 'activating')
    report.installed({
      version: release.version,
      platform: release.platform,
      path: join(home.dataDirectory, 'products', product.name, 'current'),
      signers: [{ keyId: 'ab'.repeat(32) }],
      threshold: 1,
    })
    return { kind: 'installed', version: release.version }
  }

export const failing =
  (error: unknown): Cycle =>
  async () => {
    throw error
  }

/** Opens an update and then waits until it is broken off. */
export const stuck =
  (onStuck: () => void = () => {}): Cycle =>
  async (product, { report, signal }: CycleDependencies) => {
    report.entering(releaseOf(product), 'downloading')
    onStuck()
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    throw new Error('the connection is gone')
  }

/** Keeps the event loop, as a defect would, and says when that begins and when it is over. */
export const blocking =
  (durationMs: number, say: (what: 'blocked' | 'free') => void): Cycle =>
  async () => {
    say('blocked')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs)
    say('free')
    return { kind: 'current' }
  }

/** The database is gone, as after a disk that failed; the agent goes on without it. */
export const losingStore =
  (onLost: () => void): Cycle =>
  async (_, { store }) => {
    ;(store as unknown as Disposable)[Symbol.dispose]()
    onLost()
    return { kind: 'current' }
  }

export const fakeParts = (cycle: Cycle, swarm: () => Promise<Swarm> = async () => idleSwarm()): AgentParts => ({
  cycle,
  openSwarm: swarm,
  seedKept: async () => {},
  describeSources: async () => [
    {
      name: 'main',
      url: 'http://localhost:8080/',
      root: { version: 1, fingerprint: `sha256:${'0'.repeat(64)}`, pinnedBy: 'file' },
    },
  ],
})
