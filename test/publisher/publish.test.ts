// Publishing: what a release consists of on disk and in signed metadata, and that the next one builds on it.
import { createHash } from 'node:crypto'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { applyIndexPatch } from '@updraft/core/bundle/index-patch'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import { openRepository } from '../../publisher/src/repository.ts'
import { parseRepositorySettings } from '../../publisher/src/repository-settings.ts'
import { release } from './release.ts'
import { fingerprintTree, init, NOW, openRepositoryWorkspace, openWorkspace, writeTree } from './workspace.ts'

const noise = (lengthBytes: number, seed: number): Uint8Array => {
  const bytes = new Uint8Array(lengthBytes)
  let state = seed
  for (let at = 0; at < lengthBytes; at += 1) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    bytes[at] = state >>> 16
  }
  return bytes
}

describe('a release', () => {
  test('is a bundle, two targets under the names of both hashes, and metadata that signs them', async () => {
    await using workspace = await openRepositoryWorkspace()
    const published = await release(workspace, { version: '1.0.0', platform: 'linux-x64', notes: 'The first one.' })
    const { releases } = await openRepository(workspace.repository)
    const [found] = releases
    expect(releases).toHaveLength(1)
    expect(found?.release).toEqual({
      schema: 1,
      product: 'acme',
      version: '1.0.0',
      platform: 'linux-x64',
      channels: ['stable'],
      published: NOW.toISOString(),
      notes: 'The first one.',
      torrent: {
        btih: published.infoHash,
        pieceLength: 16384,
        metainfo: 'acme/1.0.0/linux-x64.torrent',
        trackers: ['announce'],
        webSeeds: ['bundles/'],
      },
      sizes: published.sizes,
      zstd: process.versions.zstd,
    })
    const bundle = join(workspace.repository, 'bundles/acme_1.0.0_linux-x64')
    expect(found?.bundleDirectory).toBe(bundle)
    expect(await readdir(bundle)).toEqual(['index', 'pack'])
    expect((await stat(join(bundle, 'pack'))).size).toBe(published.sizes.packBytes)
    expect(await readFile(join(bundle, 'index'))).toEqual(await readFile(published.files.index))
    const names = await readdir(join(workspace.repository, 'targets/acme/1.0.0'))
    expect(names.filter((name) => /^[0-9a-f]{64}\.linux-x64\.(index|torrent)$/.test(name))).toHaveLength(2)
    expect(names.filter((name) => /^[0-9a-f]{128}\.linux-x64\.(index|torrent)$/.test(name))).toHaveLength(2)
    expect(published.metadataVersions).toEqual({ root: 1, targets: 1, acme: 2, snapshot: 2, timestamp: 2 })
    expect(await readdir(workspace.repository)).not.toContain('.staging')
  })

  test('has metainfo that is what was signed, without an address unless the repository has one', async () => {
    await using workspace = await openRepositoryWorkspace()
    const published = await release(workspace, { version: '1.0.0' })
    const metainfo = parseMetainfo(await readFile(published.files.metainfo))
    expect(metainfo).toMatchObject({ infoHash: published.infoHash, name: 'acme_1.0.0_any', trackers: [], webSeeds: [] })
    expect(metainfo.files).toEqual([
      { path: 'index', lengthBytes: published.sizes.indexBytes },
      { path: 'pack', lengthBytes: published.sizes.packBytes },
    ])
  })

  test('names the configured address, trackers and web seeds', async () => {
    await using workspace = await openRepositoryWorkspace({
      settings: parseRepositorySettings(
        { url: 'https://u.example/r', trackers: ['udp://t.example:6969'], webSeeds: ['https://cdn.example/b/'] },
        'test',
      ),
    })
    const published = await release(workspace, { version: '1.0.0' })
    const metainfo = parseMetainfo(await readFile(published.files.metainfo))
    expect(metainfo.trackers).toEqual(['https://u.example/r/announce', 'udp://t.example:6969'])
    expect(metainfo.webSeeds).toEqual(['https://u.example/r/bundles/', 'https://cdn.example/b/'])
    const [found] = (await openRepository(workspace.repository)).releases
    expect(found?.release.torrent).toMatchObject({
      trackers: ['announce', 'udp://t.example:6969'],
      webSeeds: ['bundles/', 'https://cdn.example/b/'],
    })
  })

  test('can be a single file', async () => {
    await using workspace = await openRepositoryWorkspace()
    const build = join(workspace.directory, 'acme.bin')
    await writeFile(build, noise(100_000, 1))
    expect((await release(workspace, { version: '1.0.0', build })).sizes.files).toBe(1)
  })

  test('goes through its steps in order, and the timestamp is the last', async () => {
    await using workspace = await openRepositoryWorkspace()
    const steps: string[] = []
    await release(workspace, { version: '1.0.0' }, { onStep: (step) => steps.push(step) })
    expect(steps.join(' ')).toBe('check sweep pack patch torrent sign bundle targets acme snapshot timestamp')
  })
})

describe('the next release', () => {
  test('carries over what has not changed, and leaves everything of the first in place', async () => {
    await using workspace = await openRepositoryWorkspace()
    await writeTree(workspace.build, { large: noise(400_000, 7) })
    await release(workspace, { version: '1.0.0' })
    const before = await fingerprintTree(workspace.repository)
    await writeTree(workspace.build, { 'README.md': 'read me again\n' })
    const second = await release(workspace, { version: '1.1.0' })
    expect(second.previousVersion).toBe('1.0.0')
    expect(second.reusedBytes).toBeGreaterThan(390_000)
    expect(second.reusedBytes).toBeLessThan(second.sizes.packBytes)
    const after = await fingerprintTree(workspace.repository)
    expect(after).toMatchObject({ ...before, 'metadata/timestamp.json': expect.any(String) })
    expect((await openRepository(workspace.repository)).releases.map(({ release: { version } }) => version)).toEqual([
      '1.0.0',
      '1.1.0',
    ])
  })

  test('of the same tree has the same pack', async () => {
    await using workspace = await openRepositoryWorkspace()
    const first = await release(workspace, { version: '1.0.0' })
    const second = await release(workspace, { version: '1.0.1' })
    expect(await readFile(second.files.pack)).toEqual(await readFile(first.files.pack))
    expect(second.infoHash).not.toBe(first.infoHash)
  })

  test('has patches of its index from the three before it, which stay', async () => {
    await using workspace = await openRepositoryWorkspace()
    const indexes: Buffer[] = []
    for (const minor of [0, 1, 2, 3, 4]) {
      await writeTree(workspace.build, { large: noise(2_000_000, 7), [`new-${minor}`]: noise(1_000, minor + 10) })
      const published = await release(workspace, { version: `1.${minor}.0` })
      indexes.push(await readFile(published.files.index))
    }
    const { releases } = await openRepository(workspace.repository)
    const sha256Of = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
    const digests = indexes.map(sha256Of)
    const counts = releases.map(({ release: { indexPatches } }) => indexPatches?.length ?? 0)
    expect(counts).toEqual([0, 1, 2, 3, 3])
    const newest = releases.at(-1)
    for (const { from, lengthBytes, sha256 } of newest?.release.indexPatches ?? []) {
      const file = join(
        workspace.repository,
        'targets',
        'acme',
        '1.4.0',
        `${sha256}.${newest?.release.platform}.index-patch`,
      )
      const patch = await readFile(file)
      expect([patch.length, sha256Of(patch)]).toEqual([lengthBytes, sha256])
      const older = indexes[digests.indexOf(from)] ?? Buffer.alloc(0)
      expect(await applyIndexPatch(older, patch)).toEqual(indexes[4])
    }
  })

  test('has no patch from a release whose index is damaged, or the same', async () => {
    await using workspace = await openRepositoryWorkspace()
    const first = await release(workspace, { version: '1.0.0' })
    await writeTree(workspace.build, { another: noise(1_000, 1) })
    const second = await release(workspace, { version: '1.1.0' })
    await release(workspace, { version: '1.2.0' })
    await writeFile(first.files.index, 'no index')
    await writeTree(workspace.build, { third: noise(1_000, 2) })
    await release(workspace, { version: '1.3.0' })
    const { releases } = await openRepository(workspace.repository)
    const fromIn = releases.map(({ release: { indexPatches = [] } }) => indexPatches.map(({ from }) => from))
    const digest = createHash('sha256')
      .update(await readFile(second.files.index))
      .digest('hex')
    expect(fromIn).toEqual([[], [expect.any(String)], [expect.any(String)], [digest]])
  })

  test('sweeps what a killed one left, and nothing else', async () => {
    await using workspace = await openRepositoryWorkspace()
    await release(workspace, { version: '1.0.0' })
    const before = await fingerprintTree(workspace.repository)
    await writeTree(workspace.repository, {
      '.staging/acme_1.1.0_any/pack': 'half a pack',
      'bundles/acme_1.1.0_any/pack': 'a pack that nobody signed',
      'targets/acme/1.1.0/0000.any.index': 'an index that nobody signed',
      'targets/acme/1.0.0/0000.any.index': 'another',
      'metadata/3.acme.json': '{}',
      'metadata/3.snapshot.json': '{}',
      'metadata/.timestamp.json.0123.tmp': 'half',
    })
    await release(workspace, { version: '1.2.0' })
    const after = await fingerprintTree(workspace.repository)
    expect(after).toMatchObject({ ...before, 'metadata/timestamp.json': expect.any(String) })
    const added = Object.keys(after).filter((name) => !(name in before))
    expect(added.filter((name) => !name.includes('1.2.0'))).toEqual([
      'metadata/3.acme.json',
      'metadata/3.snapshot.json',
    ])
    await openRepository(workspace.repository)
  })

  test('of one product leaves another alone', async () => {
    await using workspace = await openWorkspace()
    const { parseProduct } = await import('@updraft/core/names')
    await init(workspace, { products: [parseProduct('acme'), parseProduct('zeta')] })
    await writeTree(workspace.build, { file: 'content' })
    await release(workspace, { version: '2.0.0' })
    await release(workspace, { version: '1.0.0', product: 'zeta' })
    const { releases, roles } = await openRepository(workspace.repository)
    expect(releases.map(({ release: { product, version } }) => `${product} ${version}`)).toEqual([
      'acme 2.0.0',
      'zeta 1.0.0',
    ])
    expect(roles.find(({ role }) => role === 'acme')?.metadataVersion).toBe(2)
  })
})
