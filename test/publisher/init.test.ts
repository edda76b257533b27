// A new repository: what is in it, who can sign for it, and that a failed one leaves nothing.

import { createHash } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parseProduct } from '@updraft/core/names'
import { openRepository } from '../../publisher/src/repository.ts'
import { parseRepositorySettings } from '../../publisher/src/repository-settings.ts'
import { hoursAfter, init, NOW, openWorkspace, writeTree } from './workspace.ts'

describe('init', () => {
  test('makes a repository that opens, with a role per product and expiries in whole seconds', async () => {
    await using workspace = await openWorkspace()
    await init(workspace, { products: [parseProduct('acme'), parseProduct('zeta')] })
    const { products, releases, roles } = await openRepository(workspace.repository)
    expect(products).toEqual(['acme', 'zeta'])
    expect(releases).toEqual([])
    expect(roles.map(({ role, metadataVersion }) => `${role} ${metadataVersion}`)).toEqual([
      'root 1',
      'targets 1',
      'snapshot 1',
      'timestamp 1',
      'acme 1',
      'zeta 1',
    ])
    expect(roles.find(({ role }) => role === 'timestamp')?.expires).toEqual(hoursAfter(NOW, 24))
    const timestamp = JSON.parse(await readFile(join(workspace.repository, 'metadata/timestamp.json'), 'utf8'))
    expect(timestamp.signed.expires).toBe('2026-03-02T12:00:00Z')
    expect(timestamp.signed.meta['snapshot.json']).toMatchObject({ version: 1, length: expect.any(Number) })
  })

  test('delegates to a product its own paths, and nothing after it', async () => {
    await using workspace = await openWorkspace()
    await init(workspace)
    const targets = JSON.parse(await readFile(join(workspace.repository, 'metadata/1.targets.json'), 'utf8'))
    expect(targets.signed.delegations.roles).toMatchObject([
      { name: 'acme', paths: ['acme/*/*'], terminating: true, threshold: 1 },
    ])
  })

  test('tells the fingerprint of the root file, byte for byte, and leaves it with the keys', async () => {
    await using workspace = await openWorkspace()
    const { fingerprint } = await init(workspace)
    const root = await readFile(join(workspace.repository, 'metadata/1.root.json'))
    expect(fingerprint).toBe(`sha256:${createHash('sha256').update(root).digest('hex')}`)
    expect((await openRepository(workspace.repository)).fingerprint).toBe(fingerprint)
    expect(await workspace.keys.rootFingerprints()).toEqual([fingerprint])
  })

  test('makes several root keys with a threshold', async () => {
    await using workspace = await openWorkspace()
    const { keys } = await init(workspace, { rootKeys: 3, rootThreshold: 2 })
    const root = (await openRepository(workspace.repository)).roles.find(({ role }) => role === 'root')
    expect(root).toMatchObject({ threshold: 2, keyIds: keys.filter(({ role }) => role === 'root').map((k) => k.keyId) })
  })

  test('makes several keys of another kind for targets and products, with thresholds', async () => {
    await using workspace = await openWorkspace()
    const people = {
      targetsKeys: 3,
      targetsThreshold: 2,
      productKeys: 2,
      productThreshold: 2,
      type: 'ecdsa-p256',
    } as const
    await init(workspace, people)
    const { roles, edition } = await openRepository(workspace.repository)
    const demands = roles.map(({ role, keyIds, threshold }) => `${role} ${threshold} of ${keyIds.length}`)
    expect(demands).toEqual(['root 1 of 1', 'targets 2 of 3', 'snapshot 1 of 1', 'timestamp 1 of 1', 'acme 2 of 2'])
    expect(new Set(Object.values(edition.root.metadata.signed.keys).map(({ keytype }) => keytype))).toEqual(
      new Set(['ecdsa']),
    )
  })

  test('puts no key into the repository, and what it does put there is readable by a web server', async () => {
    await using workspace = await openWorkspace()
    await init(workspace, {}, 'passphrase')
    const files = await readdir(workspace.repository, { recursive: true, withFileTypes: true })
    for (const file of files.filter((entry) => entry.isFile())) {
      const path = join(file.parentPath, file.name)
      expect(await readFile(path, 'utf8')).not.toContain('PRIVATE KEY')
      expect((await stat(path)).mode & 0o444).toBe(0o444)
    }
    expect((await readdir(workspace.keysDirectory)).filter((name) => name.endsWith('.pem'))).toHaveLength(5)
  })

  test('fills an empty folder, and keeps what is configured', async () => {
    await using workspace = await openWorkspace()
    await writeTree(workspace.repository, {})
    await init(workspace, { settings: parseRepositorySettings({ url: 'https://u.example' }, 'test') })
    expect((await openRepository(workspace.repository)).settings.url).toBe('https://u.example/')
  })
})

describe('init refuses', () => {
  test('a folder that holds a repository, and leaves it and the keys alone', async () => {
    await using workspace = await openWorkspace()
    await init(workspace)
    const before = await readdir(workspace.directory, { recursive: true })
    await expect(init(workspace)).rejects.toMatchObject({ code: 'REPOSITORY_EXISTS' })
    expect(await readdir(workspace.directory, { recursive: true })).toEqual(before)
  })

  test.each([
    ['a folder with something in it', { 'r/notes.txt': 'mine' }],
    ['a file', { r: 'mine' }],
  ])('%s', async (_, files) => {
    await using workspace = await openWorkspace()
    await writeTree(workspace.directory, files)
    await expect(init(workspace)).rejects.toMatchObject({ code: 'REPOSITORY_EXISTS' })
    expect(await readdir(workspace.directory)).toEqual(['r'])
  })

  test('and leaves neither keys nor a half-made repository when it cannot finish', async () => {
    await using workspace = await openWorkspace()
    // Long enough for the folder itself, too long for the name under which it is prepared.
    const repository = join(workspace.directory, 'r'.repeat(250))
    await expect(init({ ...workspace, repository })).rejects.toMatchObject({ code: 'IO' })
    expect(await readdir(workspace.directory)).toEqual([])
  })
})
